import { readdirSync } from 'node:fs';
import type { Section } from './figures.ts';
import { measureUploads } from './measure.ts';
import { cpuSeconds, statOf, TICKS_PER_SECOND } from './process-tree.ts';
import { inRounds, type Plan } from './rounds.ts';
import type { Work } from './upload-run.ts';
import type { UploadTarget } from './upload-targets.ts';

/** The names that Node gives to its threads; what has another is a worker of the program. */
const KINDS: Readonly<Record<string, string>> = {
  MainThread: 'main thread',
  V8Worker: "V8's helpers",
  DelayedTaskSche: "V8's helpers",
  'libuv-worker': 'file operations',
};
const COLUMNS = ['main thread', "V8's helpers", 'file operations', 'workers', 'database'] as const;
type Column = (typeof COLUMNS)[number];
type Times = Readonly<Record<Column, number>>;

/** How the processor time of an upload is spread over the threads of a server, with its database, ms. */
export async function measureThreads(
  plan: Plan,
  targets: Readonly<Record<string, UploadTarget | undefined>>,
  work: Work,
): Promise<Section> {
  const there = Object.entries(targets).flatMap(([name, target]) =>
    target === undefined ? [] : [[name, target] as const],
  );
  const byName = new Map(there);
  const found = await inRounds(
    plan,
    there.map(([name]) => name),
    (name) => spread(byName.get(name), work),
    (times) => COLUMNS.map((column) => `${column} ${times[column].toFixed(2)}`).join(', '),
  );
  return {
    title: `${plan.title}: ms of CPU for an upload, by thread`,
    columns: [...COLUMNS, 'together'],
    rows: Object.entries(found).map(([name, measured]) => ({
      name,
      cells: [
        ...COLUMNS.map((column) => measured.map((times) => times[column])),
        measured.map((times) => COLUMNS.reduce((sum, column) => sum + times[column], 0)),
      ],
    })),
  };
}

async function spread(target: UploadTarget | undefined, work: Work): Promise<Times> {
  const [pid] = target?.roots ?? [];
  if (target === undefined || pid === undefined) throw new Error('a server without a process');
  const before = secondsOf(target.roots, pid);
  const { report } = await measureUploads(target.roots, { ...target.load, ...work });
  const after = secondsOf(target.roots, pid);
  await target.clear(report);
  const times = COLUMNS.map((column) => [column, ((after[column] - before[column]) / work.count) * 1000]);
  return Object.fromEntries(times) as Times;
}

/** All that is not the server's own process is its database's. */
function secondsOf(roots: readonly number[], pid: number): Times {
  const seconds = { 'main thread': 0, "V8's helpers": 0, 'file operations': 0, workers: 0 };
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const { name, own: ticks } = statOf(`${pid}/task/${thread}`);
    const kind = (KINDS[name] ?? 'workers') as keyof typeof seconds;
    seconds[kind] += ticks / TICKS_PER_SECOND;
  }
  const own = Object.values(seconds).reduce((sum, each) => sum + each, 0);
  return { ...seconds, database: cpuSeconds(roots) - own };
}
