import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createSigner } from 'fast-jwt';
import { describe, expect, onTestFinished, vi } from 'vitest';
import { createConsoleCodes } from '../../src/console-codes.ts';
import { buildPage, test } from '../console/console.ts';
import { cli, environment, run } from '../e2e/service-process.ts';
import { SECRET, startService, type TestService } from '../support/service.ts';

const GRANT = { userId: 5, orgUnitId: 1, role: 'standard', expiresIn: '1h' } as const;

/** All of the page, bytes as sent. */
const MOST_BYTES = 150_000;

const codesOf = ({ dataDir }: TestService, secret = SECRET) =>
  createConsoleCodes({ dataDir, secret, issuer: undefined, audience: undefined });

const ask = (service: TestService, path: string, headers: Readonly<Record<string, string>> = {}) =>
  // As a browser that asks again; without a word fetch would demand a fresh answer.
  fetch(service.base + path, {
    cache: 'no-cache',
    headers: { 'accept-encoding': 'identity', ...headers },
  });

async function exchange(service: TestService, body: unknown) {
  return await service.call<{ token: string } | null>('POST', '/console/session', {
    token: null,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
}

const linkedIn = (html: string) =>
  [...html.matchAll(/(?:src|href)="(\/console\/[^"]+)"/g)].map(([, path = '']) => path);

describe('the page of the console', () => {
  test('loads its own files alone, runs nothing that is written into it, and is shown in no frame', async ({
    service,
  }) => {
    const page = await ask(service, '/console');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    const policy = page.headers.get('content-security-policy') ?? '';
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "frame-ancestors 'none'",
      "connect-src 'self'",
    ]) {
      expect(policy).toContain(rule);
    }
    expect(policy).not.toMatch(/unsafe|https?:|\*|data:/);
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    expect(page.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    const html = await page.text();
    expect(html).not.toMatch(/<style|style="|<script(?![^>]*src=)|\son\w+=/);
    expect(linkedIn(html).length).toBeGreaterThan(2);
  });

  test('is asked for again with its ETag, and its files, named after what is in them, never', async ({
    service,
  }) => {
    const page = await ask(service, '/console');
    expect(page.headers.get('cache-control')).toBe('no-cache');
    const etag = page.headers.get('etag') ?? '';
    expect((await ask(service, '/console', { 'if-none-match': etag })).status).toBe(304);
    for (const path of linkedIn(await page.text())) {
      expect(path).toMatch(/^\/console\/assets\/[\w-]+-[\w-]{8}\.\w+$/);
      const file = await ask(service, path);
      expect(file.status).toBe(200);
      expect(file.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    }
    expect((await ask(service, '/console/assets/none-12345678.js')).status).toBe(404);
    expect((await ask(service, '/console/assets/../index.html')).status).toBe(404);
    expect((await ask(service, '/console/assets/%2e%2e/%2e%2e/main.js')).status).toBeGreaterThanOrEqual(400);
  });

  test('is sent as small as the browser takes it, and is small, with all that it loads later', async ({
    service,
    folder,
  }) => {
    const assets = (await readdir(join(folder, 'assets'))).filter((file) => !/\.(?:br|gz)$/.test(file));
    const size = { br: 0, gzip: 0 };
    for (const path of ['/console', ...assets.map((file) => `/console/assets/${file}`)]) {
      const plain = Buffer.from(await (await ask(service, path)).arrayBuffer());
      for (const encoding of ['br', 'gzip'] as const) {
        const answer = await ask(service, path, { 'accept-encoding': encoding });
        expect(answer.headers.get('content-encoding')).toBe(encoding);
        expect(answer.headers.get('vary')).toMatch(/accept-encoding/i);
        size[encoding] += Number(answer.headers.get('content-length'));
        expect(Buffer.from(await answer.arrayBuffer()).equals(plain)).toBe(true);
      }
    }
    expect(size.gzip).toBeLessThan(MOST_BYTES);
    expect(size.br).toBeLessThan(size.gzip);
  });

  test('is not there with CONSOLE=off, nor its way to sign in', async () => {
    const service = await startService({ CONSOLE: 'off' });
    onTestFinished(() => service.close());
    expect((await ask(service, '/console')).status).toBe(404);
    expect((await exchange(service, { code: await codesOf(service).issue(GRANT) })).status).toBe(404);
  });

  test('that was not built says how to, and is there once it is', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'media-prompts-console-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const service = await startService({}, { consoleFolder: folder });
    onTestFinished(() => service.close());
    const missing = await service.get('/console');
    expect(missing.status).toBe(404);
    expect(missing.body.message).toContain('npm run build');
    await writeFile(join(folder, 'index.html'), '<!doctype html>');
    expect((await ask(service, '/console')).status).toBe(200);
  });
});

describe('a one-time code', () => {
  test('stands for a token once, however many ask together', async ({ service }) => {
    const code = await codesOf(service).issue(GRANT);
    const answers = await Promise.all(Array.from({ length: 20 }, () => exchange(service, { code })));
    const [won, ...others] = answers.filter(({ status }) => status === 200);
    expect(others).toEqual([]);
    expect(won?.headers.get('cache-control')).toBe('no-store');
    const bearer = won?.body.data?.token ?? '';
    expect((await service.get('/v3/media-prompts?limit=1', { token: bearer })).status).toBe(200);
    for (const { status, body } of answers.filter((answer) => answer !== won)) {
      expect(status).toBe(400);
      expect(body.errors).toEqual([
        { field: 'code', code: 'invalid', message: expect.stringContaining('cli -- console') },
      ]);
    }
    expect(await readdir(join(service.dataDir, 'console-codes'))).not.toContain(code);
  });

  test('is nowhere but with who got it: neither the folder nor its file is worth anything', async ({
    service,
  }) => {
    const code = await codesOf(service).issue(GRANT);
    const folder = join(service.dataDir, 'console-codes');
    for (const name of await readdir(folder)) {
      const note = await readFile(join(folder, name), 'utf8');
      expect(`${name} ${note}`).not.toContain(code);
      expect((await exchange(service, { code: name })).status).toBe(400);
      expect((await service.get('/v3/media-prompts', { token: note })).status).toBe(401);
    }
  });

  const forgeries: readonly (readonly [what: string, note: (hash: string, mine: string) => string])[] = [
    [
      'a note of somebody without the secret',
      (hash) => sign('another secret that is long enough', { jti: hash, grant: GRANT }),
    ],
    ['a note that lies under another name', (_hash, mine) => mine],
    ['a note that is too old', (hash) => sign(SECRET, { jti: hash, grant: GRANT, exp: 1_700_000_000 })],
    [
      'a token',
      (hash) =>
        createSigner({ key: SECRET, algorithm: 'HS256', expiresIn: '1h' })({ jti: hash, grant: GRANT }),
    ],
    ['no note at all', () => 'hello'],
  ];
  const sign = (key: string, claims: object) =>
    createSigner({ key, algorithm: 'HS256', header: { alg: 'HS256', typ: 'console-code' } })({
      exp: Math.floor(Date.now() / 1000) + 60,
      ...claims,
    });
  for (const [what, note] of forgeries) {
    test(`is refused for ${what}`, async ({ service }) => {
      const folder = join(service.dataDir, 'console-codes');
      await rm(folder, { recursive: true, force: true });
      const other = await codesOf(service).issue(GRANT);
      const [otherHash = ''] = await readdir(folder);
      const mine = await readFile(join(folder, otherHash), 'utf8');
      const code = await codesOf(service).issue(GRANT);
      const hash = (await readdir(folder)).find((name) => name !== otherHash) ?? '';
      await writeFile(join(folder, hash), note(hash, mine));
      expect((await exchange(service, { code })).status).toBe(400);
      expect((await exchange(service, { code: other })).status).toBe(200);
    });
  }

  test('is refused in shape when it is none', async ({ service }) => {
    for (const body of [
      {},
      { code: 5 },
      { code: '../../jwt-secret' },
      { code: 'x'.repeat(5000) },
      [],
      'null',
      '"text"',
    ]) {
      const { status, body: answer } = await exchange(service, body);
      expect(status).toBe(400);
      expect(answer.errors?.[0]?.field).toBe('code');
    }
    expect((await exchange(service, '{')).status).toBe(400);
    expect((await exchange(service, { code: randomBytes(32).toString('base64url') })).status).toBe(400);
    expect((await service.call('GET', '/console/session', { token: null })).status).toBe(405);
  });

  test.skipIf(!existsSync('/usr/bin/script'))(
    'is opened by the desktop when it is asked for on a terminal, and no process list shows it',
    async ({ service }) => {
      const desktop = await mkdtemp(join(tmpdir(), 'media-prompts-desktop-'));
      onTestFinished(() => rm(desktop, { recursive: true }));
      const opened = join(desktop, 'opened');
      // The page may be gone when somebody else looks at it.
      const opener = `#!/bin/sh\necho "$1" > "$0.part"; cat "$(echo "$1" | cut -c8-)" >> "$0.part"; mv "$0.part" ${opened}\n`;
      await writeFile(join(desktop, 'xdg-open'), opener, { mode: 0o755 });
      const command = `${process.execPath} src/cli.ts console --url ${service.base}`;
      const ask = (more: string, env: Readonly<Record<string, string>> = {}) =>
        run(
          ['script', '-qec', command + more, '/dev/null'],
          environment(service.dataDir, {
            JWT_SECRET: SECRET,
            PATH: `${desktop}:${process.env['PATH']}`,
            ...env,
          }),
        );
      const silent = await ask(' --no-open');
      expect(silent.code, silent.stdout).toBe(0);
      const { code, stdout } = await ask('');
      expect(code, stdout).toBe(0);
      const [link = 'no link'] = /http\S+#code=\S+/.exec(stdout) ?? [];
      const seen = await vi.waitFor(() => readFile(opened, 'utf8'), { timeout: 10_000, interval: 20 });
      const [argument = '', page = ''] = seen.split('\n');
      expect(argument).toMatch(/^file:\/\/\S+\/open-[\w-]+\.html$/);
      expect(page).toContain(`content="0;url=${link}"`);
      const { mode } = await stat(new URL(argument));
      expect(mode & 0o777).toBe(0o600);
      const none = await ask('', { PATH: '/usr/bin:/bin' });
      expect(none.code, none.stdout).toBe(0);
      expect(none.stdout).toContain('#code=');
    },
  );

  test('is not made where only a public key is known, or no address', async ({ service }) => {
    const jwks = await cli(service.dataDir, ['console', '--url', service.base], {
      JWT_JWKS_URL: 'http://127.0.0.1:9/keys',
    });
    expect(jwks).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('private key') });
    const nowhere = await cli(service.dataDir, ['console'], { JWT_SECRET: SECRET });
    expect(nowhere).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('--url') });
    const off = await cli(service.dataDir, ['console'], { JWT_SECRET: SECRET, CONSOLE: 'off' });
    expect(off).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('CONSOLE=off') });
    const everywhere = { JWT_SECRET: SECRET, HOST: '0.0.0.0', PORT: '3999' };
    const { stdout } = await cli(service.dataDir, ['console'], everywhere);
    expect(stdout).toMatch(/^http:\/\/127\.0\.0\.1:3999\/console#code=/);
    const behind = { JWT_SECRET: SECRET, PUBLIC_BASE_URL: 'https://prompts.example/' };
    expect((await cli(service.dataDir, ['console'], behind)).stdout).toMatch(
      /^https:\/\/prompts\.example\/console#code=/,
    );
  });
});

test('building twice gives the same files', async ({ folder }) => {
  const again = await buildPage();
  onTestFinished(() => rm(again, { recursive: true }));
  const names = async (of: string) => (await readdir(of, { recursive: true })).sort();
  expect(await names(again)).toEqual(await names(folder));
});
