import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { multipart, promptForm } from '../support/multipart.ts';
import { jsonOf, openConnection, openUpload, statusOf, uploadsOf } from '../support/raw-upload.ts';
import { startService, type TestService, token } from '../support/service.ts';

const PATIENCE = { timeout: 20_000 };

async function serviceWith(env: Readonly<Record<string, string>>): Promise<TestService> {
  // An upload that is held back by a test is slow, and must not give way.
  const service = await startService({ UPLOAD_LEASE_SECONDS: '60', SLOW_UPLOADS_AT_ONCE: '0', ...env });
  onTestFinished(() => service.close());
  return service;
}

const settled = (service: TestService, running: number, waiting: number) =>
  expect.poll(() => uploadsOf(service), PATIENCE).toEqual({ running, slow: 0, waiting });

/** An upload that has its place and keeps it, since its last byte is held back. */
async function occupy(service: TestService, name: string, bearer?: string) {
  const before = await uploadsOf(service);
  const upload = await openUpload(service, name, bearer === undefined ? {} : { token: bearer });
  upload.socket.write(upload.body.subarray(0, -1));
  await settled(service, before.running + 1, before.waiting);
  return { ...upload, finish: () => void upload.socket.write(upload.body.subarray(-1)) };
}

/** One that has sent all it has, and waits. */
async function queueUp(service: TestService, name: string, bearer?: string, path?: string) {
  const before = await uploadsOf(service);
  const upload = await openUpload(service, name, {
    ...(bearer !== undefined && { token: bearer }),
    ...(path !== undefined && { path }),
  });
  upload.socket.write(upload.body);
  await settled(service, before.running, before.waiting + 1);
  return upload;
}

describe('an upload beyond the bound', () => {
  test('waits for its turn, and is answered like any other', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1' });
    const first = await occupy(service, 'Runs');
    const second = await queueUp(service, 'Waits');
    first.finish();
    expect(statusOf(await first.answer)).toBe(201);
    expect(statusOf(await second.answer)).toBe(201);
    await settled(service, 0, 0);
  });

  test('leaves a connection that is kept alive able to go on', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1' });
    const first = await occupy(service, 'Runs');
    const { body, contentType } = multipart(promptForm('Waits', {}, 'whisper.ogg'));
    const socket = await openConnection(service);
    let said = '';
    socket.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    const head = (line: string, ...headers: readonly string[]) =>
      [`${line} HTTP/1.1`, 'Host: a', `Authorization: Bearer ${token()}`, ...headers, '', ''].join('\r\n');
    // In one piece, so that all of it is there before its turn comes.
    const length = `Content-Length: ${body.byteLength}`;
    socket.write(
      Buffer.concat([
        Buffer.from(head('POST /v3/media-prompts', `Content-Type: ${contentType}`, length)),
        body,
      ]),
    );
    await settled(service, 1, 1);
    first.finish();
    await expect.poll(() => said, PATIENCE).toMatch(/^HTTP\/1\.1 201 /);
    said = '';
    socket.write(head('GET /v3/media-prompts'));
    await expect.poll(() => said, PATIENCE).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('is not read while it waits, however much it has', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1' });
    const first = await occupy(service, 'Runs');
    const accepting = once(service.service.app.server, 'connection') as Promise<[Socket]>;
    const second = await openUpload(service, 'Large', { padding: 40_000_000 });
    const [accepted] = await accepting;
    await settled(service, 1, 1);
    const before = accepted.bytesRead;
    second.socket.write(second.body);
    // Whoever reads at all would have begun long before these are answered.
    for (let i = 0; i < 20; i += 1) await settled(service, 1, 1);
    expect(accepted.bytesRead).toBe(before);
    expect((await service.files()).arriving).toHaveLength(1);
    first.finish();
    expect(statusOf(await second.answer)).toBe(201);
  });

  test('that waited too long for the process is a 503 with Retry-After', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1', UPLOAD_QUEUE_SECONDS: '1' });
    const first = await occupy(service, 'Runs');
    const answer = await (await queueUp(service, 'Waits too long')).answer;
    expect(statusOf(answer)).toBe(503);
    expect(answer).toMatch(/^retry-after: [1-9]/im);
    expect(jsonOf(answer)).toMatchObject({ code: 503, data: null });
    first.finish();
    expect(statusOf(await first.answer)).toBe(201);
  });

  test('that waited too long for its own token is a 429, in the shape of its dialect', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE_PER_TOKEN: '1', UPLOAD_QUEUE_SECONDS: '1' });
    const mine = token({ userId: 1 });
    const first = await occupy(service, 'Mine', mine);
    const v1 = await queueUp(service, 'Mine too', mine, '/api/v1/media');
    const others = await service.upload(promptForm('Of another'), { token: token({ userId: 2 }) });
    expect(others.status).toBe(201);
    const answer = await v1.answer;
    expect(statusOf(answer)).toBe(429);
    expect(answer).toMatch(/^retry-after: [1-9]/im);
    expect(answer).toMatch(/^content-type: application\/problem\+json/im);
    expect(jsonOf(answer)).toMatchObject({ status: 429, instance: '/api/v1/media' });
    first.finish();
    await first.answer;
  });

  test('is a 503 at once when no more may wait', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1', MAX_WAITING_UPLOADS: '0' });
    const first = await occupy(service, 'Runs');
    const second = await openUpload(service, 'No room to wait');
    expect(statusOf(await second.answer)).toBe(503);
    first.finish();
    await first.answer;
  });

  test('takes the place of the last of the token that has most waiting, when no more may wait', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1', MAX_WAITING_UPLOADS: '2' });
    const [many, few] = [token({ userId: 1 }), token({ userId: 2 })];
    const running = await occupy(service, 'Many 1', many);
    const kept = await queueUp(service, 'Many 2', many);
    const dropped = await queueUp(service, 'Many 3', many);
    const one = await openUpload(service, 'Few 1', { token: few });
    one.socket.write(one.body);
    expect(statusOf(await dropped.answer)).toBe(503);
    await settled(service, 1, 2);
    const another = await openUpload(service, 'Few 2', { token: few });
    expect(statusOf(await another.answer)).toBe(503);
    running.finish();
    for (const { answer } of [running, kept, one]) expect(statusOf(await answer)).toBe(201);
  });

  test('that is refused anyway does not have to wait for that', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1' });
    const first = await occupy(service, 'Runs');
    const json = await service.call('POST', '/v3/media-prompts', {
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(json.status).toBe(400);
    const large = await openUpload(service, 'Large', { padding: 54_000_000 });
    expect(statusOf(await large.answer)).toBe(400);
    first.finish();
    await first.answer;
  });

  test('is refused with 503 when the service shuts down; the one that runs finishes', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1' });
    const first = await occupy(service, 'Runs');
    const second = await queueUp(service, 'Waits');
    const closing = service.service.close(10_000);
    const answer = await second.answer;
    expect(statusOf(answer)).toBe(503);
    expect(jsonOf(answer)['message']).toContain('shutting down');
    first.finish();
    expect(statusOf(await first.answer)).toBe(201);
    await closing;
  });

  test.each([
    ['/v3/media-prompts', 'code', 'message'],
    ['/api/v1/media', 'status', 'detail'],
  ])('at %s is refused in shape when the grace is over before it is whole', async (path, code, message) => {
    const service = await serviceWith({});
    const uploads = await Promise.all(
      [0.5, 0.999].map(async (part) => {
        const upload = await openUpload(service, `Has ${part} of itself`, { path });
        upload.socket.write(upload.body.subarray(0, Math.floor(upload.body.byteLength * part)));
        return upload;
      }),
    );
    await settled(service, 2, 0);
    const closing = service.service.close(0);
    for (const { answer } of uploads) {
      const said = await answer;
      expect(said).toMatch(/^HTTP\/1\.1 503 /);
      expect(said).toMatch(/\r\nretry-after: \d+\r\n/);
      expect(jsonOf(said)[code]).toBe(503);
      expect(jsonOf(said)[message]).toContain('shutting down');
    }
    await closing;
    expect(await service.files()).toEqual({ published: [], arriving: [] });
    expect(await service.rows('select name from blobs')).toEqual([]);
  });
});

describe('a place', () => {
  test('is given back when the upload is refused, when its client goes away and when it leaves while it waits', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1' });
    const gone = await occupy(service, 'Goes away');
    const impatient = await openUpload(service, 'Leaves while it waits', {
      headers: ['Expect: 100-continue'],
    });
    await settled(service, 1, 1);
    impatient.socket.destroy();
    await settled(service, 1, 0);
    gone.socket.destroy();
    await settled(service, 0, 0);
    expect((await service.upload(promptForm('x'.repeat(300)))).status).toBe(400);
    await settled(service, 0, 0);
    expect((await service.upload(promptForm('Good'))).status).toBe(201);
    expect((await service.files()).arriving).toEqual([]);
  });

  test('goes to the token that has the fewest, and within a token to who came first', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '2' });
    const [many, few] = [token({ userId: 1 }), token({ userId: 2 })];
    const running = [await occupy(service, 'Many 1', many), await occupy(service, 'Many 2', many)];
    const order: string[] = [];
    const waiting = [];
    for (const [name, bearer] of [
      ['Many 3', many],
      ['Many 4', many],
      ['Few 1', few],
    ] as const) {
      const upload = await queueUp(service, name, bearer);
      waiting.push(upload.answer.then(() => order.push(name)));
    }
    running[0]?.finish();
    await Promise.all(waiting);
    expect(order).toEqual(['Few 1', 'Many 3', 'Many 4']);
    running[1]?.finish();
    await running[1]?.answer;
  });
});

describe('Expect: 100-continue', () => {
  const expecting = { headers: ['Expect: 100-continue'] };

  test('is told to go on when it is its turn, and not before', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1' });
    const first = await occupy(service, 'Runs');
    const second = await openUpload(service, 'Asks first', expecting);
    let said = '';
    second.socket.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    await settled(service, 1, 1);
    expect(said).toBe('');
    first.finish();
    await expect.poll(() => said, PATIENCE).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    second.socket.write(second.body);
    expect(statusOf(await second.answer)).toBe(201);
  });
});

test('many uploads of many tokens never run above the bounds, and all are answered', async () => {
  const service = await serviceWith({ UPLOADS_AT_ONCE: '3', UPLOADS_AT_ONCE_PER_TOKEN: '2' });
  const all = Array.from({ length: 40 }, (_, i) =>
    service.upload(promptForm(`Of many ${i}`), { token: token({ userId: i % 3 }) }),
  );
  let isOver = false;
  const over = Promise.all(all).finally(() => {
    isOver = true;
  });
  let most = 0;
  while (!isOver) most = Math.max(most, (await uploadsOf(service)).running);
  expect(most).toBeLessThanOrEqual(3);
  expect(new Set((await over).map(({ status }) => status))).toEqual(new Set([201]));
  await settled(service, 0, 0);
});
