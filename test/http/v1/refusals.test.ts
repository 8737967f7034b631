import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import {
  addMedia,
  audio,
  callV1,
  changeMedia,
  expectProblem,
  MEDIA,
  uploadMedia,
} from '../../support/media.ts';
import { createDatabase, startService, type TestService, test, token } from '../../support/service.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';

const REQUEST_ID = '7f0c8a52-3f0e-4c5e-9d0a-6b1f0e2d3c4b';

/** Every operation of v1 on one media file, with a token or another. */
async function callAll(service: TestService, id: string, bearer: string | null) {
  const options = { token: bearer };
  const path = `${MEDIA}/${id}`;
  return {
    reading: [
      { path: MEDIA, answer: await callV1(service, 'GET', MEDIA, options) },
      { path, answer: await callV1(service, 'GET', path, options) },
      { path: `${path}/content`, answer: await callV1(service, 'GET', `${path}/content`, options) },
    ],
    writing: [
      { path: MEDIA, answer: await uploadMedia(service, [audio()], options) },
      { path, answer: await changeMedia(service, id, { description: 'x' }, options) },
      { path, answer: await callV1(service, 'DELETE', path, options) },
    ],
  };
}

describe('without a valid token', () => {
  for (const [what, bearer] of [
    ['none', null],
    ['garbage', 'a.b.c'],
    ['one that is over', token({ expiresIn: '-1s' })],
  ] as const) {
    test(`every operation is a 401 that says what to send: ${what}`, async ({ service }) => {
      const { id } = await addMedia(service, 'guarded.wav');
      const { reading, writing } = await callAll(service, id, bearer);
      for (const { path, answer } of [...reading, ...writing]) {
        expectProblem(answer, { status: 401, path });
        expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      }
      expect((await callV1(service, 'GET', `${MEDIA}/${id}`)).body.description).toBeNull();
    });
  }

  test('an unknown route is a 401 too, so that nothing is disclosed', async ({ service }) => {
    const path = '/api/v1/nothing';
    const answer = await callV1(service, 'GET', path, { token: null });
    expectProblem(answer, { status: 401, path });
  });
});

describe('a role', () => {
  test('that may only read lists, gets and plays, and is a 403 for everything else', async ({ service }) => {
    const { id } = await addMedia(service, 'read only.wav');
    const { reading, writing } = await callAll(service, id, token({ role: 'read_only' }));
    expect(reading.map(({ answer }) => answer.status)).toEqual([200, 200, 200]);
    for (const { path, answer } of writing) expectProblem(answer, { status: 403, path });
    expect((await callV1(service, 'GET', `${MEDIA}/${id}`)).body.description).toBeNull();
  });

  test('that is standard may do everything', async ({ service }) => {
    const { id } = await addMedia(service, 'standard.wav');
    const { reading, writing } = await callAll(service, id, token({ role: 'standard' }));
    expect([...reading, ...writing].map(({ answer }) => answer.status)).toEqual([
      200, 200, 200, 201, 200, 204,
    ]);
  });
});

describe('a method that does not fit', () => {
  const id = randomUUID();
  const cases = [
    ['PUT', MEDIA, 'GET, HEAD, POST'],
    ['PATCH', MEDIA, 'GET, HEAD, POST'],
    ['DELETE', MEDIA, 'GET, HEAD, POST'],
    ['OPTIONS', MEDIA, 'GET, HEAD, POST'],
    ['POST', `${MEDIA}/${id}`, 'GET, HEAD, PATCH, DELETE'],
    ['PUT', `${MEDIA}/${id}`, 'GET, HEAD, PATCH, DELETE'],
    ['POST', `${MEDIA}/${id}/content`, 'GET, HEAD'],
    ['DELETE', `${MEDIA}/${id}/content`, 'GET, HEAD'],
  ] as const;
  for (const [method, path, allow] of cases) {
    test(`is a 405 that names those that do: ${method} ${path.replace(id, '{id}')}`, async ({ service }) => {
      const answer = await callV1(service, method, path);
      expectProblem(answer, { status: 405, path });
      expect(answer.headers.get('allow')).toBe(allow);
    });
  }
});

describe('a route that does not exist', () => {
  for (const path of [
    '/api/v1',
    '/api/v1/',
    '/api/v1/nothing',
    '/api/v1/Media',
    '/api/v1/media/a/b',
    `${MEDIA}/${randomUUID()}/content/`,
  ]) {
    test(`is a problem with 404: ${path}`, async ({ service }) => {
      expectProblem(await callV1(service, 'GET', path), { status: 404, path });
      expectProblem(await callV1(service, 'DELETE', path), { status: 404, path });
    });
  }

  test('is a problem with 400 where it cannot be decoded', async ({ service }) => {
    const path = '/api/v1/%zz';
    expectProblem(await callV1(service, 'GET', path), { status: 400, path });
  });

  test('has no query in its instance', async ({ service }) => {
    const answer = await callV1(service, 'GET', '/api/v1/nothing?token=secret');
    expectProblem(answer, { status: 404, path: '/api/v1/nothing' });
  });

  test('is told in the envelope where it only starts like the dialect', async ({ service }) => {
    const { status, body } = await service.get('/api/v1x');
    expect([status, body.code]).toEqual([404, 404]);
  });
});

test('the request ID of the client is the trace ID', async ({ service }) => {
  const headers = { 'x-request-id': REQUEST_ID };
  const answer = await callV1<{ traceId: string }>(service, 'GET', `${MEDIA}/1`, { headers });
  expect([answer.headers.get('x-request-id'), answer.body.traceId]).toEqual([REQUEST_ID, REQUEST_ID]);
});

describe('too many requests', () => {
  test('are a 429 that says how long to wait, and are counted through both doors', async () => {
    const service = await startService({ RATE_LIMIT_PER_MINUTE: '3' });
    onTestFinished(() => service.close());
    const mine = { token: token() };
    expect((await callV1(service, 'GET', MEDIA, mine)).status).toBe(200);
    expect((await service.get('/v3/media-prompts', mine)).status).toBe(200);
    expect((await callV1(service, 'GET', MEDIA, mine)).status).toBe(200);
    const refused = await callV1(service, 'GET', MEDIA, mine);
    expectProblem(refused, { status: 429 });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await service.get('/v3/media-prompts', mine)).status).toBe(429);
    expect((await callV1(service, 'GET', MEDIA, { token: token({ userId: 8 }) })).status).toBe(200);
  });
});

describe('a fault', () => {
  test('of the database is a 503 that says when to come again', async () => {
    const database = await createDatabase();
    const proxy = await startTcpProxy(database.url);
    const service = await startService({}, { databaseUrl: proxy.url });
    onTestFinished(async () => {
      proxy.restore();
      await service.close();
      await proxy.close();
      await database.drop();
    });
    const { id } = await addMedia(service, 'away.wav');
    proxy.cut();
    const { reading, writing } = await callAll(service, id, token());
    for (const { path, answer } of [...reading, ...writing]) {
      expectProblem(answer, { status: 503, path });
      expect(answer.headers.get('retry-after')).toBe('2');
    }
    proxy.restore();
    expect((await callV1(service, 'GET', `${MEDIA}/${id}`)).status).toBe(200);
  });

  test('of ours is a 500 that says nothing of our insides', async () => {
    const service = await startService();
    onTestFinished(() => service.close());
    const { id, fileName } = await addMedia(service, 'lost.wav');
    await rm(join(service.dataDir, 'uploads/call-flow-recordings', fileName));
    const path = `${MEDIA}/${id}/content`;
    const answer = await callV1(service, 'GET', path);
    expectProblem(answer, { status: 500, path });
    expect(JSON.stringify(answer.body)).not.toMatch(/file-|uploads|ENOENT|\bat /);
  });
});
