import { Buffer } from 'node:buffer';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { BlobStore } from '../../src/blobs/blob-store.ts';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';
import { createLog } from '../../src/log.ts';
import { startProcess, tokenFor, withDataDir } from '../e2e/service-process.ts';
import { multipart, promptForm } from '../support/multipart.ts';
import { SECRET, startService, type TestService, token } from '../support/service.ts';

const NAME = 'Whispered name';

/** What nobody may find in a log: what opens something, and what somebody said. */
function secretsOf(bearer: string, secret: string, urls: readonly string[]): readonly string[] {
  const [head = '', payload = '', signature = ''] = bearer.split('.');
  const names = urls.map((url) => url.split('/').at(-1)?.split('.')[0] ?? '');
  const digits = names.map((name) => name.split('-')[2] ?? '');
  return [bearer, `${head}.${payload}`, payload, signature, secret, ...urls, ...names, ...digits, NAME];
}

function expectSilence(lines: readonly string[], secrets: readonly string[]): void {
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(8);
    for (const spelling of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64url')]) {
      const found = lines.filter((line) => line.toLowerCase().includes(spelling.toLowerCase()));
      expect(found).toEqual([]);
    }
  }
}

/** Bytes that are not answered as a request, in which a careless server would repeat what it got. */
async function sendRaw(base: string, bytes: string): Promise<void> {
  const { hostname, port } = new URL(base);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.end(bytes);
  for await (const _answer of socket) {
    // Read to its end.
  }
}

/** Everything a client can do wrong with its secrets, and right. */
async function driveRequests(service: TestService, bearer: string): Promise<readonly string[]> {
  const mine = { token: bearer };
  const urls: string[] = [];
  for (const name of [NAME, `${NAME} again`]) {
    const { status, body } = await service.upload(promptForm(name), mine);
    expect(status).toBe(201);
    urls.push(body.data.url);
  }
  const [url = ''] = urls;
  for (const method of ['GET', 'HEAD', 'GET', 'GET', 'POST', 'DELETE']) await service.call(method, url, mine);
  await service.get(`${url}?token=${bearer}`, mine);
  await service.get(url, { ...mine, headers: { range: 'bytes=999999999-' } });
  await service.upload(promptForm(NAME), mine);
  await service.get(`/v3/media-prompts?name=${NAME}&access_token=${bearer}`, mine);
  await service.get(`/v3/media-prompts?sort_by=${bearer}&cursor=${bearer}`, mine);
  await service.get(`/v3/media-prompts/${bearer}`, mine);
  await service.get(`/api/v1/media/${url.slice(1)}`, mine);
  await service.get(`/nothing${url}/${bearer}`, mine);
  await service.get('/v3/media-prompts', { token: `${bearer.slice(0, -2)}xx` });
  await service.get('/v3/media-prompts', { token: null, headers: { authorization: `Basic ${bearer}` } });
  await service.call('PATCH', '/api/v1/media/x', {
    ...mine,
    body: `{"description": "${bearer}`,
    headers: { 'content-type': 'application/json' },
  });
  const form = multipart(promptForm(NAME));
  await service.call('POST', '/v3/media-prompts', {
    ...mine,
    body: form.body.subarray(0, 5_000),
    headers: { 'content-type': form.contentType, 'x-request-id': bearer },
  });
  await sendRaw(
    service.base,
    `GET /%zz${url} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${bearer}\r\n\r\n`,
  );
  await sendRaw(service.base, `GET ${url} ${bearer}\r\n\r\n`);
  await sendRaw(service.base, `POST ${url} HTTP/1.1\r\nHost: a\r\nExpect: ${bearer}\r\n\r\n`);
  return urls;
}

/** A store whose errors tell all they know, as those of a disk or a cloud may. */
async function startWithTalkativeBlobs() {
  const dataDir = await mkdtemp(join(tmpdir(), 'media-prompts-log-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const disk = await createDiskBlobStore(join(dataDir, 'uploads'));
  let isBroken = false;
  const blobs = new Proxy(disk, {
    get(target, verb: keyof BlobStore) {
      // What a disk has not, such as links, it has not when it is broken either.
      if (!isBroken || verb === 'check' || typeof target[verb] !== 'function') return target[verb];
      return (...about: unknown[]) => {
        const what = JSON.stringify(about);
        const cause = Object.assign(new Error(`EUNKNOWN: ${verb} '${dataDir}/${what}'`), { path: what });
        return Promise.reject(new AggregateError([cause], `${verb} of ${what}`, { cause }));
      };
    },
  });
  const service = await startService({ PLAYBACK_CACHE_BYTES: '0' }, { dataDir, blobs });
  onTestFinished(() => service.close());
  return {
    service,
    breakStore: () => {
      isBroken = true;
    },
  };
}

describe('the log holds no token, no secret, no url that plays and no name', () => {
  test('when requests are right and when they are wrong', async () => {
    const service = await startService({ PLAYBACK_CACHE_BYTES: '0' });
    onTestFinished(() => service.close());
    const bearer = token();
    const urls = await driveRequests(service, bearer);
    expect(service.logLines.length).toBeGreaterThan(20);
    expectSilence(service.logLines, secretsOf(bearer, SECRET, urls));
  });

  test('when the store fails with errors that name what it was asked for', async () => {
    const { service, breakStore } = await startWithTalkativeBlobs();
    const bearer = token();
    const { body } = await service.upload(promptForm(NAME), { token: bearer });
    const { url, media_prompt_id: id } = body.data;
    breakStore();
    expect((await service.get(url)).status).toBe(500);
    const refused = await service.upload(promptForm(`${NAME} twice`), { token: bearer });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect((await service.call('DELETE', `/v3/media-prompts/${id}`, { token: bearer })).status).toBe(200);
    const log = service.logLines.join('');
    expect(log).toContain('"msg":"request failed"');
    expect(log).toContain('EUNKNOWN: open');
    expect(log).toMatch(/recording-[0-9a-f]{12}/);
    expectSilence(service.logLines, secretsOf(bearer, SECRET, [url]));
  });

  test('when the database repeats the row that it refuses', async () => {
    const service = await startService();
    onTestFinished(() => service.close());
    const bearer = token();
    await service.rows("alter table prompts add constraint quiet check (name not like 'Whisper%')");
    const refused = await service.upload(promptForm(NAME), { token: bearer });
    expect(refused.status).toBe(500);
    expect(JSON.stringify(refused.body)).not.toMatch(/quiet|constraint|23514/);
    const log = service.logLines.join('');
    // Enough to find the fault by, and no more.
    expect(log).toContain('The database answered 23514.');
    expect(log).toContain('"constraint":"quiet"');
    expectSilence(service.logLines, secretsOf(bearer, SECRET, []));
  });
});

test('a process says no more on its streams: with its own secret, through a fault, to its end', async () => {
  await withDataDir(async (dataDir) => {
    const service = await startProcess(dataDir, { LOG_LEVEL: 'debug', PLAYBACK_CACHE_BYTES: '0' });
    const bearer = await tokenFor(dataDir, '--role', 'admin');
    const secret = (await readFile(join(dataDir, 'jwt-secret'), 'utf8')).trim();
    const authorization = `Bearer ${bearer}`;
    const { body, contentType } = multipart(promptForm(NAME));
    const upload = () =>
      fetch(`${service.base}/v3/media-prompts`, {
        method: 'POST',
        headers: { authorization, 'content-type': contentType },
        body: new Uint8Array(body),
      });
    const { data } = (await (await upload()).json()) as { data: { url: string } };
    expect((await fetch(service.base + data.url)).status).toBe(200);
    expect((await upload()).status).toBe(400);
    const uploads = join(dataDir, 'uploads');
    await rename(uploads, `${uploads}.away`);
    await mkdir(uploads);
    expect((await fetch(service.base + data.url)).status).toBe(500);
    expect((await upload()).status).toBe(503);
    await fetch(`${service.base}/v3/media-prompts?token=${bearer}`, { headers: { authorization } });
    expect(await service.end('SIGTERM')).toBe(0);
    expect(service.output.join('\n')).toContain('"msg":"request failed"');
    expectSilence(service.output, secretsOf(bearer, secret, [data.url]));
  });
});

test('whatever is handed to the log, its lines are clean', () => {
  const lines: string[] = [];
  const log = createLog('trace', { write: (line) => void lines.push(line) });
  const bearer = token();
  const url = `/uploads/call-flow-recordings/file-1795170712377-${'7'.repeat(39)}.wav`;
  const fault = Object.assign(new Error(`Could not open ${url} for ${bearer}`), {
    config: { headers: { authorization: `Bearer ${bearer}` }, name: NAME },
    request: { url },
    code: 'EFAULT',
  });
  log.info({ url, bearer }, `played ${url} with ${bearer}`);
  log.error({ err: fault }, 'failed');
  log.error({ error: fault }, 'failed');
  log.error(fault);
  log.warn({ err: { message: NAME.toUpperCase(), toString: () => 'thrown' } }, 'thrown');
  log.warn({ req: { url, headers: { authorization: bearer } }, res: { name: NAME } }, 'answered');
  log.child({ url }).fatal({ reason: 'postgres://me:hunter2-hunter2@db:5432/x refused' });
  expect(lines).toHaveLength(7);
  expect(lines.join('')).toContain('EFAULT');
  expectSilence(lines, [...secretsOf(bearer, 'hunter2-hunter2', [url])]);
});
