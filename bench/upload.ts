import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise } from '../test/support/wav.ts';
import { loadSection, type Measured, type Result, type Row, type Section, say } from './figures.ts';
import { need, onStage } from './processes.ts';
import { type Aim, type Plan, ratio } from './rounds.ts';
import { measureMemory } from './upload-memory.ts';
import { LARGE, SMALL, uploadInRounds, type Work } from './upload-run.ts';
import { startOurs, startPeers, type UploadTarget } from './upload-targets.ts';
import { measureThreads } from './upload-threads.ts';

/** By peer, what is wanted of ours ÷ the peer's. */
type Aims = Readonly<Record<string, readonly Aim<Measured>[]>>;

const cpu = ({ cpuPerGb }: Measured) => cpuPerGb;
const rate = ({ requestsPerSecond }: Measured) => requestsPerSecond;
const LARGE_AIMS: Aims = {
  'nginx PUT': [{ id: 'U1', name: 'CPU/GB', most: 1.4, figure: cpu }],
  'stock Fastify': [
    { id: 'U2', name: 'CPU/GB', most: 0.8, figure: cpu },
    { id: 'U2', name: 'uploads/s', least: 1.2, figure: rate },
  ],
  'bare node:http PUT': [{ name: 'CPU/GB', figure: cpu }],
  'multer + Express': [{ name: 'CPU/GB', figure: cpu }],
  'Go net/http': [{ name: 'CPU/GB', figure: cpu }],
  '@tus/server': [{ name: 'CPU/GB', figure: cpu }],
};
const SMALL_AIMS: Aims = {
  'stock Fastify': [{ id: 'U3', name: 'uploads/s', least: 1.15, figure: rate }],
  'multer + Express': [{ name: 'uploads/s', figure: rate }],
  'Go net/http': [{ name: 'uploads/s', figure: rate }],
  '@tus/server': [{ name: 'uploads/s', figure: rate }],
};

const FULL = {
  rounds: 5,
  large: [1, 8, 32],
  leastLarge: 8,
  small: [8, 32],
  smallFiles: 1500,
  crowds: [32, 100],
} as const;
const QUICK = { rounds: 1, large: [1], leastLarge: 1, small: [8], smallFiles: 24, crowds: [1, 2] } as const;

/**
 * Uploads of 50 MB and 200 KB with everything we promise, against servers that promise less: see README.md. All take
 * their turn in each round. A goal is judged by the median of the rounds' ratios.
 */
export async function benchUploads({ isQuick }: { readonly isQuick: boolean }): Promise<Result> {
  const nginx = await need('nginx', '-v', 'nginx-light');
  const { rounds, large, leastLarge, small, smallFiles, crowds } = isQuick ? QUICK : FULL;
  return await onStage(async (stage) => {
    const files = { large: join(stage.folder, 'large.wav'), small: join(stage.folder, 'small.wav') };
    await writeFile(files.large, noise(LARGE, 1));
    await writeFile(files.small, noise(SMALL, 1));
    say('uploads: starting everybody');
    const [ours, { targets: peers, notes }] = await Promise.all([
      startOurs(stage, 'ours'),
      startPeers(stage),
    ]);
    const targets = { ours, ...peers };
    const sections: Section[] = [];
    const ratios: Row[] = [];
    const compare = async (title: string, work: Work, aims: Aims) => {
      const outcome = await compareUploads({ title, rounds, warmUp: !isQuick }, targets, work, aims);
      sections.push(outcome.section);
      ratios.push(...outcome.ratios);
    };
    for (const connections of large) {
      const count = Math.max(leastLarge, connections);
      const work = { file: files.large, size: LARGE, connections, count };
      await compare(`50 MB, c=${connections}`, work, LARGE_AIMS);
    }
    for (const connections of small) {
      const work = { file: files.small, size: SMALL, connections, count: smallFiles };
      const title = `200 KB, c=${connections}`;
      await compare(title, work, SMALL_AIMS);
      const both = { ours, 'stock Fastify': peers['stock Fastify'] };
      sections.push(await measureThreads({ title, rounds, warmUp: false }, both, work));
    }
    const memory = await measureMemory(stage, files.large, crowds, rounds);
    return {
      sections: [...sections, memory.section],
      ratios: [...ratios, ...memory.ratios],
      notes: [nginx, ...notes],
    };
  });
}

async function compareUploads(
  plan: Plan,
  targets: Readonly<Record<string, UploadTarget>>,
  work: Work,
  aims: Aims,
): Promise<{ readonly section: Section; readonly ratios: readonly Row[] }> {
  const found = await uploadInRounds(plan, targets, work);
  const ratios = Object.entries(aims).flatMap(([peer, goals]) =>
    goals.flatMap(({ name, ...aim }) =>
      ratio(found['ours'] ?? [], found[peer], { ...aim, name: `${plan.title}: ${name} ÷ ${peer}` }),
    ),
  );
  const section = loadSection(`Uploads of ${plan.title}`, found, { withGb: work.size === LARGE });
  return { section, ratios };
}
