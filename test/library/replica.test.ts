import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test as base, describe, expect, onTestFinished } from 'vitest';
import type { Database } from '../../src/catalogue/database.ts';
import { shareCatalogue } from '../../src/catalogue/open-catalogue.ts';
import { openReader } from '../../src/catalogue/open-reader.ts';
import type { ReplicaState } from '../../src/catalogue/reader.ts';
import { createLog } from '../../src/log.ts';
import { inDatabase } from '../support/database-server.ts';
import { audio, callV1, changeMedia, MEDIA, uploadMedia } from '../support/media.ts';
import { promptForm } from '../support/multipart.ts';
import { figure } from '../support/raw-upload.ts';
import { canReplicate, createReplicated, type Replicated, startReplicated } from '../support/replicated.ts';
import { startService, type TestService, token } from '../support/service.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const LIST = '/v3/media-prompts';
const PATIENCE = { timeout: 20_000 };
/** So long that a test decides when a replica is behind, and no clock. */
const NEVER_BEHIND = 600_000;
/** More writers at once than are remembered. */
const CROWD = 20_001;

const test = base.extend<{ pair: Replicated }>({
  pair: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const pair = await startReplicated();
      await use(pair);
      await pair.stop();
    },
    { scope: 'file' },
  ],
});

const writer = { token: token({ userId: 1 }) };
const other = { token: token({ userId: 2 }) };

interface Setting {
  readonly maxLagMs?: number;
  /** By way of which the replica is reached. */
  readonly through?: (url: string) => Promise<string>;
}

async function start(pair: Replicated, { maxLagMs = NEVER_BEHIND, through }: Setting = {}) {
  const { primary, replica } = await createReplicated(pair, `replica_${randomUUID().replaceAll('-', '')}`);
  const url = through === undefined ? replica : await through(replica);
  const service = await startService({}, { databaseUrl: primary, replica: { url, maxLagMs } });
  onTestFinished(() => service.close());
  return service;
}

const getMedia = (service: TestService, id: string, options: { readonly token: string }) =>
  callV1(service, 'GET', `${MEDIA}/${id}`, options);

const untilIt = (service: TestService, state: ReplicaState) =>
  expect.poll(() => service.library.replica()?.state, PATIENCE).toBe(state);

/** Replays nothing from here on until the test ends. */
async function pause(pair: Replicated): Promise<void> {
  await pair.pause();
  onTestFinished(() => pair.resume());
}

async function totalOf(service: TestService, options: { readonly token: string }): Promise<number> {
  const { status, body } = await service.get<{ total: number }>(LIST, options);
  expect(status).toBe(200);
  return body.data.total;
}

/** Where the answers came from that `work` had. */
async function readsOf(service: TestService, work: () => Promise<unknown>) {
  const before = service.library.replica();
  await work();
  const after = service.library.replica();
  return {
    fromReplica: (after?.fromReplica ?? 0) - (before?.fromReplica ?? 0),
    fromPrimary: (after?.fromPrimary ?? 0) - (before?.fromPrimary ?? 0),
  };
}

describe.skipIf(!canReplicate)('a replica', () => {
  test('shows what others wrote when it has it, and who wrote finds it at once', async ({ pair }) => {
    const service = await start(pair);
    const { body: first } = await service.upload(promptForm('First'), writer);
    await untilIt(service, 'used');
    await expect.poll(() => totalOf(service, other), PATIENCE).toBe(1);
    await pause(pair);
    const { body } = await service.upload(promptForm('Second'), writer);
    const path = `${LIST}/${body.data.media_prompt_id}`;
    const reads = await readsOf(service, async () => {
      expect(await totalOf(service, writer)).toBe(2);
      expect((await service.get(path, writer)).status).toBe(200);
      expect(await totalOf(service, other)).toBe(1);
      expect((await service.get(`${LIST}/${first.data.media_prompt_id}`, other)).status).toBe(200);
      // What is not found there may still be here.
      expect((await service.get(path, other)).status).toBe(200);
    });
    expect(reads).toEqual({ fromReplica: 2, fromPrimary: 3 });
    await pair.resume();
    await expect.poll(() => totalOf(service, other), PATIENCE).toBe(2);
    await expect
      .poll(() => readsOf(service, () => totalOf(service, writer)), PATIENCE)
      .toEqual({ fromReplica: 1, fromPrimary: 0 });
  });

  test('is not asked by who changed or removed something, through either dialect', async ({ pair }) => {
    const service = await start(pair);
    const { body: media } = await uploadMedia(service, [audio()], writer);
    const { body: prompt } = await service.upload(promptForm('Gone soon'), writer);
    await untilIt(service, 'used');
    await expect.poll(() => totalOf(service, other), PATIENCE).toBe(2);
    await pause(pair);
    expect((await changeMedia(service, media.id, { description: 'New' }, writer)).status).toBe(200);
    expect((await getMedia(service, media.id, writer)).body).toMatchObject({ description: 'New' });
    expect((await getMedia(service, media.id, other)).body).toMatchObject({ description: null });
    const path = `${LIST}/${prompt.data.media_prompt_id}`;
    expect((await service.call('DELETE', path, writer)).status).toBe(200);
    expect((await service.get(path, writer)).status).toBe(404);
    expect(await totalOf(service, writer)).toBe(1);
    expect(await totalOf(service, other)).toBe(2);
  });

  test('does not keep alive what was deleted: what plays is asked of the primary', async ({ pair }) => {
    const service = await start(pair);
    const { body: media } = await uploadMedia(service, [audio()], writer);
    await untilIt(service, 'used');
    await expect.poll(() => totalOf(service, other), PATIENCE).toBe(1);
    const content = `${MEDIA}/${media.id}/content`;
    const headers = { authorization: `Bearer ${other.token}` };
    expect((await fetch(service.base + content, { headers })).status).toBe(200);
    await pause(pair);
    const file = join(service.dataDir, 'uploads/call-flow-recordings', media.fileName);
    const bytes = await readFile(file);
    expect((await service.call('DELETE', `${MEDIA}/${media.id}`, writer)).status).toBe(204);
    // As where the bytes go later than the row.
    await writeFile(file, bytes);
    expect((await getMedia(service, media.id, other)).status).toBe(200);
    expect((await fetch(service.base + content, { headers })).status).toBe(404);
    const played = await fetch(`${service.base}/uploads/call-flow-recordings/${media.fileName}`);
    expect(played.status).toBe(404);
  });

  test('that is behind is not read: a delete takes effect for everybody within a second', async ({
    pair,
  }) => {
    const service = await start(pair, { maxLagMs: 500 });
    const { body } = await service.upload(promptForm('Deleted'), writer);
    await untilIt(service, 'used');
    await expect.poll(() => totalOf(service, other), PATIENCE).toBe(1);
    await pause(pair);
    await service.call('DELETE', `${LIST}/${body.data.media_prompt_id}`, writer);
    const since = performance.now();
    let seenAt = since;
    for (let total = 1; total > 0; ) {
      const askedAt = performance.now();
      total = await totalOf(service, other);
      if (total > 0) seenAt = askedAt;
      expect(askedAt - since).toBeLessThan(10_000);
    }
    expect(seenAt - since).toBeLessThan(1_000);
    await untilIt(service, 'behind');
    const { status, body: ready } = await service.get('/readyz');
    expect({ status, ready }).toMatchObject({ status: 200, ready: { checks: { replica: 'behind' } } });
    expect(await figure(service, 'media_prompts_replica_used')).toBe(0);
    expect(await figure(service, 'media_prompts_replica_lag_seconds')).toBeGreaterThan(0.5);
    await pair.resume();
    await untilIt(service, 'used');
    expect(await figure(service, 'media_prompts_replica_used')).toBe(1);
  });

  test('that is killed is missed by nobody, and read again when it is back', async ({ pair }) => {
    const service = await start(pair);
    await service.upload(promptForm('Always there'), writer);
    await untilIt(service, 'used');
    await expect.poll(() => totalOf(service, other), PATIENCE).toBe(1);
    let isOver = false;
    const asking = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (!isOver) expect(await totalOf(service, other)).toBe(1);
      }),
    );
    await pair.killReplica();
    await untilIt(service, 'away');
    expect(await totalOf(service, other)).toBe(1);
    expect((await service.get('/readyz')).body).toMatchObject({
      status: 'ready',
      checks: { replica: 'away' },
    });
    await pair.startReplica();
    await untilIt(service, 'used');
    isOver = true;
    await asking;
    expect(await readsOf(service, () => totalOf(service, other))).toEqual({ fromReplica: 1, fromPrimary: 0 });
    const said = service.logLines.filter((line) =>
      /the replica is not read|read from the replica/.test(line),
    );
    expect(said.length).toBeGreaterThanOrEqual(3);
  });

  test('that hangs is waited for once, and not by who comes after', async ({ pair }) => {
    const { promise, resolve: keep } = Promise.withResolvers<Awaited<ReturnType<typeof startTcpProxy>>>();
    const service = await start(pair, {
      maxLagMs: 500,
      through: async (url) => {
        const proxy = await startTcpProxy(url);
        onTestFinished(() => proxy.close());
        keep(proxy);
        return proxy.url;
      },
    });
    const proxy = await promise;
    await untilIt(service, 'used');
    proxy.freeze();
    const since = performance.now();
    expect(await totalOf(service, other)).toBe(0);
    expect(performance.now() - since).toBeLessThan(10_000);
    await untilIt(service, 'away');
    expect(await readsOf(service, () => totalOf(service, other))).toEqual({ fromReplica: 0, fromPrimary: 1 });
    proxy.restore();
    await untilIt(service, 'used');
  });

  test('that was made a primary itself is not read', async () => {
    const pair = await startReplicated();
    onTestFinished(() => pair.stop());
    const service = await start(pair);
    await untilIt(service, 'used');
    await inDatabase(pair.replica, 'postgres', (client) => client.query('select pg_promote()'));
    await untilIt(service, 'away');
    expect(await readsOf(service, () => totalOf(service, other))).toEqual({ fromReplica: 0, fromPrimary: 1 });
  });

  test('that is none is not read', async ({ pair }) => {
    const service = await start(pair, { through: async (url) => url.replace(':5433', ':5432') });
    await service.upload(promptForm('Here'), writer);
    await expect
      .poll(() => service.logLines.some((line) => line.includes('the replica is not read')))
      .toBe(true);
    expect(await readsOf(service, () => totalOf(service, other))).toEqual({ fromReplica: 0, fromPrimary: 1 });
    expect(service.library.replica()?.state).toBe('away');
  });

  test('is read by nobody while more have written than can be remembered', async ({ pair }) => {
    const { primary, replica } = await createReplicated(pair, 'many_writers');
    const log = createLog('silent', { write: () => undefined });
    const catalogue = shareCatalogue({ address: { connectionString: primary }, poolSize: 1, log });
    const reader = openReader({
      catalogue,
      replica: { connectionString: replica },
      poolSize: 1,
      keepsPlans: false,
      maxLagMs: NEVER_BEHIND,
      tellOthers: undefined,
      onIdleError: () => undefined,
      onChange: () => undefined,
    });
    onTestFinished(async () => {
      await reader.close();
      await catalogue.close();
    });
    const placeOf = async (name: string | undefined) =>
      await reader.read(name, async (from: Database) => (from === catalogue.db ? 'primary' : 'replica'));
    await expect.poll(() => reader.figures()?.state, PATIENCE).toBe('used');
    await pause(pair);
    reader.heard('1');
    expect([await placeOf('1'), await placeOf('none'), await placeOf(undefined)]).toEqual([
      'primary',
      'replica',
      'replica',
    ]);
    for (let name = 1; name <= CROWD; name += 1) reader.heard(String(name));
    expect([await placeOf('1'), await placeOf('none'), await placeOf(undefined)]).toEqual([
      'primary',
      'primary',
      'primary',
    ]);
    await pair.resume();
    await expect.poll(() => placeOf('1'), PATIENCE).toBe('replica');
  });
});
