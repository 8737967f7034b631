import { join } from 'node:path';
import type { Row, Section } from './figures.ts';
import { startService } from './our-service.ts';
import { forgetPeak, peakMemory } from './process-tree.ts';
import type { Stage } from './processes.ts';
import { inRounds, ratio } from './rounds.ts';
import { LARGE, uploadTo } from './upload-run.ts';
import { uploadsTo } from './upload-targets.ts';

const MEGA = 1024 * 1024;

/** U4: a process that has just started, and the most memory it needs while many large files come at once. */
export async function measureMemory(
  stage: Stage,
  file: string,
  crowds: readonly [number, number],
  rounds: number,
): Promise<{ readonly section: Section; readonly ratios: readonly Row[] }> {
  const found = await inRounds(
    { title: 'memory', rounds, warmUp: false },
    crowds.map((crowd) => `${crowd} × 50 MB at once`),
    async (name) => {
      const count = Number.parseInt(name, 10);
      const service = await startService(join(stage.folder, 'memory'));
      try {
        forgetPeak(service.pid);
        const measured = await uploadTo(uploadsTo(service), { file, size: LARGE, connections: count, count });
        return { process: peakMemory(service.pid) / MEGA, tree: measured.peakMemory / MEGA };
      } finally {
        await service.stop();
      }
    },
    ({ process, tree }) => `${process.toFixed(0)} MB, with its database ${tree.toFixed(0)} MB`,
  );
  const [few = [], many = []] = crowds.map((crowd) => found[`${crowd} × 50 MB at once`]);
  return {
    section: {
      title: 'Memory of a service that has just started',
      columns: ['peak RSS of its process, MB', 'with its database, MB'],
      rows: Object.entries(found).map(([name, measured]) => ({
        name,
        cells: [measured.map(({ process }) => process), measured.map(({ tree }) => tree)],
      })),
    },
    ratios: [
      {
        goal: { id: 'U4', name: `peak RSS, ${crowds[1]} × 50 MB at once, MB`, most: 200 },
        ratios: many.map(({ process }) => process),
      },
      ...ratio(many, few, {
        id: 'U4',
        name: `peak RSS, ${crowds[1]} ÷ ${crowds[0]} at once (no growth: a tenth is noise)`,
        most: 1.1,
        figure: ({ process }) => process,
      }),
    ],
  };
}
