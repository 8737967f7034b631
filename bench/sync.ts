import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise } from '../test/support/wav.ts';
import { startDatabaseByHand } from './databases.ts';
import { loadSection, type Measured, type Result, type Row, type Section, say } from './figures.ts';
import { brief } from './measure.ts';
import { startService } from './our-service.ts';
import { onStage, output, type Stage, versionOf } from './processes.ts';
import { inRounds, ratio } from './rounds.ts';
import { SMALL, uploadTo } from './upload-run.ts';
import { type UploadTarget, uploadsTo } from './upload-targets.ts';

const FULL = { rounds: 5, crowds: [8, 32], files: 1500 } as const;
const QUICK = { rounds: 1, crowds: [8], files: 16 } as const;
const SLOWER_MS = 5;

/** A target that syncs in its own way, and how often it and its database have done so. */
interface Disk {
  readonly target: UploadTarget;
  syncs(): { readonly service: number; readonly database: number };
}

/** An upload, and how many syncs there were for it. */
interface Synced extends Measured {
  readonly serviceSyncs: number;
  readonly databaseSyncs: number;
}

/** What a slow disk costs: 200 KB uploads with every sync 5 ms slower, and with none at all. */
export async function benchSyncs({ isQuick }: { readonly isQuick: boolean }): Promise<Result> {
  const { rounds, crowds, files } = isQuick ? QUICK : FULL;
  const compiler = await versionOf(['cc', '--version']);
  if (compiler === undefined) {
    return {
      sections: [],
      ratios: [],
      notes: ['Left out: `cc` is not installed (`apt install gcc libc6-dev`).'],
    };
  }
  return await onStage(async (stage) => {
    const file = join(stage.folder, 'small.wav');
    await writeFile(file, noise(SMALL, 1));
    const library = join(stage.folder, 'slow-sync.so');
    await output(['cc', '-shared', '-fPIC', '-O2', '-o', library, 'bench/slow-sync.c', '-ldl']);
    say('sync: starting a service for each disk');
    const slow = `every sync ${SLOWER_MS} ms slower`;
    const [slower, none, real] = await Promise.all([
      startOn(stage, library, 'slow', String(SLOWER_MS)),
      startOn(stage, library, 'none', 'none'),
      startOn(stage, library, 'real', '0'),
    ]);
    const disks: Readonly<Record<string, Disk>> = {
      [slow]: slower,
      'no sync at all': none,
      'the disk as it is': real,
    };
    const sections: Section[] = [];
    const ratios: Row[] = [];
    for (const connections of crowds) {
      const work = { file, size: SMALL, connections, count: files };
      const title = `200 KB, c=${connections}`;
      const found = await inRounds(
        { title, rounds, warmUp: !isQuick },
        Object.keys(disks),
        (name) => uploadCounting(disks[name], work),
        brief,
      );
      sections.push(withSyncs(loadSection(`Uploads of ${title}`, found, { withGb: false }), found));
      ratios.push(
        ...ratio(found[slow] ?? [], found['no sync at all'], {
          ...(connections === crowds.at(-1) && { id: 'F1', least: 0.5 }),
          name: `${title}: uploads/s with ${slow} ÷ with none`,
          figure: ({ requestsPerSecond }) => requestsPerSecond,
        }),
      );
    }
    return { sections, ratios, notes: [compiler] };
  });
}

/** A service and a PostgreSQL of its own, both with the library before the C library. */
async function startOn(stage: Stage, library: string, name: string, how: string): Promise<Disk> {
  const env = async (of: string) => {
    const counter = join(stage.folder, `${name}-${of}.count`);
    await writeFile(counter, new Uint8Array(8));
    return { LD_PRELOAD: library, BENCH_SYNC: how, BENCH_SYNC_COUNT: counter };
  };
  const [forService, forDatabase] = [await env('service'), await env('database')];
  const folder = join(stage.folder, name);
  const database = await stage.keep(startDatabaseByHand(join(folder, 'database'), forDatabase));
  const settings = { env: { ...forService, DATABASE_URL: database.url } };
  const service = await stage.keep(startService(folder, settings));
  return {
    target: uploadsTo(service, [database.pid]),
    syncs: () => ({
      service: countIn(forService.BENCH_SYNC_COUNT),
      database: countIn(forDatabase.BENCH_SYNC_COUNT),
    }),
  };
}

/** Throws when the library was not in effect: then nobody counted. */
async function uploadCounting(disk: Disk | undefined, work: Parameters<typeof uploadTo>[1]): Promise<Synced> {
  if (disk === undefined) throw new Error('there is no such disk');
  const before = disk.syncs();
  // What is deleted afterwards is synced, too: that is counted here, but not timed.
  const measured = await uploadTo(disk.target, work);
  const after = disk.syncs();
  const synced = {
    serviceSyncs: (after.service - before.service) / work.count,
    databaseSyncs: (after.database - before.database) / work.count,
  };
  if (!(synced.serviceSyncs > 0 && synced.databaseSyncs > 0)) {
    throw new Error(`the library that slows syncs was not loaded: ${JSON.stringify(synced)}`);
  }
  return { ...measured, ...synced };
}

function withSyncs(section: Section, found: Readonly<Record<string, readonly Synced[]>>): Section {
  return {
    ...section,
    columns: [...section.columns, 'syncs of the service/upload and delete', 'of the database'],
    rows: section.rows.map(({ name, cells }) => {
      const of = found[name] ?? [];
      const counts = [
        of.map(({ serviceSyncs }) => serviceSyncs),
        of.map(({ databaseSyncs }) => databaseSyncs),
      ];
      return { name, cells: [...cells, ...counts] };
    }),
  };
}

const countIn = (path: string) => Number(readFileSync(path).readBigUInt64LE(0));
