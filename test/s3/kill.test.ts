import { describe, expect, onTestFinished, test } from 'vitest';
import { createAsk, formOf, V3 } from '../faults/http.ts';
import { newDataDir, runUntilKilled, type Service, startService } from '../faults/service.ts';
import { inDatabase } from '../support/database-server.ts';
import { createDatabase } from '../support/service.ts';
import { noise } from '../support/wav.ts';
import { audioBelow, CREDENTIALS, newPrefix, settingsFor } from './bucket.ts';

const LONG = noise(700_000, 1);

async function upload(service: Service): Promise<void> {
  const ask = createAsk(service.base);
  await ask.upload(V3, formOf('v3', 'Killed', LONG)).finally(ask.close);
}

async function newSetting() {
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const prefix = newPrefix();
  const env = {
    ...settingsFor(prefix),
    ...CREDENTIALS,
    UPLOAD_LEASE_SECONDS: '2',
    DATABASE_URL: database.url,
  };
  const states = () =>
    inDatabase(database.url, new URL(database.url).pathname.slice(1), async (client) => {
      const { rows } = await client.query<{ state: string }>('select state from blobs order by state');
      return rows.map(({ state }) => state);
    });
  return { dataDir: await newDataDir(), env, prefix, states };
}

const steps = [
  { step: 'block-written', kept: 0 },
  { step: 'inspected', kept: 0 },
  { step: 'published', kept: 0 },
  { step: 'committing', kept: 0 },
  { step: 'committed', kept: 1 },
] as const;

describe('a kill -9 at a step of an upload to a bucket', () => {
  test.each(steps)('$step: $kept objects are left once the lease is over', async ({ step, kept }) => {
    const { dataDir, env, prefix, states } = await newSetting();
    await runUntilKilled(dataDir, { env, killAtStep: step }, upload);
    const service = await startService(dataDir, { env });
    await expect
      .poll(async () => ({ objects: (await audioBelow(prefix)).length, states: await states() }), {
        timeout: 30_000,
        interval: 200,
      })
      .toEqual({ objects: kept, states: Array.from({ length: kept }, () => 'kept') });
    expect(await service.end('SIGTERM')).toBe(0);
  });
});

test('a kill -9 in the middle of a delete, and of the sweep after it, leaves nothing', async () => {
  const { dataDir, env, prefix, states } = await newSetting();
  await runUntilKilled(dataDir, { env, killAtStep: 'delete-committed' }, async (service) => {
    await upload(service);
    const ask = createAsk(service.base);
    await ask('DELETE', `${V3}/1`).finally(ask.close);
  });
  expect(await audioBelow(prefix)).toHaveLength(1);
  await runUntilKilled(dataDir, { env, killAtStep: 'bytes-removed' }, (service) => service.exit);
  const service = await startService(dataDir, { env });
  await expect.poll(states, { timeout: 30_000, interval: 200 }).toEqual([]);
  expect(await audioBelow(prefix)).toEqual([]);
  expect(await service.end('SIGTERM')).toBe(0);
});

test('several workers share the bucket and the spool, and end as they should', async () => {
  const { dataDir, env, prefix } = await newSetting();
  const service = await startService(dataDir, { env: { ...env, WORKERS: '4' } });
  const ask = createAsk(service.base);
  for (let i = 0; i < 6; i += 1) {
    expect((await ask.upload(V3, formOf('v3', `Prompt ${i}`, LONG))).status).toBe(201);
  }
  ask.close();
  expect(await audioBelow(prefix)).toHaveLength(6);
  expect(await service.end('SIGTERM')).toBe(0);
});
