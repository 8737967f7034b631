import { defineConfig } from 'vitest/config';
import { closingLine } from '../support/closing-line.ts';

export default defineConfig({
  test: {
    include: ['test/s3/**/*.test.ts'],
    reporters: ['default', closingLine],
    globalSetup: ['test/support/database-server.ts', 'test/support/object-store.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
