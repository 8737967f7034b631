import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { fixture, promptForm } from '../support/multipart.ts';
import { type Envelope, startService, test, token } from '../support/service.ts';

describe('a recording', () => {
  test('plays for whoever holds its url, byte for byte, with what engines need', async ({ service }) => {
    const { body } = await service.upload(promptForm('Play', {}, 'tone.mp3'));
    const response = await fetch(service.base + body.data.url);
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(fixture('tone.mp3'));
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'audio/mpeg',
      'content-length': String(fixture('tone.mp3').byteLength),
      etag: expect.stringMatching(/^"[0-9a-f]{32}"$/),
      'last-modified': expect.stringMatching(/ GMT$/),
      'cache-control': 'public, max-age=86400',
      'x-content-type-options': 'nosniff',
      'x-request-id': expect.any(String),
    });
  });

  test('has the same headers for HEAD as for GET', async ({ service }) => {
    const { body } = await service.upload(promptForm('Head'));
    const [get, head] = await Promise.all([
      fetch(service.base + body.data.url),
      fetch(service.base + body.data.url, { method: 'HEAD' }),
    ]);
    const comparable = (headers: Headers) =>
      Object.fromEntries(
        [...headers].filter(([name]) => !['date', 'x-request-id', 'connection', 'keep-alive'].includes(name)),
      );
    expect(head.status).toBe(200);
    expect(comparable(head.headers)).toEqual(comparable(get.headers));
    expect(await head.text()).toBe('');
    await get.arrayBuffer();
  });

  test('has a path safe for every engine: one dot, no query, under 255 bytes', async ({ service }) => {
    const { body } = await service.upload(promptForm('Safe', {}, 'tone.webm'));
    expect(body.data.url).toMatch(/^[A-Za-z0-9/_-]+\.[a-z0-9]+$/);
    expect(body.data.url.length).toBeLessThan(200);
  });
});

describe('what does not play', () => {
  const NAME = `file-1768912496789-${'0'.repeat(39)}`;
  const PATHS = [
    `${NAME}.wav`,
    'file.wav',
    '..%2f..%2fjwt-secret',
    '%2e%2e/%2e%2e/jwt-secret',
    '.arriving',
    `${NAME}`,
    `${NAME}.wav.mp3`,
    `${NAME}%00.wav`,
    '',
  ];
  for (const path of PATHS) {
    test(`/${path} is a small JSON 404 that nobody caches`, async ({ service }) => {
      for (const method of ['GET', 'HEAD']) {
        const response = await fetch(`${service.base}/uploads/call-flow-recordings/${path}`, { method });
        expect(response.status).toBe(404);
        expect(response.headers.get('cache-control')).toBe('no-store');
        if (method === 'GET') expect(await response.json()).toMatchObject({ code: 404, data: null });
      }
    });
  }

  test('the right name under another extension is a 404', async ({ service }) => {
    const { body } = await service.upload(promptForm('Extension'));
    const response = await fetch(service.base + body.data.url.replace('.wav', '.mp3'));
    expect(response.status).toBe(404);
  });

  test('a recording whose bytes somebody took away is a 500 that says nothing, and is logged', async ({
    service,
  }) => {
    const { body } = await service.upload(promptForm('Lost bytes'));
    await unlink(join(service.dataDir, body.data.url));
    const response = await fetch(service.base + body.data.url);
    expect(response.status).toBe(500);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.text()).not.toMatch(/ENOENT|blob|recording of/);
    expect(service.logLines.join('')).toMatch(/request failed/);
  });
});

describe('PLAYBACK_ACCESS=token', () => {
  test('asks for a token that reaches the prompt, and is cached privately', async () => {
    const service = await startService({ PLAYBACK_ACCESS: 'token', PLAYBACK_MAX_AGE_SECONDS: '300' });
    try {
      await service.rows(`insert into org_units (id, parent_id, name, path) values (2, 1, 'x', '/1/2/')`);
      const { body } = await service.upload(promptForm('Private'));
      const get = (bearer?: string) =>
        fetch(service.base + body.data.url, {
          headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
        });
      expect((await get()).status).toBe(401);
      // What is out of reach must look like what never was.
      const outOfReach = await get(token({ orgUnitId: 2 }));
      const never = await fetch(`${service.base}/uploads/call-flow-recordings/never.wav`, {
        headers: { authorization: `Bearer ${token({ orgUnitId: 2 })}` },
      });
      expect([outOfReach.status, never.status]).toEqual([404, 404]);
      const { message: one, errors } = (await outOfReach.json()) as Envelope;
      const { message: other } = (await never.json()) as Envelope;
      expect({ one, errors }).toEqual({ one: other, errors: undefined });
      const played = await get(token({ role: 'read_only' }));
      expect(played.status).toBe(200);
      expect(played.headers.get('cache-control')).toBe('private, max-age=300');
    } finally {
      await service.close();
    }
  });
});

describe('health', () => {
  test('needs no token and says what is at work', async ({ service }) => {
    for (const [path, expected] of [
      ['/healthz', { status: 'ok' }],
      [
        '/readyz',
        {
          status: 'ready',
          checks: { database: 'ok', blobs: 'ok', event_loop: 'ok', database_pool: 'ok', memory: 'ok' },
        },
      ],
    ] as const) {
      const { status, body } = await service.get(path, { token: null });
      expect({ status, body }).toEqual({ status: 200, body: expected });
    }
  });
});
