import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { audit } from './audit.ts';
import { type Book, createBook } from './book.ts';
import { isAway, watchDatabase } from './database-server.ts';
import { createAsk, faultsOfRefusal } from './http.ts';
import { type Asked, startLoad, uploadOne } from './load.ts';
import { type Chance, createChance, middle, report, scaled } from './scale.ts';
import {
  canMount,
  databaseOf,
  newDataDir,
  type Service,
  type StartOptions,
  startService,
} from './service.ts';

const ROUNDS = scaled(3, 1);
const CLIENTS = scaled(50, 20);
const LOAD_MS = scaled(3_000, 2_000);
const KIB = 1024;
/** A promise of the service: so long after there is room again. */
const BACK_WITHIN = 1_000;
/** The pause before the embedded database is started again, and its recovery. */
const REBORN_WITHIN = 5_000;

/** Writes a file until nothing more fits. */
async function fillUp(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'ballast');
  const file = await open(path, 'w');
  for (let size = 1024 * KIB; size >= 512; size /= 2) {
    const block = Buffer.alloc(size);
    while (await fits(async () => assertWhole(await file.write(block), size)));
  }
  await file.close();
  return () => rm(path);
}

function assertWhole({ bytesWritten }: { readonly bytesWritten: number }, size: number): void {
  if (bytesWritten < size) throw Object.assign(new Error('a part'), { code: 'ENOSPC' });
}

/** Makes empty files until there can be no more. */
async function takeInodes(folder: string): Promise<() => Promise<void>> {
  const ballast = join(folder, 'ballast');
  await mkdir(ballast);
  let count = 0;
  while (
    await fits(async () => {
      count += 1;
      await writeFile(join(ballast, String(count)), '');
    })
  );
  return () => rm(ballast, { recursive: true });
}

async function fits(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}

/** What no full disk excuses: an answer that did not come, or that is not one of the two, or not in shape. */
function faultsOf({ what, path, answer }: Asked): string[] {
  if (answer === undefined) return [`${what} at ${path}: no answer`];
  if (answer.status < 500) return [];
  if (answer.status !== 503 && answer.status !== 507) return [`${what} at ${path}: ${answer.status}`];
  return faultsOfRefusal(path, answer);
}

/** Uploads until one is taken; how long that took, ms. */
async function untilTaken(service: Service, book: Book, chance: Chance): Promise<number> {
  const since = performance.now();
  const ask = createAsk(service.base);
  for (;;) {
    const { answer } = await uploadOne(ask, book, chance);
    const ms = Math.round(performance.now() - since);
    if (answer?.status === 201 || ms > 30_000) {
      ask.close();
      return ms;
    }
    await delay(20);
  }
}

/** Ends the current piece of the database's log until there is no room for the next. */
async function demandRoom(service: Service): Promise<void> {
  const client = new pg.Client({ connectionString: await databaseOf(service) });
  client.on('error', () => undefined);
  await client.connect();
  const demand = async () => {
    for (;;) {
      await client.query("select pg_logical_emit_message(false, 'filler', repeat('x', 100000))");
      await client.query('select pg_switch_wal()');
    }
  };
  await demand().catch(() => undefined);
  await client.end().catch(() => undefined);
}

/** Without room a database may end at any time, and then cannot be asked. */
async function auditIfThere(service: Service, book: Book): Promise<void> {
  await audit(service, book).catch((error: unknown) => {
    if (!isAway(error)) throw error;
  });
}

/** How long a database takes to answer, ms. */
async function answersAgain(url: string): Promise<number> {
  const since = performance.now();
  const watch = watchDatabase(url);
  await watch.answered;
  return Math.round((await watch.stop()) - since);
}

interface Trial {
  readonly what: string;
  /** The folder that the small disk is mounted on, below the data folder. */
  readonly folder: string;
  readonly options: string;
  readonly exhaust: (folder: string) => Promise<() => Promise<void>>;
  /** Makes the database need room at once, which it takes in large pieces and long before it needs it. */
  readonly isHungry?: boolean;
}

const trials: readonly Trial[] = [
  { what: 'a full disk of the uploads', folder: 'uploads', options: 'size=24m', exhaust: fillUp },
  {
    what: 'uploads without an inode',
    folder: 'uploads',
    options: 'size=64m,nr_inodes=40',
    exhaust: takeInodes,
  },
  { what: 'a full disk of database and uploads', folder: '.', options: 'size=160m', exhaust: fillUp },
  {
    what: 'a full disk of a growing database',
    folder: '.',
    options: 'size=160m',
    exhaust: fillUp,
    isHungry: true,
  },
];

describe.skipIf(!canMount())('without room', () => {
  test.each(trials)(
    '$what: 507 or 503, nothing partial, and back at once',
    { timeout: 300_000 },
    async (trial) => {
      const { what, folder, options, exhaust, isHungry = false } = trial;
      const chance = createChance(what);
      const dataDir = await newDataDir();
      const at = join(dataDir, folder);
      await mkdir(at, { recursive: true });
      const settings: StartOptions = { tmpfs: { at, options } };
      const service = await startService(dataDir, settings);
      const small = join(service.root, at);
      const book = createBook();
      const faults: string[] = [];
      const backs: number[] = [];
      const reborn: number[] = [];
      const database = await databaseOf(service);
      for (let i = 0; i < 8; i += 1) await untilTaken(service, book, chance);
      for (let round = 1; round <= ROUNDS; round += 1) {
        const makeRoom = await exhaust(small);
        const load = startLoad(service, book, {
          clients: CLIENTS,
          chance,
          isPersistent: true,
          onAsked: (asked) => void faults.push(...faultsOf(asked)),
        });
        if (isHungry) await demandRoom(service);
        await delay(LOAD_MS);
        await load.stop();
        if (!isHungry) await auditIfThere(service, book);
        await makeRoom();
        reborn.push(await answersAgain(database));
        backs.push(await untilTaken(service, book, chance));
        await audit(service, book, { isSettled: true, isWhole: round === ROUNDS });
      }
      report(what, {
        ...book.counts,
        'database back ms': reborn.join(' '),
        'back ms': backs.join(' '),
      });
      expect(faults).toEqual([]);
      expect(Object.keys(book.counts)).toContainEqual(expect.stringMatching(/^upload 50[37]$/));
      expect(middle(reborn)).toBeLessThan(REBORN_WITHIN);
      expect(middle(backs)).toBeLessThan(BACK_WITHIN);
      expect(await service.end('SIGTERM')).toBe(0);
    },
  );
});
