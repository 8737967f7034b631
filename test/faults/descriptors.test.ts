import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { audit } from './audit.ts';
import { createBook } from './book.ts';
import { startDatabaseServer } from './database-server.ts';
import { createAsk, faultsOfRefusal } from './http.ts';
import { startLoad, uploadOne } from './load.ts';
import { createChance, middle, report, scaled } from './scale.ts';
import { newDataDir, startService } from './service.ts';

const CLIENTS = 200;
const ROUNDS = 3;
const LOAD_MS = scaled(3_000, 2_000);
const DESCRIPTORS = 64;
const BACK_WITHIN = 2_000;
/** Refused, cut off or answered, but nobody waits for a place in vain, ms. */
const HEARD_WITHIN = 10_000;

test(`${DESCRIPTORS} descriptors under ${CLIENTS} clients: refused at worst, and soon as before`, async () => {
  const dataDir = await newDataDir();
  // Its own, since the embedded one would inherit the bound and not start.
  const database = await startDatabaseServer(join(dataDir, 'server'));
  const service = await startService(dataDir, {
    prefix: ['sh', '-c', `ulimit -n ${DESCRIPTORS} && exec "$@"`, 'sh'],
    env: { DATABASE_URL: database.url },
  });
  const book = createBook();
  const chance = createChance('descriptors');
  const faults: string[] = [];
  const backs: number[] = [];
  let slowest = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const load = startLoad(service, book, {
      clients: CLIENTS,
      chance,
      isPersistent: true,
      onAsked({ what, path, at, answer }) {
        slowest = Math.max(slowest, Math.round(performance.now() - at));
        // No answer at all is what a connection gets that there is no descriptor for.
        if (answer?.status === 503) faults.push(...faultsOfRefusal(path, answer));
        else if (answer !== undefined && answer.status >= 500) faults.push(`${what}: ${answer.status}`);
      },
    });
    await delay(LOAD_MS);
    await load.stop();
    const since = performance.now();
    const ask = createAsk(service.base);
    while ((await uploadOne(ask, book, chance)).answer?.status !== 201) await delay(20);
    backs.push(Math.round(performance.now() - since));
    expect((await ask('GET', '/readyz')).status).toBe(200);
    ask.close();
  }
  report(`${DESCRIPTORS} descriptors`, { ...book.counts, 'slowest ms': slowest, 'back ms': backs.join(' ') });
  expect([...new Set(faults)]).toEqual([]);
  expect(slowest).toBeLessThan(HEARD_WITHIN);
  expect(middle(backs)).toBeLessThan(BACK_WITHIN);
  await audit(service, book, { isSettled: true });
  expect(await service.end('SIGTERM')).toBe(0);
});
