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

/** The longest by far begins at once, then what mostly waits; the others run beside them. */
const FIRST = ['/kill.test.ts', '/slow-clients.test.ts'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = FIRST.findIndex((name) => moduleId.endsWith(name));
      return index < 0 ? FIRST.length : index;
    };
    return [...files].sort((a, b) => place(a) - place(b));
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
          maxWorkers: scaled(3, 2),
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
