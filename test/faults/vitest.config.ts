import { randomInt } from 'node:crypto';
import process from 'node:process';
import { defineConfig } from 'vitest/config';
import { closingLine } from '../support/closing-line.ts';

if (process.platform !== 'linux') {
  throw new Error('The fault suite needs Linux: it looks into /proc and mounts small disks.');
}
const seed = process.env['SEED'] ?? String(randomInt(2 ** 31));
process.stdout.write(`SEED=${seed}\n`);

export default defineConfig({
  test: {
    include: ['test/faults/**/*.test.ts'],
    reporters: ['verbose', closingLine],
    env: { SEED: seed },
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Each breaks a machine's worth of things, and measures how long the service takes to be back.
    fileParallelism: false,
  },
});
