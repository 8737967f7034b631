import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { audit } from './audit.ts';
import { createBook } from './book.ts';
import { startLoad } from './load.ts';
import { type Chance, createChance, middle, report, scaled } from './scale.ts';
import { killWhileStarting, newDataDir, startService } from './service.ts';

const KILLS = scaled(200, 6);
const CLIENTS = scaled(200, 50);
/** ms, the embedded database included; a promise, so a bound on a time. */
const READY_WITHIN = 5_000;
/** So many uploads are acknowledged at most before a kill is due: enough that some always are, few enough to be in time. */
const MOST_UPLOADS = 8;
/** Who acknowledges nothing for so long is killed all the same, ms. */
const PATIENCE = 10_000;
/** Few have the work wait for the database, many have it meet there; the last is what a service has by itself. */
const POOL_SIZES = ['2', '4', '10'] as const;

test(`${KILLS} times kill -9 under ${CLIENTS} clients lose nothing and leave nothing`, {
  timeout: KILLS * 20_000 + 60_000,
}, async () => {
  const chance = createChance('kill');
  const dataDir = await newDataDir();
  const book = createBook();
  const starts: number[] = [];
  // Made once: a first start also makes the cluster.
  await (await startService(dataDir)).end('SIGTERM');

  for (let kill = 1; kill <= KILLS; kill += 1) {
    if (chance.isOneIn(6)) await killWhileStarting(dataDir, {}, chance.whole(0, 700));
    const DATABASE_POOL_SIZE = POOL_SIZES[chance.whole(0, POOL_SIZES.length - 1)] ?? '10';
    const service = await startService(dataDir, { env: { DATABASE_POOL_SIZE } });
    starts.push(service.readyMs);
    await audit(service, book, { isSettled: kill % 20 === 0 });
    const due = createDue(chance);
    const load = startLoad(service, book, {
      clients: CLIENTS,
      chance,
      onAsked: ({ what, answer }) => {
        if (what === 'upload' && answer?.status === 201) due.oneMore();
      },
    });
    await due.reached;
    if (chance.isOneIn(2)) await service.killEverything();
    else await service.end('SIGKILL');
    await load.ended;
    await load.stop();
  }
  const service = await startService(dataDir);
  starts.push(service.readyMs);
  await audit(service, book, { isSettled: true, isWhole: true });

  const verified = spawnSync(process.execPath, ['dist/cli.js', 'verify'], {
    env: { DATA_DIR: dataDir },
    encoding: 'utf8',
  });
  expect(verified.status, verified.stderr + verified.stdout).toBe(0);
  expect(await service.end('SIGTERM')).toBe(0);

  report('kill -9', {
    kills: KILLS,
    clients: CLIENTS,
    ...book.counts,
    'ready ms, middle': middle(starts),
    'ready ms, worst': Math.max(...starts),
  });
  expect(book.counts['upload 201']).toBeGreaterThan(KILLS);
  expect(middle(starts)).toBeLessThan(READY_WITHIN);
});

/**
 * When to kill: after some uploads, whatever time they take on this machine, and at any moment of the work on the next
 * ones.
 */
function createDue(chance: Chance) {
  let left = chance.whole(0, MOST_UPLOADS);
  const { promise, resolve } = Promise.withResolvers<void>();
  if (left === 0) resolve();
  const patience = new AbortController();
  const enough = promise.finally(() => patience.abort());
  const atMost = delay(PATIENCE, undefined, { signal: patience.signal }).catch(() => undefined);
  return {
    oneMore(): void {
      left -= 1;
      if (left === 0) resolve();
    },
    reached: Promise.race([enough, atMost]).then(() => delay(chance.whole(0, 200))),
  };
}
