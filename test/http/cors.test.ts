import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium } from 'playwright-core';
import { describe, expect, onTestFinished } from 'vitest';
import { promptForm } from '../support/multipart.ts';
import { test as base, startService, type TestService, token } from '../support/service.ts';

const OURS = 'https://app.example';
const SECOND = 'http://localhost:5173';
const STRANGER = 'https://evil.example';
const CHROMIUM = '/usr/bin/chromium';

const test = base.extend<{ service: TestService }>({
  service: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await startService({ CORS_ORIGINS: `${OURS},${SECOND}`, MAX_UPLOAD_BYTES: '100000' });
      await use(service);
      await service.close();
    },
    { scope: 'file' },
  ],
});

const corsOf = (headers: Headers) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')));
const READABLE =
  'accept-ranges content-range etag location retry-after www-authenticate x-request-id x-total-count'.split(
    ' ',
  );

function expectReadable(headers: Headers, origin: string): void {
  expect(headers.get('access-control-allow-origin')).toBe(origin);
  expect(headers.get('access-control-allow-credentials')).toBeNull();
  expect(headers.get('vary')).toBe('Origin');
  const exposed = headers.get('access-control-expose-headers')?.split(', ') ?? [];
  expect(exposed).toEqual(expect.arrayContaining(READABLE));
}

const preflight = (origin: string, method: string, headers = 'authorization,content-type') => ({
  token: null,
  headers: {
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': headers,
  },
});

/** Two answers, since the second may come from memory. */
async function playTwice(service: TestService, url: string, headers: Readonly<Record<string, string>>) {
  const play = async () => {
    const response = await fetch(service.base + url, { headers });
    await response.arrayBuffer();
    return response;
  };
  return [await play(), await play(), await play()];
}

describe('a page of an allowed origin', () => {
  for (const origin of [OURS, SECOND]) {
    test(`is told what it may do before it does it: ${origin}`, async ({ service }) => {
      for (const path of ['/v3/media-prompts', '/v3/media-prompts/1', '/api/v1/media', '/nothing']) {
        const { status, headers } = await service.call('OPTIONS', path, preflight(origin, 'POST'));
        expect(status).toBe(204);
        expect(headers.get('access-control-allow-origin')).toBe(origin);
        expect(headers.get('access-control-allow-methods')).toBe('GET, HEAD, POST, PATCH, DELETE');
        expect(headers.get('access-control-allow-headers')?.split(', ')).toEqual(
          expect.arrayContaining(['authorization', 'content-type', 'range', 'x-request-id']),
        );
        expect(headers.get('access-control-max-age')).toBe('7200');
        expect(headers.get('access-control-allow-credentials')).toBeNull();
        expect(headers.get('vary')).toBe('Origin');
      }
    });
  }

  const large = 'x'.repeat(2_000_000);
  const answers: readonly (readonly [string, number, string, string, object])[] = [
    ['a list', 200, 'GET', '/v3/media-prompts', {}],
    ['a list of v1', 200, 'GET', '/api/v1/media', {}],
    ['no token', 401, 'GET', '/v3/media-prompts', { token: null }],
    ['no token in v1', 401, 'GET', '/api/v1/media', { token: null }],
    [
      'a role that may only read',
      403,
      'DELETE',
      '/v3/media-prompts/1',
      { token: token({ role: 'read_only' }) },
    ],
    ['no such prompt', 404, 'GET', '/v3/media-prompts/999999', {}],
    ['no such path', 404, 'GET', '/nothing', {}],
    ['no such path in v1', 404, 'GET', '/api/v1/nothing', {}],
    ['no such recording', 404, 'GET', '/uploads/call-flow-recordings/none.wav', {}],
    ['no such method', 405, 'DELETE', '/v3/media-prompts', {}],
    ['a bad escape', 400, 'GET', '/v3/media-prompts/%25zz', {}],
  ];
  for (const [what, status, method, path, options] of answers) {
    test(`can read the answer, refusals too: ${what}, ${status}`, async ({ service }) => {
      const answer = await service.call(method, path, { ...options, headers: { origin: OURS } });
      expect(answer.status).toBe(status);
      expectReadable(answer.headers, OURS);
    });
  }

  test('can read that its file is too large: 413', async ({ service }) => {
    const form = new FormData();
    form.append('File', new Blob([large], { type: 'audio/wav' }), 'large.wav');
    const response = await fetch(`${service.base}/api/v1/media`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token()}`, origin: OURS },
      body: form,
    });
    expect(response.status).toBe(413);
    expectReadable(response.headers, OURS);
  });

  test('can read that there is too much load: 503', async () => {
    const service = await startService({ CORS_ORIGINS: OURS, MAX_RSS_BYTES: '1' });
    onTestFinished(() => service.close());
    await expect
      .poll(async () => {
        // A few at a time are always taken on.
        const many = Array.from({ length: 12 }, () =>
          service.get('/v3/media-prompts', { headers: { origin: OURS } }),
        );
        const answers = await Promise.all(many);
        for (const { headers } of answers) expectReadable(headers, OURS);
        return answers.map(({ status }) => status);
      })
      .toContain(503);
  });

  test('can play, also what others have just played', async ({ service }) => {
    const { body } = await service.upload(promptForm('Played by a page'));
    await playTwice(service, body.data.url, {});
    for (const { status, headers } of await playTwice(service, body.data.url, { origin: OURS })) {
      expect(status).toBe(200);
      expectReadable(headers, OURS);
    }
    const [part] = await playTwice(service, body.data.url, { origin: OURS, range: 'bytes=0-9' });
    expect(part?.status).toBe(206);
    expectReadable(part?.headers ?? new Headers(), OURS);
    const etag = part?.headers.get('etag') ?? '';
    const [same] = await playTwice(service, body.data.url, { origin: OURS, 'if-none-match': etag });
    expect(same?.status).toBe(304);
    expectReadable(same?.headers ?? new Headers(), OURS);
  });
});

describe('a page of any other origin', () => {
  const strangers = [
    STRANGER,
    'null',
    'http://app.example',
    'https://app.example:8443',
    'https://app.example.evil.example',
    'https://xapp.example',
    'https://APP.example',
    `${OURS},${STRANGER}`,
  ];
  for (const origin of strangers) {
    test(`is told nothing: ${origin}`, async ({ service }) => {
      const { status, headers } = await service.get('/v3/media-prompts', { headers: { origin } });
      expect(status).toBe(200);
      expect(corsOf(headers)).toEqual({});
      expect(headers.get('vary')).toBe('Origin');
      const before = await service.call('OPTIONS', '/v3/media-prompts', preflight(origin, 'GET'));
      expect(before.status).toBe(401);
      expect(corsOf(before.headers)).toEqual({});
    });
  }

  test('is told nothing with a recording', async ({ service }) => {
    const { body } = await service.upload(promptForm('Not for strangers'));
    for (const { status, headers } of await playTwice(service, body.data.url, { origin: STRANGER })) {
      expect(status).toBe(200);
      expect(corsOf(headers)).toEqual({});
      expect(headers.get('vary')).toBe('Origin');
    }
  });
});

test('a cache is told that answers differ by origin, also where none was sent', async ({ service }) => {
  const { body } = await service.upload(promptForm('Cached'));
  for (const { headers } of await playTwice(service, body.data.url, {})) {
    expect(headers.get('vary')).toBe('Origin');
    expect(corsOf(headers)).toEqual({});
  }
});

test('without a configured origin nothing is said of origins at all', async () => {
  const service = await startService();
  onTestFinished(() => service.close());
  const { body } = await service.upload(promptForm('No origins'));
  for (const { status, headers } of await playTwice(service, body.data.url, { origin: OURS })) {
    expect(status).toBe(200);
    expect(corsOf(headers)).toEqual({});
    expect(headers.get('vary')).toBeNull();
  }
  const before = await service.call('OPTIONS', '/v3/media-prompts', preflight(OURS, 'GET'));
  expect(before.status).toBe(401);
  expect(corsOf(before.headers)).toEqual({});
});

test.skipIf(!existsSync(CHROMIUM))(
  'a real browser lets a page of that origin alone use the API',
  async () => {
    const pages = createServer((_request, response) =>
      response.setHeader('content-type', 'text/html').end('<p>'),
    );
    pages.listen(0, '127.0.0.1');
    onTestFinished(() => void pages.close());
    await new Promise((resolve) => pages.once('listening', resolve));
    const { port } = pages.address() as AddressInfo;
    const allowed = `http://127.0.0.1:${port}`;
    const service = await startService({ CORS_ORIGINS: allowed });
    onTestFinished(() => service.close());
    const { body } = await service.upload(promptForm('In a browser'));
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    onTestFinished(() => browser.close());

    async function useFrom(origin: string) {
      const page = await browser.newPage();
      await page.goto(origin);
      return await page.evaluate(
        async ({ base, url, bearer }) => {
          const ask = async (path: string, headers: Record<string, string>, method = 'GET') => {
            try {
              const response = await fetch(base + path, { method, headers });
              return `${response.status} ${response.headers.get('x-request-id')?.length}`;
            } catch {
              return 'refused by the browser';
            }
          };
          const authorization = `Bearer ${bearer}`;
          return [
            await ask('/v3/media-prompts', { authorization }),
            await ask('/v3/media-prompts', { authorization: 'Bearer x' }),
            await ask('/v3/media-prompts/999999', { authorization }, 'DELETE'),
            await ask(url, { range: 'bytes=0-9', 'if-none-match': '"other"' }),
          ];
        },
        { base: service.base, url: body.data.url, bearer: token() },
      );
    }
    expect(await useFrom(allowed)).toEqual(['200 36', '401 36', '404 36', '206 36']);
    expect(await useFrom(`http://localhost:${port}`)).toEqual(Array(4).fill('refused by the browser'));
  },
);
