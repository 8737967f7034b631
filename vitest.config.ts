import { configDefaults, defineConfig } from 'vitest/config';
import { closingLine } from './test/support/closing-line.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // `npm run test:faults` has rules of its own: one thing at a time, and times that count; `test:s3` needs an object store.
    exclude: [...configDefaults.exclude, 'test/faults/**', 'test/s3/**'],
    reporters: ['default', closingLine],
    globalSetup: ['test/support/database-server.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Every file has a database and a folder of its own; two files at once keep two cores busy.
    maxWorkers: 2,
    coverage: {
      include: ['src/**'],
      exclude: [
        'src/main.ts',
        'src/cli.ts',
        'src/audio/worker.ts',
        // Held by `npm run test:s3`.
        'src/blobs/s3-*.ts',
        'src/conversion/wasm-worker.ts',
        'src/conversion/wasm-files.ts',
        'src/workers/main.ts',
      ],
    },
  },
});
