import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fixture, multipart, promptForm } from '../support/multipart.ts';
import { startService, type TestService, token } from '../support/service.ts';

const MB = 1024 * 1024;
const ALL_WELL = { database: 'ok', blobs: 'ok', event_loop: 'ok', database_pool: 'ok', memory: 'ok' };
const REFUSED = 'The service has more to do than it can; try again in a moment.';
const PATIENCE = { timeout: 40_000, interval: 100 };
const SLOW = { timeout: 120_000 };
/** Requests that go on while memory is past its bound. */
const FEW = 4;

async function start(env: Readonly<Record<string, string>>): Promise<TestService> {
  const service = await startService(env);
  onTestFinished(() => service.close());
  return service;
}

const form = (name: string) => multipart(promptForm(name));

/** An upload whose head is sent, and of its body what the caller sends. */
function beginUpload(service: TestService, contentType: string, length: number) {
  const upload = httpRequest(`${service.base}/v3/media-prompts`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token()}`,
      'content-type': contentType,
      'content-length': length,
    },
  });
  upload.on('error', () => undefined).flushHeaders();
  const answer = once(upload, 'response').then(([response]) => (response as IncomingMessage).resume());
  answer.catch(() => undefined);
  onTestFinished(() => void upload.destroy());
  return { upload, answer };
}

/** That the API refuses in both dialects without reading a body, and that what calls and operators need goes on. */
async function expectShedding(service: TestService, check: string, playPath: string): Promise<void> {
  const { body, contentType } = form('Refused');
  const upload = beginUpload(service, contentType, body.byteLength);
  const [v3, v1, refusedUpload, health, play, ready, figures] = await Promise.all([
    service.get('/v3/media-prompts'),
    service.get('/api/v1/media'),
    upload.answer,
    service.get('/healthz'),
    fetch(service.base + playPath),
    service.get('/readyz'),
    fetch(`${service.base}/metrics`).then((response) => response.text()),
  ]);
  expect(v3).toMatchObject({ status: 503, body: { code: 503, message: REFUSED, data: null } });
  expect(v1).toMatchObject({ status: 503, body: { status: 503, detail: REFUSED } });
  expect(v1.headers.get('content-type')).toBe('application/problem+json');
  expect(refusedUpload.statusCode).toBe(503);
  for (const { headers } of [v3, v1]) expect(headers.get('retry-after')).toBe('2');
  expect(refusedUpload.headers['retry-after']).toBe('2');
  expect(health.status).toBe(200);
  expect(play.status).toBe(200);
  expect(Buffer.from(await play.arrayBuffer())).toEqual(fixture('tone.wav'));
  expect(ready.status).toBe(503);
  expect(ready.body).toEqual({ status: 'not ready', checks: { ...ALL_WELL, [check]: 'overloaded' } });
  expect(figures).toMatch(new RegExp(`^media_prompts_load_ratio\\{check="${check}"\\} [1-9]`, 'm'));
}

async function expectRecovery(service: TestService, check: string): Promise<void> {
  await expect.poll(async () => (await service.get('/v3/media-prompts')).status, PATIENCE).toBe(200);
  await expect
    .poll(async () => (await service.get('/readyz')).body, PATIENCE)
    .toEqual({ status: 'ready', checks: ALL_WELL });
  const figures = await (await fetch(`${service.base}/metrics`)).text();
  expect(figures).toMatch(new RegExp(`^media_prompts_shed_total\\{check="${check}"\\} [1-9]`, 'm'));
  // Told of when it begins, and not with each request that is refused.
  const warnings = service.logLines.filter((line) => line.includes('"level":40'));
  const told = warnings.filter((line) => line.includes('too much load'));
  expect(told.length).toBeGreaterThan(0);
  expect(told.length).toBeLessThan(4);
  for (const line of told) expect(JSON.parse(line)).toMatchObject({ check });
  expect(warnings.filter((line) => line.includes(REFUSED))).toEqual([]);
}

describe('an event loop that is late', () => {
  function block(milliseconds: number): void {
    const end = performance.now() + milliseconds;
    while (performance.now() < end) {
      // Nothing else may run.
    }
  }

  test('once is no load: nothing is refused', async () => {
    const service = await start({ MAX_EVENT_LOOP_DELAY_MS: '1000' });
    await delay(0);
    block(1_500);
    expect((await service.get('/v3/media-prompts')).status).toBe(200);
    expect((await service.get('/readyz')).body).toEqual({ status: 'ready', checks: ALL_WELL });
  });

  test('again and again refuses the API until it is in time', SLOW, async () => {
    const service = await start({ MAX_EVENT_LOOP_DELAY_MS: '150' });
    const { body } = await service.upload(promptForm('Plays on'));
    const blocking = setInterval(() => block(400), 1);
    onTestFinished(() => clearInterval(blocking));
    await expect.poll(async () => (await service.get('/v3/media-prompts')).status, PATIENCE).toBe(503);
    await expectShedding(service, 'event_loop', body.data.url);
    clearInterval(blocking);
    await expectRecovery(service, 'event_loop');
  });
});

describe('memory past its bound', () => {
  /** Begins uploads that wait in the middle of their bodies until they are told to finish. */
  const beginHalf = (service: TestService) => (name: string) => {
    const { body, contentType } = form(name);
    const { upload, answer } = beginUpload(service, contentType, body.byteLength);
    upload.write(body.subarray(0, 2_000));
    return { answer, finish: () => upload.end(body.subarray(2_000)) };
  };

  test(
    'refuses all but a few requests until it is given back, and uploads that run go on',
    SLOW,
    async () => {
      setFlagsFromString('--expose-gc');
      const collectGarbage = runInNewContext('gc') as () => void;
      const bound = process.memoryUsage.rss() + 300 * MB;
      const service = await start({ MAX_RSS_BYTES: String(bound) });
      const played = await service.upload(promptForm('Plays on'));
      const begin = beginHalf(service);
      const before = Array.from({ length: FEW - 1 }, (_, i) => begin(`Begun before ${i}`));
      await expect.poll(async () => (await service.files()).arriving).toHaveLength(FEW - 1);

      let held: Buffer | undefined = Buffer.alloc(500 * MB, 1);
      await expect
        .poll(() => service.logLines.some((line) => line.includes('too much load')), PATIENCE)
        .toBe(true);
      // One more runs beside them, and no other beside that.
      expect((await service.get('/v3/media-prompts')).status).toBe(200);
      const last = begin('Begun last');
      await expect.poll(async () => (await service.get('/v3/media-prompts')).status, PATIENCE).toBe(503);
      await expectShedding(service, 'memory', played.body.data.url);
      for (const { finish, answer } of [...before, last]) {
        finish();
        expect((await answer).statusCode).toBe(201);
      }
      expect((await service.get('/v3/media-prompts')).status).toBe(200);
      expect(held.byteLength).toBe(500 * MB);

      held = undefined;
      await expect
        .poll(() => {
          collectGarbage();
          return process.memoryUsage.rss();
        }, PATIENCE)
        .toBeLessThan(bound);
      await expectRecovery(service, 'memory');
    },
  );

  test('keeps nobody out for as long as a few slow uploads last', SLOW, async () => {
    // Past from the first look to the last.
    const service = await start({ MAX_RSS_BYTES: String(MB) });
    await expect
      .poll(() => service.logLines.some((line) => line.includes('too much load')), PATIENCE)
      .toBe(true);
    const slow = Array.from({ length: FEW }, (_, i) => beginHalf(service)(`Slow ${i}`));
    await expect.poll(async () => (await service.files()).arriving).toHaveLength(FEW);
    const status = async () => (await service.get('/v3/media-prompts')).status;
    await expect.poll(status, PATIENCE).toBe(503);
    await expect.poll(status, PATIENCE).toBe(200);
    for (const { finish, answer } of slow) {
      finish();
      expect((await answer).statusCode).toBe(201);
    }
  });
});

describe('a database that everybody waits for', () => {
  /** Asks again and again until stopped, as clients do that want an answer; keeps what they were told. */
  function crowd(people: number, ask: () => Promise<Response>) {
    let isOver = false;
    const told = new Set<unknown>();
    const all = Array.from({ length: people }, async () => {
      while (!isOver) {
        const response = await ask();
        const body: unknown = response.ok ? undefined : await response.json();
        told.add(body === undefined ? response.status : Reflect.get(Object(body), 'message'));
        if (response.ok) await response.arrayBuffer();
        await delay(10);
      }
    });
    return {
      told,
      async goHome() {
        isOver = true;
        await Promise.all(all);
      },
    };
  }

  async function startLocked() {
    const service = await start({ DATABASE_POOL_SIZE: '1', MAX_DATABASE_QUEUE: '8' });
    const { body } = await service.upload(promptForm('Waits'));
    const locker = new pg.Client({ connectionString: service.databaseUrl });
    await locker.connect();
    onTestFinished(() => locker.end());
    await locker.query('begin');
    await locker.query('lock table prompts, recordings in access exclusive mode');
    return { service, locker, url: body.data.url, path: `/v3/media-prompts/${body.data.media_prompt_id}` };
  }

  test(
    'refuses the API while the queue is long, playback at twice its length, and neither afterwards',
    SLOW,
    async () => {
      const { service, locker, url, path } = await startLocked();
      const headers = { authorization: `Bearer ${token()}` };
      const api = crowd(10, () => fetch(service.base + path, { headers }));
      let recordings = 0;
      const play = () => {
        recordings += 1;
        return fetch(`${service.base}/uploads/call-flow-recordings/${unknownRecording(recordings)}.wav`);
      };
      const aCaller = crowd(1, play);
      await expect.poll(async () => (await service.get(path)).body.message, PATIENCE).toBe(REFUSED);
      await expect
        .poll(async () => (await service.get('/readyz')).body, PATIENCE)
        .toEqual({
          status: 'not ready',
          checks: { ...ALL_WELL, database: 'unknown', database_pool: 'overloaded' },
        });
      expect((await service.get('/healthz')).status).toBe(200);
      await aCaller.goHome();
      // It waited, and was not refused for those who wait for the API.
      expect([...aCaller.told]).not.toContain(REFUSED);

      const callers = crowd(20, play);
      await expect.poll(async () => [...callers.told], PATIENCE).toContain(REFUSED);

      await locker.query('rollback');
      await Promise.all([api.goHome(), callers.goHome()]);
      expect((await fetch(service.base + url)).status).toBe(200);
      await expectRecovery(service, 'database_pool');
    },
  );

  test('for a moment refuses nothing, however many they are', async () => {
    const service = await start({ DATABASE_POOL_SIZE: '1', MAX_DATABASE_QUEUE: '2' });
    const answers = await Promise.all(Array.from({ length: 8 }, () => service.get('/v3/media-prompts')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  });
});

const unknownRecording = (n: number) => `file-${String(n).padStart(13, '0')}-${'0'.repeat(39)}`;
