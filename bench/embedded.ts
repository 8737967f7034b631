import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise } from '../test/support/wav.ts';
import { createDatabase, type Database, startDatabaseByHand } from './databases.ts';
import { loadSection, type Measured, type Result, type Row, type Section, say } from './figures.ts';
import { CONNECTIONS, checkTotals, FIRST_PAGE, type Filled, pageOf, readInRounds } from './list-pages.ts';
import { fill } from './million.ts';
import { startService } from './our-service.ts';
import { need, onStage, type Stage } from './processes.ts';
import { inRounds, ratio } from './rounds.ts';
import { SMALL, uploadInRounds } from './upload-run.ts';
import { uploadsTo } from './upload-targets.ts';

const FULL = { rounds: 5, seconds: 3, uploads: 1000, prompts: 100_000, units: 100 } as const;
const QUICK = { rounds: 1, seconds: 0.2, uploads: 16, prompts: 1_000, units: 10 } as const;
/** The service's own promise. */
const MOST_SECONDS_TO_START = 5;

/** Seconds. */
interface Life {
  readonly firstStart: number;
  readonly nextStart: number;
  readonly stop: number;
}

const rate = ({ requestsPerSecond }: Measured) => requestsPerSecond;

/**
 * What it costs that the database comes with the service: how long it takes to start and to stop, and what uploads
 * and lists cost on it, against the same binaries started by hand with PostgreSQL's own settings.
 */
export async function benchEmbedded({ isQuick }: { readonly isQuick: boolean }): Promise<Result> {
  const scale = isQuick ? QUICK : FULL;
  const plan = { rounds: scale.rounds, warmUp: !isQuick };
  const wrk = await need('wrk', '-v', 'wrk');
  return await onStage(async (stage) => {
    const byHand = await stage.keep(startDatabaseByHand(join(stage.folder, 'by-hand')));
    const lives = await measureLives(stage, byHand, scale.rounds);
    say('embedded: starting and filling both');
    const [embedded, onByHand] = await Promise.all([startEmbedded(stage), startOnDatabase(stage, byHand)]);
    const both = { embedded, 'by hand': onByHand };
    await Promise.all(Object.values(both).map(({ databaseUrl }) => fill(databaseUrl, scale)));
    const pages = {
      embedded: await pageOf(both.embedded, FIRST_PAGE),
      'by hand': await pageOf(both['by hand'], FIRST_PAGE),
    };
    for (const filled of Object.values(both)) await checkTotals(filled);
    const lists = await readInRounds({ title: 'page of 50', ...plan }, pages, scale.seconds);
    const file = join(stage.folder, 'small.wav');
    await writeFile(file, noise(SMALL, 1));
    const uploads = await uploadInRounds(
      { title: '200 KB', ...plan },
      {
        embedded: uploadsTo(both.embedded.service),
        'by hand': uploadsTo(both['by hand'].service, [byHand.pid]),
      },
      { file, size: SMALL, connections: CONNECTIONS, count: scale.uploads },
    );
    const ratiosOf = (what: string, of: typeof lists): readonly Row[] => [
      ...ratio(of.embedded, of['by hand'], { name: `${what}/s on embedded ÷ by hand`, figure: rate }),
      ...ratio(of.embedded, of['by hand'], {
        name: `${what}: CPU on embedded ÷ by hand`,
        figure: ({ cpuPerRequest }) => cpuPerRequest,
      }),
    ];
    return {
      sections: [
        lives.section,
        loadSection(`Page of 50 from ${scale.prompts} prompts, c=${CONNECTIONS}`, lists, { withGb: false }),
        loadSection(`Uploads of 200 KB, c=${CONNECTIONS}`, uploads, { withGb: false }),
      ],
      ratios: [...lives.ratios, ...ratiosOf('pages', lists), ...ratiosOf('uploads', uploads)],
      notes: [wrk],
    };
  });
}

/** A service is started in a new folder or database, stopped, started again and stopped again. */
async function measureLives(
  stage: Stage,
  byHand: Database,
  rounds: number,
): Promise<{ readonly section: Section; readonly ratios: readonly Row[] }> {
  let lives = 0;
  const live = async (name: string): Promise<Life> => {
    lives += 1;
    const folder = join(stage.folder, `life-${lives}`);
    const env: Record<string, string> =
      name === 'embedded' ? {} : { DATABASE_URL: await createDatabase(byHand, `life_${lives}`) };
    const timed = async () => {
      const began = performance.now();
      const service = await startService(folder, { env });
      const answered = performance.now();
      await service.stop();
      return { start: (answered - began) / 1000, stop: (performance.now() - answered) / 1000 };
    };
    const first = await timed();
    const next = await timed();
    return { firstStart: first.start, nextStart: next.start, stop: next.stop };
  };
  const found = await inRounds(
    { title: 'start and stop', rounds, warmUp: false },
    ['embedded', 'on a PostgreSQL that runs'],
    live,
    ({ firstStart, nextStart, stop }) =>
      `first ${firstStart.toFixed(2)} s, next ${nextStart.toFixed(2)} s, stop ${stop.toFixed(2)} s`,
  );
  return {
    section: {
      title: 'From the start of the process to its first answer, and from SIGTERM to its end, s',
      columns: ['first start', 'next start', 'stop'],
      rows: Object.entries(found).map(([name, measured]) => ({
        name,
        cells: [
          measured.map(({ firstStart }) => firstStart),
          measured.map(({ nextStart }) => nextStart),
          measured.map(({ stop }) => stop),
        ],
      })),
    },
    ratios: [
      {
        goal: { name: 'next start with the embedded database, s', most: MOST_SECONDS_TO_START },
        ratios: found.embedded.map(({ nextStart }) => nextStart),
      },
    ],
  };
}

async function startEmbedded(stage: Stage): Promise<Filled> {
  const service = await stage.keep(startService(join(stage.folder, 'embedded')));
  // Where its socket is stands in its folder.
  const socket = readFileSync(join(service.dataDir, 'database/media-prompts-socket'), 'utf8');
  const databaseUrl = `postgres://postgres@localhost:5432/media_prompts?host=${encodeURIComponent(socket)}`;
  return { service, databaseUrl, roots: [service.pid] };
}

async function startOnDatabase(stage: Stage, database: Database): Promise<Filled> {
  const databaseUrl = await createDatabase(database, 'media_prompts');
  const env = { DATABASE_URL: databaseUrl };
  const service = await stage.keep(startService(join(stage.folder, 'on-by-hand'), { env }));
  return { service, databaseUrl, roots: [service.pid, database.pid] };
}
