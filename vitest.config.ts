import { defineConfig } from 'vitest/config';
import { closingLine } from './test/support/closing-line.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', closingLine],
    globalSetup: ['test/support/database-server.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Every file has a database and a folder of its own; two files at once keep two cores busy.
    maxWorkers: 2,
    coverage: { include: ['src/**'], exclude: ['src/main.ts', 'src/cli.ts', 'src/audio/worker.ts'] },
  },
});
