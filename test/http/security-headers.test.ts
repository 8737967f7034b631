import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { type Browser, chromium } from 'playwright-core';
import { describe, expect, onTestFinished } from 'vitest';
import { promptForm } from '../support/multipart.ts';
import { startService, type TestService, test, token } from '../support/service.ts';

const CHROMIUM = '/usr/bin/chromium';

const OF_THE_API = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
};
const NAMES = [...Object.keys(OF_THE_API), 'strict-transport-security'];

type Lines = Readonly<Record<string, string>>;

const securityOf = (headers: Lines): Lines =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => NAMES.includes(name)));

/** The status and the header lines of the answer to whatever bytes. */
async function answerTo({ base }: TestService, bytes: string): Promise<{ status: number; headers: Lines }> {
  const { hostname, port } = new URL(base);
  const socket = connect({ host: hostname, port: Number(port) });
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.setEncoding('latin1').write(bytes);
  while (!text.includes('\r\n\r\n')) {
    const [chunk] = (await once(socket, 'data')) as [string];
    text += chunk;
  }
  const [start = '', ...lines] = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n');
  const pairs = lines.map((line) => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 2),
  ]);
  // Said twice, a header would count as wrong.
  expect(new Set(pairs.map(([name]) => name)).size).toBe(pairs.length);
  return { status: Number(start.split(' ')[1]), headers: Object.fromEntries(pairs) as Lines };
}

const request = (line: string, ...headers: readonly string[]) =>
  `${[`${line} HTTP/1.1`, 'Host: prompts.example', ...headers].join('\r\n')}\r\n\r\n`;
const mine = () => `Authorization: Bearer ${token()}`;

const ANSWERS: readonly (readonly [what: string, bytes: () => string, status: number])[] = [
  ['a list', () => request('GET /v3/media-prompts', mine()), 200],
  ['the head of a list', () => request('HEAD /v3/media-prompts', mine()), 200],
  ['a list of v1', () => request('GET /api/v1/media', mine()), 200],
  ['no token', () => request('GET /v3/media-prompts'), 401],
  ['no token in v1', () => request('GET /api/v1/media'), 401],
  ['nothing in v3', () => request('GET /v3/nothing', mine()), 404],
  ['nothing in v1', () => request('GET /api/v1/nothing', mine()), 404],
  ['nothing at all', () => request('GET /nothing'), 404],
  ['the head of nothing', () => request('HEAD /nothing'), 404],
  ['a method that does not fit', () => request('DELETE /v3/media-prompts', mine()), 405],
  ['a preflight where no origin is allowed', () => request('OPTIONS /v3/media-prompts', mine()), 405],
  ['a bad body', () => request('POST /v3/media-prompts', mine(), 'Content-Length: 0'), 400],
  ['a recording that is none', () => request('GET /uploads/call-flow-recordings/none.wav'), 404],
  ['the head of one', () => request('HEAD /uploads/call-flow-recordings/none.wav'), 404],
  ['health', () => request('GET /healthz'), 200],
  ['readiness', () => request('GET /readyz'), 200],
  ['the figures', () => request('GET /metrics'), 200],
  ['the API document', () => request('GET /openapi.json'), 200],
  ['a path with a broken escape', () => request('GET /%zz'), 400],
  ['no host', () => 'GET /healthz HTTP/1.1\r\n\r\n', 400],
  ['bytes that are no request', () => 'hello\r\n\r\n', 400],
  ['headers without end', () => request('GET /', `X-A: ${'a'.repeat(20_000)}`), 431],
  ['an unknown expectation', () => request('POST /v3/media-prompts', 'Expect: the-worst'), 417],
  ['a tunnel', () => request('CONNECT example.org:443'), 405],
];

describe('what a browser must not do is said with', () => {
  for (const [what, bytes, status] of ANSWERS) {
    test(`${what}: ${status}`, async ({ service }) => {
      const answer = await answerTo(service, bytes());
      expect(answer.status).toBe(status);
      expect(securityOf(answer.headers)).toEqual(OF_THE_API);
    });
  }

  test('a recording: no guessing of types, and nothing that keeps a page from playing it', async ({
    service,
  }) => {
    const { body } = await service.upload(promptForm('Played by pages'));
    const play = (method: string, ...headers: readonly string[]) =>
      answerTo(service, request(`${method} ${body.data.url}`, ...headers));
    const expected = { 'x-content-type-options': 'nosniff' };
    for (const [method, status, ...headers] of [
      ['GET', 200],
      ['HEAD', 200],
      ['GET', 206, 'Range: bytes=0-9'],
      ['GET', 206, 'Range: bytes=0-1,5-9'],
    ] as const) {
      const answer = await play(method, ...headers);
      expect(answer.status).toBe(status);
      expect(securityOf(answer.headers)).toEqual(expected);
    }
    const refused = await play('GET', 'Range: bytes=99999999-');
    expect(refused.status).toBe(416);
    expect(securityOf(refused.headers)).toEqual(OF_THE_API);
  });

  test('the audio behind a token, of v1', async ({ service }) => {
    const { body } = await service.upload(promptForm('Behind a token'));
    const [row] = await service.rows<{ uuid: string }>('select uuid from prompts where id = $1', [
      body.data.media_prompt_id,
    ]);
    const answer = await answerTo(service, request(`GET /api/v1/media/${row?.uuid}/content`, mine()));
    expect(answer.status).toBe(200);
    expect(securityOf(answer.headers)).toEqual({ 'x-content-type-options': 'nosniff' });
  });
});

describe('HSTS', () => {
  test('is sent with every answer where it is configured, recordings of both lanes included', async () => {
    const service = await startService({ HSTS_MAX_AGE_SECONDS: '31536000' });
    onTestFinished(() => service.close());
    const hsts = { 'strict-transport-security': 'max-age=31536000' };
    for (const [, bytes] of ANSWERS) {
      const { headers } = await answerTo(service, bytes());
      expect(securityOf(headers)).toEqual({ ...OF_THE_API, ...hsts });
    }
    const { body } = await service.upload(promptForm('By TLS'));
    const atOnce = async () => {
      const figures = await (await fetch(`${service.base}/metrics`)).text();
      return /^media_prompts_playback_at_once_total\{status="200"\} [1-9]/m.test(figures);
    };
    const played: Lines[] = [];
    await expect
      .poll(async () => {
        played.push((await answerTo(service, request(`GET ${body.data.url}`))).headers);
        return await atOnce();
      })
      .toBe(true);
    for (const headers of played) expect(headers).toMatchObject(hsts);
  });
});

describe('the page of the API document', () => {
  test('loads nothing but its own files, and is shown in no frame', async ({ service }) => {
    const { headers } = await answerTo(service, request('GET /docs/'));
    const policy = headers['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline/);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
  });

  test.skipIf(!existsSync(CHROMIUM))('works in a browser under its policy', async ({ service }) => {
    const browser: Browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${service.base}/docs/`);
    await page.getByText('/v3/media-prompts/{media_prompt_id}').first().waitFor();
    await page.locator('#operations-Health-health').click();
    await page.getByText('Try it out').click();
    await page.getByRole('button', { name: 'Execute' }).click();
    await page.locator('.live-responses-table').waitFor();
    expect(complaints).toEqual([]);
  });
});
