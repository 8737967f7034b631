import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { hasNginx } from '../support/nginx.ts';
import { noise } from '../support/wav.ts';
import { audit } from './audit.ts';
import { type Book, createBook } from './book.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { type Answer, type Ask, createAsk, formOf, parse, V3 } from './http.ts';
import { startLoad, uploadOne } from './load.ts';
import { type Chance, createChance, report, scaled } from './scale.ts';

const SERVICES = 4;
const KILLS = scaled(12, 6);
const CLIENTS = scaled(100, 24);
/** The longest that another service may play what was deleted, ms. */
const PROMISED = 1_000;
/** What the log says when the database does not count. */
const COUNTS_ALONE = 'requests are counted by this process alone';
/** A machine that runs all of a cluster is late for other reasons than load. */
const NO_SHEDDING = { MAX_EVENT_LOOP_DELAY_MS: '0' };

test.skipIf(!hasNginx)(
  `${KILLS} times kill -9 of one of ${SERVICES} services lose nothing, and no client with one retry sees it`,
  { timeout: KILLS * 20_000 + 120_000 },
  async () => {
    const chance = createChance('cluster');
    const cluster = await startCluster(SERVICES, NO_SHEDDING);
    const { front } = cluster;
    const book = createBook();
    const load = startLoad(front, book, { clients: CLIENTS, chance, isPersistent: true, isRetrying: true });
    const deletes = watchDeletes(cluster, book, chance);
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const place = chance.whole(0, SERVICES - 1);
      // Any moment is as good as another: these are no waits for something to happen.
      await delay(chance.whole(300, 1_500));
      await cluster.kill(place);
      await delay(chance.whole(0, 500));
      await cluster.restart(place);
    }
    const heardFor = await deletes.stop();
    await load.stop();
    await audit(front, book, { isSettled: true, isWhole: true });
    const env = { DATA_DIR: front.dataDir, DATABASE_URL: cluster.database.url };
    const verified = spawnSync(process.execPath, ['dist/cli.js', 'verify'], { env, encoding: 'utf8' });
    expect(verified.status, verified.stderr + verified.stdout).toBe(0);
    for (const service of cluster.services) expect(await service.end('SIGTERM')).toBe(0);
    report('a cluster', {
      services: SERVICES,
      kills: KILLS,
      clients: CLIENTS,
      ...book.counts,
      'deletes watched': heardFor.length,
      'longest heard after its delete, ms': Math.round(Math.max(...heardFor)),
    });
    expect(book.counts['upload 201']).toBeGreaterThan(KILLS);
    expect(heardFor.length).toBeGreaterThan(KILLS);
    expect(Math.max(...heardFor)).toBeLessThan(PROMISED);
  },
);

test.skipIf(!hasNginx)('a quota and a limit on requests hold for all services together', async () => {
  const SIZE = 10_044;
  const FITS = 6;
  const UPLOADS = 24;
  const REQUESTS = 60;
  const cluster = await startCluster(SERVICES, {
    ...NO_SHEDDING,
    STORAGE_QUOTA_BYTES: String(SIZE * FITS),
    RATE_LIMIT_STORE: 'database',
    RATE_LIMIT_PER_MINUTE: String(REQUESTS),
  });
  const asks = cluster.services.map(({ base }) => createAsk(base));
  const uploads: Answer[] = [];
  // All at once, but no more: a count that comes late is one of the process alone.
  while (uploads.length < UPLOADS) {
    const round = asks.map((ask, place) => {
      const number = uploads.length + place;
      return ask.upload(V3, formOf('v3', `Upload ${number}`, noise(SIZE, number)));
    });
    uploads.push(...(await Promise.all(round)));
  }
  expect(countOf(uploads)).toEqual({ 201: FITS, 507: UPLOADS - FITS });
  // What was counted by one that is no more counts all the same.
  await cluster.kill(0);
  const left = REQUESTS - UPLOADS;
  const lists: Answer[] = [];
  for (let i = 0; i < left + 10; i += 1) lists.push(await askOf(asks.slice(1), i)('GET', V3));
  const { 200: taken = 0, 429: refused = 0 } = countOf(lists);
  expect(taken + refused).toBe(lists.length);
  expect(taken).toBeGreaterThanOrEqual(left);
  // Where the database was late, which this machine may be to blame for, each counts for itself for two seconds.
  const wasLate = cluster.services.some(({ output }) => output.some((line) => line.includes(COUNTS_ALONE)));
  if (!wasLate) expect(taken).toBe(left);
  report('a limit on requests', { taken, 'of which too many': taken - left, 'database was late': wasLate });
  for (const ask of asks) ask.close();
});

/** Takes turns. */
function askOf(asks: readonly Ask[], turn: number): Ask {
  const ask = asks[turn % asks.length];
  if (ask === undefined) throw new Error('nobody to ask');
  return ask;
}

function countOf(answers: readonly Answer[]) {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/**
 * Deletes through one service what all have just played, again and again; `stop` tells of each for how long another one
 * still played it after the answer, ms. Whoever is killed meanwhile is left out, and so is what they were asked.
 */
function watchDeletes(cluster: Cluster, book: Book, chance: Chance) {
  const asks = cluster.services.map(({ base }) => createAsk(base));
  const heardFor: number[] = [];
  let isStopped = false;

  async function watchOne(): Promise<void> {
    const deleting = askOf(asks, chance.whole(0, SERVICES - 1));
    const { name, answer } = await uploadOne(deleting, book, chance);
    if (answer?.status !== 201) return;
    const { data } = parse(answer.body) as { data: { url: string; media_prompt_id: number } };
    // Twice, so that each has it in its memory.
    for (let turn = 1; turn <= 2; turn += 1) {
      await Promise.all(asks.map((ask) => ask('GET', data.url).catch(() => undefined)));
    }
    book.deleting(name);
    const removed = await deleting('DELETE', `${V3}/${data.media_prompt_id}`).catch(() => undefined);
    book.deleted(name, 'there', removed);
    if (removed?.status !== 200) return;
    const since = performance.now();
    heardFor.push(Math.max(...(await Promise.all(asks.map((ask) => lastHeard(ask, data.url, since))))));
  }

  const watching = (async () => {
    while (!isStopped) await watchOne();
  })();
  return {
    async stop(): Promise<readonly number[]> {
      isStopped = true;
      await watching;
      for (const ask of asks) ask.close();
      return heardFor;
    },
  };
}

/** When the last request that was answered with the recording was sent, ms after `since`; 0 when none was. */
async function lastHeard(ask: Ask, url: string, since: number): Promise<number> {
  let last = 0;
  for (;;) {
    const sentAt = performance.now() - since;
    const answer = await ask('GET', url).catch(() => undefined);
    if (answer?.status !== 200 || sentAt > 10 * PROMISED) return last;
    last = sentAt;
  }
}
