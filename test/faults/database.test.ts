import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { audit } from './audit.ts';
import { type Book, createBook } from './book.ts';
import { type DatabaseServer, startDatabaseServer, watchDatabase } from './database-server.ts';
import { createAsk, faultsOfRefusal, formOf } from './http.ts';
import { type Asked, freshAudio, startLoad, uploadOne } from './load.ts';
import { descendants, signalAll } from './processes.ts';
import { type Chance, createChance, middle, report, scaled } from './scale.ts';
import { databaseOf, newDataDir, type Service, startService } from './service.ts';
import { beginUpload, statusIn } from './sockets.ts';

const ROUNDS = 3;
const CLIENTS = scaled(50, 30);
/** How long it stays away, ms: longer than the service waits for a connection and an answer together. */
const AWAY = scaled(7_000, 2_000);
const FROZEN = 9_000;
/** Promises of the service, ms. */
const ANSWER_WITHIN = 10_000;
/** What is measured is the wait for the database, not the one for other uploads: so many get on without turns. */
const CLIENTS_WITHOUT_TURNS = 20;
const NO_TURNS = { UPLOADS_AT_ONCE: '500', UPLOADS_AT_ONCE_PER_TOKEN: '500' };
const BACK_WITHIN = 1_000;
/** What was on its way when the database went may still have been answered by it. */
const IN_FLIGHT = 200;
const NEVER = Number.POSITIVE_INFINITY;

interface Outage {
  readonly what: string;
  readonly begin: (database: DatabaseServer) => Promise<void>;
  readonly end: (database: DatabaseServer) => Promise<void>;
  /** ms */
  readonly lasts: number;
  readonly clients?: number;
  readonly env?: Readonly<Record<string, string>>;
}

const outages: readonly Outage[] = [
  { what: 'stopped', begin: (database) => database.stop(), end: (database) => database.start(), lasts: AWAY },
  { what: 'killed', begin: (database) => database.kill(), end: (database) => database.start(), lasts: AWAY },
  {
    what: 'frozen',
    begin: (database) => database.freeze(),
    end: async (database) => database.thaw(),
    lasts: FROZEN,
    // Each upload is refused after five seconds: in turns, the last of them would hear of it too late.
    env: NO_TURNS,
    clients: CLIENTS_WITHOUT_TURNS,
  },
];

test.each(outages)(
  'a database that is $what: 503, soon, and back at once',
  { timeout: 900_000 },
  async (outage) => {
    const chance = createChance(outage.what);
    const { clients = CLIENTS } = outage;
    const dataDir = await newDataDir();
    const database = await startDatabaseServer(join(dataDir, 'server'));
    const service = await startService(dataDir, { env: { DATABASE_URL: database.url, ...outage.env } });
    const book = createBook();
    const asked: Asked[] = [];
    const faults: string[] = [];
    const backs: number[] = [];
    for (let i = 0; i < clients; i += 1) await untilTaken(service, book, chance);
    for (let round = 1; round <= ROUNDS; round += 1) {
      const load = startLoad(service, book, {
        clients,
        chance,
        isPersistent: true,
        onAsked: (one) => void asked.push(one),
      });
      await delay(chance.whole(200, 1_000));
      await outage.begin(database);
      const from = performance.now() + IN_FLIGHT;
      await delay(outage.lasts);
      const to = performance.now();
      await outage.end(database);
      backs.push(await timeToBack(service, book, chance, asked, database.url));
      await load.stop();
      faults.push(...asked.flatMap((one) => faultsOf(one, from, to)));
      await audit(service, book, { isSettled: true });
    }
    const during = asked.filter(({ answer }) => answer?.status === 503).map(({ answer }) => answer?.ms ?? 0);
    report(`a database that is ${outage.what}`, {
      ...book.counts,
      'ready ms': service.readyMs,
      'slowest answer ms': Math.max(...asked.map(({ answer }) => answer?.ms ?? 0)),
      'slowest 503 ms': Math.max(...during),
      'back ms': backs.join(' '),
    });
    expect([...new Set(faults)].slice(0, 20)).toEqual([]);
    expect(during.length).toBeGreaterThan(0);
    expect(middle(backs)).toBeLessThan(BACK_WITHIN);
    expect(await service.end('SIGTERM')).toBe(0);
  },
);

test('a database that freezes in the middle of uploads: 503, soon, and nothing of them is left', async () => {
  const dataDir = await newDataDir();
  const database = await startDatabaseServer(join(dataDir, 'server'));
  const service = await startService(dataDir, {
    env: { DATABASE_URL: database.url, UPLOAD_LEASE_SECONDS: '10', ...NO_TURNS },
  });
  const book = createBook();
  const chance = createChance('freezes');
  await untilTaken(service, book, chance);
  const uploads = await Promise.all(
    Array.from({ length: scaled(24, 12) }, async (_, i) => {
      const name = `half ${i}`;
      const content = i % 2 === 0 ? freshAudio(chance) : Buffer.alloc(5_000, 'no audio at all, ');
      book.uploading(name, 'v3', content);
      const upload = await beginUpload(service.base, formOf('v3', name, content));
      upload.socket.write(upload.body.subarray(0, 200));
      return { name, ...upload };
    }),
  );
  // Each has its row and its file by now, and nothing on its way.
  const arriving = join(dataDir, 'uploads', '.arriving');
  await expect.poll(() => readdir(arriving), { timeout: 20_000 }).toHaveLength(uploads.length);
  await database.freeze();
  const since = performance.now();
  const answers = await Promise.all(
    uploads.map(async ({ socket, body, answer, name }) => {
      socket.write(body.subarray(200));
      const status = statusIn(await answer);
      return { status, ms: Math.round(performance.now() - since), name };
    }),
  );
  database.thaw();
  report('a database that freezes in the middle of uploads', {
    answers: [...new Set(answers.map(({ status }) => status))].join(' '),
    'slowest answer ms': Math.max(...answers.map(({ ms }) => ms)),
  });
  // Bad audio is bad, whether or not there is a database.
  for (const { status, name } of answers) expect([400, 503], name).toContain(status);
  expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(ANSWER_WITHIN);
  await audit(service, book, { isSettled: true });
  expect(await service.end('SIGTERM')).toBe(0);
});

/** Of a server whose every process dies, or of which one does: PostgreSQL then ends all sessions and recovers. */
const victims = [
  { what: 'its server', isAll: true },
  { what: 'one of its sessions', isAll: false },
];
test.each(victims)(
  'the embedded database, $what killed: back by itself',
  { timeout: 300_000 },
  async ({ what, isAll }) => {
    const chance = createChance(what);
    const service = await startService(await newDataDir());
    const book = createBook();
    const asked: Asked[] = [];
    const backs: number[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const load = startLoad(service, book, {
        clients: CLIENTS,
        chance,
        isPersistent: true,
        onAsked: (one) => void asked.push(one),
      });
      await delay(chance.whole(200, 1_000));
      const server = descendants(service.pid);
      signalAll(isAll ? server : server.slice(-1), 'SIGKILL');
      backs.push(await timeToBack(service, book, chance, asked, await databaseOf(service)));
      await load.stop();
      await audit(service, book, { isSettled: true });
    }
    report(`the embedded database, ${what} killed`, { ...book.counts, 'back ms': backs.join(' ') });
    const faults = asked.flatMap((one) => faultsOf(one, NEVER, NEVER));
    expect([...new Set(faults)].slice(0, 20)).toEqual([]);
    expect(middle(backs)).toBeLessThan(BACK_WITHIN);
    expect(await service.end('SIGTERM')).toBe(0);
  },
);

/** What no outage excuses. Between `from` and `to` there was no database, so whatever was asked then is a 503. */
function faultsOf({ what, path, at, answer }: Asked, from: number, to: number): string[] {
  if (answer === undefined) return [`${what}: no answer`];
  if (answer.ms > ANSWER_WITHIN) return [`${what}: ${answer.status} after ${answer.ms} ms`];
  const isDuring = at > from && at + answer.ms < to;
  if (answer.status >= 500 && answer.status !== 503) return [`${what}: ${answer.status}`];
  if (answer.status === 503) return faultsOfRefusal(path, answer);
  return isDuring ? [`${what}: ${answer.status} without a database`] : [];
}

/** From when the database answers to the first upload that is taken, whoever's it is, ms. */
async function timeToBack(
  service: Service,
  book: Book,
  chance: Chance,
  asked: readonly Asked[],
  url: string,
): Promise<number> {
  const watch = watchDatabase(url);
  await untilTaken(service, book, chance);
  const taken = performance.now();
  const back = await watch.stop();
  const others = asked.flatMap(({ at, answer }) => (answer?.status === 201 ? at + answer.ms : []));
  return Math.max(0, Math.round(Math.min(taken, ...others.filter((time) => time > back)) - back));
}

async function untilTaken(service: Service, book: Book, chance: Chance): Promise<void> {
  const ask = createAsk(service.base);
  while ((await uploadOne(ask, book, chance)).answer?.status !== 201) await delay(10);
  ask.close();
}
