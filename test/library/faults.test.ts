import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { inDatabase } from '../support/database-server.ts';
import { createFaultyBlobs, newFolder } from '../support/faulty-blobs.ts';
import { file, fixture, promptForm, text } from '../support/multipart.ts';
import { createDatabase, startService, type TestService } from '../support/service.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

/** Long enough for the service's own sweeps to take nothing while a test looks. */
const LONG_LEASE = { UPLOAD_LEASE_SECONDS: '3600' };
const ALL_WELL = { database: 'ok', blobs: 'ok', event_loop: 'ok', database_pool: 'ok', memory: 'ok' };
const NOTHING = { published: [], arriving: [] };
const NO_ROWS = { prompts: 0, recordings: 0, blobs: 0 };

const rowsOf = async ({ rows }: TestService) =>
  (
    await rows<typeof NO_ROWS>(
      `select (select count(*)::int from prompts) as prompts,
        (select count(*)::int from recordings) as recordings, (select count(*)::int from blobs) as blobs`,
    )
  )[0];

async function expectNothing(service: TestService): Promise<void> {
  expect(await service.files()).toEqual(NOTHING);
  // Names that were announced ahead and not needed go a moment later.
  await expect.poll(() => rowsOf(service), { timeout: 10_000 }).toEqual(NO_ROWS);
}

async function expireLeases(service: TestService): Promise<void> {
  await service.rows("update blobs set lease_until = now() - interval '1 second' where state <> 'kept'");
}

/** What every answer to a fault has: the envelope, a reason without our insides, and when to come again. */
function expectFault(answer: Awaited<ReturnType<TestService['call']>>, status: 503 | 507): void {
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  expect(Object.keys(answer.body)).toEqual(['code', 'message', 'data', 'request_id', 'timestamp']);
  expect(answer.body).toMatchObject({ code: status, data: null });
  expect(answer.body.message).not.toMatch(/\/|select|insert|update |delete |ECONN|ENO|postgres/i);
  expect(answer.headers.get('retry-after')).toEqual(status === 503 ? '2' : null);
}

async function startWithFaultyBlobs() {
  const { faults, ...store } = await createFaultyBlobs();
  const service = await startService(LONG_LEASE, store);
  onTestFinished(() => service.close());
  return { service, faults };
}

describe('a blob store', () => {
  test('that is full refuses an upload with 507 and keeps nothing of it', async () => {
    const { service, faults } = await startWithFaultyBlobs();
    faults.set('stage', 'full');
    expectFault(await service.upload(promptForm('Full')), 507);
    await expectNothing(service);
    faults.clear();
    expect((await service.upload(promptForm('Full'))).status).toBe(201);
  });

  for (const verb of ['stage', 'publish'] as const) {
    test(`that is away at the ${verb} refuses an upload with 503 and keeps nothing of it`, async () => {
      const { service, faults } = await startWithFaultyBlobs();
      faults.set(verb, 'unavailable');
      expectFault(await service.upload(promptForm('Away')), 503);
      await expectNothing(service);
      faults.clear();
      expect((await service.upload(promptForm('Away'))).status).toBe(201);
    });
  }

  test('that is full at the publish refuses an upload with 507 and keeps nothing of it', async () => {
    const { service, faults } = await startWithFaultyBlobs();
    faults.set('publish', 'full');
    expectFault(await service.upload(promptForm('Full')), 507);
    await expectNothing(service);
  });

  test('that cannot even clean up leaves a refused upload to the sweeper', async () => {
    const { service, faults } = await startWithFaultyBlobs();
    for (const verb of ['publish', 'unstage', 'remove'] as const) faults.set(verb, 'unavailable');
    expectFault(await service.upload(promptForm('Left behind')), 503);
    expect(await rowsOf(service)).toEqual({ prompts: 0, recordings: 0, blobs: 1 });
    expect((await service.files()).arriving).toHaveLength(1);
    faults.clear();
    await expireLeases(service);
    await service.library.sweep();
    await expectNothing(service);
  });

  test('that keeps deleted bytes for now does not keep the prompt, and loses them with the sweep', async () => {
    const { service, faults } = await startWithFaultyBlobs();
    const { body } = await service.upload(promptForm('Deleted'));
    const path = `/v3/media-prompts/${body.data.media_prompt_id}`;
    faults.set('remove', 'unavailable');
    const deleted = await service.call('DELETE', path);
    expect(deleted.status).toBe(200);
    expect((await service.get(body.data.url)).status).toBe(404);
    expect((await service.get(path)).status).toBe(404);
    expect((await service.call('DELETE', path)).status).toBe(404);
    expect((await service.files()).published).toHaveLength(1);
    expect((await service.upload(promptForm('Deleted', {}, 'tone.mp3'))).status).toBe(201);
    faults.clear();
    await expireLeases(service);
    await service.library.sweep();
    expect((await service.files()).published).toEqual([expect.stringMatching(/\.mp3$/)]);
    expect(await rowsOf(service)).toEqual({ prompts: 1, recordings: 1, blobs: 1 });
  });

  test('that is away cannot play, and is named by /readyz', async () => {
    const { service, faults } = await startWithFaultyBlobs();
    const { body } = await service.upload(promptForm('Plays'));
    faults.set('open', 'unavailable');
    faults.set('check', 'unavailable');
    expectFault(await service.get(body.data.url), 503);
    const ready = await service.get('/readyz');
    expect(ready.status).toBe(503);
    expect(ready.body).toEqual({ status: 'not ready', checks: { ...ALL_WELL, blobs: 'unavailable' } });
    faults.clear();
    expect((await fetch(service.base + body.data.url)).status).toBe(200);
  });

  test('that lost the bytes of a prompt is a fault of ours, not a 404', async () => {
    const { service } = await startWithFaultyBlobs();
    const { body } = await service.upload(promptForm('Lost'));
    await rm(join(service.dataDir, body.data.url.replace('/uploads', 'uploads')));
    const answer = await service.get(body.data.url);
    expect(answer.status).toBe(500);
    expect(answer.body).toMatchObject({ code: 500, data: null });
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });
});

describe.skipIf(!canMount())('a real disk', () => {
  test('that gets full in the middle of an upload answers 507 and has its room back', async () => {
    const dataDir = await newFolder();
    const uploads = join(dataDir, 'uploads');
    await mkdir(uploads);
    mountSmall(uploads);
    onTestFinished(() => void execFileSync('umount', ['--lazy', uploads]));
    const service = await startService(LONG_LEASE, { dataDir });
    onTestFinished(() => service.close({ data: true }));
    const tooMuch = Buffer.concat([fixture('tone.wav'), Buffer.alloc(8 * 1024 * 1024)]);
    const form = [file(tooMuch), text('name', 'Too much'), text('message_type', 'prompt')];
    expectFault(await service.upload(form), 507);
    await expectNothing(service);
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        service.upload([...form.slice(0, 1), text('name', `Too much ${i}`)]),
      ),
    );
    for (const answer of answers) expectFault(answer, 507);
    await expectNothing(service);
    expect((await service.upload(promptForm('Fits'))).status).toBe(201);
  });
});

interface Network {
  readonly service: TestService;
  readonly proxy: TcpProxy;
}

/** A service that reaches its database by a network that can fail. */
async function startBehindProxy(): Promise<Network> {
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const proxy = await startTcpProxy(database.url);
  onTestFinished(() => proxy.close());
  const service = await startService(LONG_LEASE, { dataDir: await newFolder(), databaseUrl: proxy.url });
  onTestFinished(() => service.close({ data: true }));
  return { service, proxy };
}

/** Each verb of the API, with a prompt that is there. */
async function askEverything(service: TestService, id: number, url: string) {
  return {
    list: await service.get('/v3/media-prompts'),
    get: await service.get(`/v3/media-prompts/${id}`),
    upload: await service.upload(promptForm('While it is away')),
    delete: await service.call('DELETE', `/v3/media-prompts/${id}`),
    play: await service.get(url),
  };
}

async function expectAway(service: TestService, prompt: { media_prompt_id: number; url: string }) {
  const answers = await askEverything(service, prompt.media_prompt_id, prompt.url);
  for (const answer of Object.values(answers)) expectFault(answer, 503);
  const ready = await service.get('/readyz');
  expect(ready.status).toBe(503);
  expect(ready.headers.get('retry-after')).toBe('2');
  expect(ready.body).toEqual({ status: 'not ready', checks: { ...ALL_WELL, database: 'unavailable' } });
  expect((await service.get('/healthz')).status).toBe(200);
}

async function expectBack(service: TestService, prompt: { media_prompt_id: number; url: string }) {
  await expect.poll(async () => (await service.get('/readyz')).status, { timeout: 20_000 }).toBe(200);
  expect((await fetch(service.base + prompt.url)).status).toBe(200);
  expect((await service.get(`/v3/media-prompts/${prompt.media_prompt_id}`)).status).toBe(200);
  expect((await service.upload(promptForm('When it is back'))).status).toBe(201);
  expect(await rowsOf(service)).toEqual({ prompts: 2, recordings: 2, blobs: 2 });
  expect(await service.files()).toMatchObject({
    arriving: [],
    published: [expect.any(String), expect.any(String)],
  });
}

describe('a database', () => {
  test('that cannot be reached is a 503 everywhere, and found again without a restart', async () => {
    const { service, proxy } = await startBehindProxy();
    const { body } = await service.upload(promptForm('Before'));
    proxy.cut();
    await expectAway(service, body.data);
    proxy.restore();
    await expectBack(service, body.data);
  });

  test('that ends our sessions and takes no new ones is a 503 everywhere, and found again', async () => {
    const service = await startService(LONG_LEASE);
    onTestFinished(() => service.close());
    const { body } = await service.upload(promptForm('Before'));
    const name = new URL(service.databaseUrl).pathname.slice(1);
    const inServer = (statement: string, values: unknown[] = []) =>
      inDatabase(inject('databaseServer'), 'postgres', (client) => client.query(statement, values));
    await inServer(`alter database ${name} allow_connections false`);
    await inServer('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
    await expectAway(service, body.data);
    await inServer(`alter database ${name} allow_connections true`);
    await expectBack(service, body.data);
  });

  test('that ends our idle sessions is not noticed by anybody', async () => {
    // A pooler's sessions would not be ours.
    const { directUrl, drop } = await createDatabase();
    const service = await startService(LONG_LEASE, { databaseUrl: directUrl });
    onTestFinished(async () => {
      await service.close();
      await drop();
    });
    await Promise.all(Array.from({ length: 10 }, () => service.get('/v3/media-prompts')));
    const name = new URL(service.databaseUrl).pathname.slice(1);
    await inDatabase(inject('databaseServer'), 'postgres', (client) =>
      client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]),
    );
    await expect
      .poll(() => service.logLines.filter((line) => line.includes('idle database connection')).length)
      .toBeGreaterThan(0);
    await expect.poll(async () => (await service.get('/v3/media-prompts')).status).toBe(200);
    expect((await service.upload(promptForm('After'))).status).toBe(201);
  });

  test('that is frozen is a 503 within seconds, and found again', { timeout: 60_000 }, async () => {
    const { service, proxy } = await startBehindProxy();
    const { body } = await service.upload(promptForm('Before'));
    proxy.freeze();
    const since = performance.now();
    const id = body.data.media_prompt_id;
    const answers = await Promise.all([
      service.get('/v3/media-prompts'),
      service.get(`/v3/media-prompts/${id}`),
      service.upload(promptForm('While it is away')),
      service.get(body.data.url),
      service.get('/readyz'),
    ]);
    expect(performance.now() - since).toBeLessThan(20_000);
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503]);
    for (const answer of answers.slice(0, 4)) expectFault(answer, 503);
    proxy.restore();
    // What was frozen on its way arrives now: the row of the upload that was given up, and no prompt.
    await expect.poll(async () => (await service.get('/readyz')).status, { timeout: 20_000 }).toBe(200);
    expect((await service.upload(promptForm('When it is back'))).status).toBe(201);
    await expireLeases(service);
    await service.library.sweep();
    expect(await rowsOf(service)).toEqual({ prompts: 2, recordings: 2, blobs: 2 });
    expect((await service.files()).arriving).toEqual([]);
  });

  test('that goes away while a file arrives keeps no prompt, and its bytes go with the sweep', async () => {
    const { service, proxy } = await startBehindProxy();
    const arriving = Promise.withResolvers<void>();
    const audio = fixture('tone.wav');
    const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n';
    const rest = ['name"\r\n\r\nCut', 'message_type"\r\n\r\nprompt'].map(
      (field) => `\r\n--b\r\nContent-Disposition: form-data; name="${field}`,
    );
    async function* body() {
      yield Buffer.from(head);
      yield audio.subarray(0, 1000);
      await arriving.promise;
      yield audio.subarray(1000);
      yield Buffer.from(`${rest.join('')}\r\n--b--\r\n`);
    }
    const answering = service.call('POST', '/v3/media-prompts', {
      body: ReadableStream.from(body()),
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
    });
    await expect.poll(async () => (await service.files()).arriving.length).toBe(1);
    proxy.cut();
    arriving.resolve();
    expectFault(await answering, 503);
    proxy.restore();
    await expireLeases(service);
    await service.library.sweep();
    await expectNothing(service);
  });
});

describe('a commit whose answer is lost', () => {
  const INSERT = 'insert into "prompts"';

  async function uploadInto(loss: Parameters<TcpProxy['lose']>[1]) {
    const network = await startBehindProxy();
    const lost = network.proxy.lose(INSERT, loss);
    const answer = await network.service.upload(promptForm('Unknown'));
    await lost;
    network.proxy.restore();
    expectFault(answer, 503);
    // Nobody knows yet, so nothing was taken away.
    const { published } = await network.service.files();
    expect(published).toHaveLength(1);
    return network.service;
  }

  test('because it never arrived leaves nothing once the lease has run out', async () => {
    const service = await uploadInto('query-cut');
    expect(await rowsOf(service)).toEqual({ prompts: 0, recordings: 0, blobs: 1 });
    await service.library.sweep();
    expect((await service.files()).published).toHaveLength(1);
    await expireLeases(service);
    await service.library.sweep();
    await expectNothing(service);
    expect((await service.upload(promptForm('Unknown'))).status).toBe(201);
  });

  for (const loss of ['answer-cut', 'answer-frozen'] as const) {
    test(`though it happened is a whole prompt (${loss})`, { timeout: 60_000 }, async () => {
      const service = await uploadInto(loss);
      await expireLeases(service);
      await service.library.sweep();
      const { body } = await service.get<{ media_prompts: { url: string; sha256: string }[] }>(
        '/v3/media-prompts',
      );
      const [prompt, ...others] = body.data.media_prompts;
      expect(others).toEqual([]);
      expect(prompt).toMatchObject({ filename: 'Unknown' });
      const played = await fetch(service.base + prompt?.url);
      expect(Buffer.from(await played.arrayBuffer()).equals(fixture('tone.wav'))).toBe(true);
      expect(await rowsOf(service)).toEqual({ prompts: 1, recordings: 1, blobs: 1 });
      const again = await service.upload(promptForm('Unknown'));
      expect(again.body.errors).toMatchObject([{ field: 'name', code: 'name_taken' }]);
    });
  }
});

describe('a delete whose answer is lost', () => {
  const DELETE = 'delete from "prompts"';

  async function deleteInto(loss: Parameters<TcpProxy['lose']>[1]) {
    const { service, proxy } = await startBehindProxy();
    const { body } = await service.upload(promptForm('Unknown'));
    const lost = proxy.lose(DELETE, loss);
    const answer = await service.call('DELETE', `/v3/media-prompts/${body.data.media_prompt_id}`);
    await lost;
    expectFault(answer, 503);
    await expireLeases(service);
    await service.library.sweep();
    return { service, url: body.data.url };
  }

  test('because it never arrived leaves the prompt whole', async () => {
    const { service, url } = await deleteInto('query-cut');
    const played = await fetch(service.base + url);
    expect(Buffer.from(await played.arrayBuffer()).equals(fixture('tone.wav'))).toBe(true);
  });

  test('though it happened leaves nothing once the sweeper was there', async () => {
    const { service, url } = await deleteInto('answer-cut');
    expect((await service.get(url)).status).toBe(404);
    await expectNothing(service);
  });
});

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'media-prompts-mount-'));
  try {
    const inner = join(folder, 'inner');
    mkdirSync(inner);
    mountSmall(inner);
    execFileSync('umount', [inner], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function mountSmall(folder: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder], { stdio: 'ignore' });
}
