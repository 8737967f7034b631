import { randomInt } from 'node:crypto';
import process from 'node:process';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { closingLine } from '../support/closing-line.ts';
import { scaled } from './scale.ts';

if (process.platform !== 'linux') {
  throw new Error('The fault suite needs Linux: it looks into /proc and mounts small disks.');
}
const seed = process.env['SEED'] ?? String(randomInt(2 ** 31));
process.stdout.write(`SEED=${seed}\n`);

/** The two longest by far begin at once, and the others run beside them. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLongest = ({ moduleId }: TestSpecification) => /\/kill-\w+\.test\.ts$/.test(moduleId);
    return [...files].sort((a, b) => Number(isLongest(b)) - Number(isLongest(a)));
  }
}

const CLUSTER = 'test/faults/cluster.test.ts';
const shared = { env: { SEED: seed }, testTimeout: 120_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    reporters: ['verbose', closingLine],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...shared,
          name: 'one service',
          include: ['test/faults/**/*.test.ts'],
          exclude: [CLUSTER],
          // Each breaks a machine's worth of things: what is promised has to hold beside other work. Some only wait. With
          // fewer rounds there is less of a middle to judge by, and so less beside it.
          maxWorkers: scaled(4, 2),
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Four services and their clients are all the work that a machine has; after the others, which promise times.
        test: { ...shared, name: 'cluster', include: [CLUSTER], maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
