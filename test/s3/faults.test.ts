import process from 'node:process';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { assertSettings } from '../../src/blobs/s3-blob-store.ts';
import { ConfigError } from '../../src/config.ts';
import { bytesOf, codeOf, from, listed, publish } from '../blobs/contract.ts';
import { file, fixture, promptForm, text } from '../support/multipart.ts';
import type { TestService } from '../support/service.ts';
import { noise } from '../support/wav.ts';
import {
  audioBelow,
  bucket,
  CREDENTIALS,
  createStore,
  endpoint,
  type ServiceOnS3,
  spooled,
  startOnS3,
} from './bucket.ts';
import { first, type HttpProxy, isOfAudio, startHttpProxy } from './http-proxy.ts';

const WAV = fixture('tone.wav');
const LARGE = noise(6_000_000, 1);
const never = new AbortController().signal;
/** Sending may take half of it. */
const LEASE = '4';

interface Setting {
  readonly service: ServiceOnS3;
  readonly proxy: HttpProxy;
}

/** A service that reaches its store through a proxy, which has the last word on every request. */
async function startBehindProxy(env: Readonly<Record<string, string>> = {}): Promise<Setting> {
  const proxy = await startHttpProxy(endpoint);
  const service = await startOnS3({
    S3_ENDPOINT: proxy.endpoint,
    UPLOAD_LEASE_SECONDS: LEASE,
    // What plays must come from the store.
    PLAYBACK_CACHE_BYTES: '0',
    ...env,
  });
  return { service, proxy };
}

const form = (name: string, content = WAV) => [
  file(content),
  text('name', name),
  text('message_type', 'prompt'),
];

async function uploaded(service: ServiceOnS3, name: string, content = WAV): Promise<string> {
  const { status, body } = await service.upload(form(name, content));
  expect(status).toBe(201);
  return body.data.url;
}

async function played(service: ServiceOnS3, url: string): Promise<Buffer> {
  const answer = await fetch(service.base + url);
  expect(answer.status).toBe(200);
  return Buffer.from(await answer.arrayBuffer());
}

function expectAway({ status, headers, body }: Awaited<ReturnType<TestService['call']>>): void {
  expect(status).toBe(503);
  expect(headers.get('retry-after')).toBe('2');
  expect(body).toMatchObject({ code: 503, data: null });
  expect(body.message).not.toMatch(/s3|bucket|ECONN|http|amz/i);
}

/** Of what is not kept, nothing is in the bucket, the spool or the ledger once its lease is over. */
async function expectOnly(service: ServiceOnS3, urls: readonly string[]): Promise<void> {
  const keys = urls.map((url) => url.slice(url.lastIndexOf('/') + 1)).sort();
  const state = async () => ({
    audio: await audioBelow(service.prefix),
    loose: await service.rows("select name from blobs where state <> 'kept'"),
    spooled: await spooled(service),
  });
  await expect
    .poll(state, { timeout: 30_000, interval: 250 })
    .toEqual({ audio: keys, loose: [], spooled: [] });
  for (const url of urls) await played(service, url);
}

describe('a store', () => {
  test.each([
    ['is away', 'cut'],
    ['answers nothing', 'hold'],
    ['is too busy', 'slow-down'],
  ] as const)(
    'that %s is a 503 for what needs it, named by /readyz, and found again by itself',
    async (_, fate) => {
      const { service, proxy } = await startBehindProxy();
      const before = await uploaded(service, 'Before');
      proxy.decide(() => fate);
      const since = performance.now();
      expectAway(await service.upload(form('While it is away')));
      expectAway(await service.get(before));
      expect(performance.now() - since).toBeLessThan(20_000);
      const ready = await service.get('/readyz');
      expect(ready.status).toBe(503);
      expect(ready.body).toMatchObject({
        status: 'not ready',
        checks: { blobs: 'unavailable', database: 'ok' },
      });
      expect((await service.get('/v3/media-prompts')).status).toBe(200);
      proxy.decide(() => 'pass');
      await expect.poll(async () => (await service.get('/readyz')).status, { timeout: 10_000 }).toBe(200);
      const after = await uploaded(service, 'After');
      await expectOnly(service, [before, after]);
    },
  );

  test('that is away while a prompt is deleted loses its bytes when it is back', async () => {
    const { service, proxy } = await startBehindProxy();
    const { body } = await service.upload(form('Deleted'));
    const kept = await uploaded(service, 'Kept');
    proxy.decide(({ method }) => (method === 'DELETE' ? 'cut' : 'pass'));
    const { media_prompt_id: id, url } = body.data;
    expect((await service.call('DELETE', `/v3/media-prompts/${id}`)).status).toBe(200);
    expect((await service.get(url)).status).toBe(404);
    expect(await audioBelow(service.prefix)).toHaveLength(2);
    proxy.decide(() => 'pass');
    await expectOnly(service, [kept]);
  });
});

describe('the sending of an upload', () => {
  test.each([
    ['refused as too much', 'slow-down', 2],
    ['cut off before it begins', 'cut', 2],
    ['cut off in the middle', 'cut-body', 1],
  ] as const)('that is %s is tried again, and then acknowledged', async (_, fate, times) => {
    const { service, proxy } = await startBehindProxy({ UPLOAD_LEASE_SECONDS: '20' });
    proxy.decide(first(times, 'PUT', fate));
    const url = await uploaded(service, 'Again', LARGE);
    expect((await played(service, url)).equals(LARGE)).toBe(true);
    expect(proxy.seen.filter((one) => one.method === 'PUT' && isOfAudio(one))).toHaveLength(times + 1);
  });

  test.each([
    ['is cut off in the middle', 'cut-body'],
    ['is carried out, and nobody hears of it', 'lose-answer'],
    ['is never answered', 'hold'],
  ] as const)('that %s each time is not acknowledged, and nothing stays of it', async (_, fate) => {
    const { service, proxy } = await startBehindProxy();
    proxy.decide(first(Number.POSITIVE_INFINITY, 'PUT', fate));
    expectAway(await service.upload(form('Lost', LARGE)));
    proxy.decide(() => 'pass');
    await expectOnly(service, []);
    await uploaded(service, 'Lost', LARGE);
  });

  test('that is over the quota of the store is a 507, and not tried again', async () => {
    const { service, proxy } = await startBehindProxy();
    proxy.decide(first(1, 'PUT', 'over-quota'));
    const { status, body } = await service.upload(form('Too much'));
    expect(status).toBe(507);
    expect(body).toMatchObject({ code: 507, data: null });
    await expectOnly(service, []);
  });

  test('that lands after it was given up and removed is removed once more', async () => {
    const { service, proxy } = await startBehindProxy();
    proxy.decide(first(1, 'PUT', 'late'));
    expectAway(await service.upload(form('Late')));
    // The bytes were removed, and then they came.
    expect(await audioBelow(service.prefix)).toEqual([]);
    await proxy.land();
    expect(await audioBelow(service.prefix)).toHaveLength(1);
    await expectOnly(service, []);
  });

  test('that is given up takes less than half a lease, so that nobody sweeps meanwhile', async () => {
    const { service, proxy } = await startBehindProxy();
    proxy.decide(first(1, 'PUT', 'hold'));
    const since = performance.now();
    expectAway(await service.upload(form('Held')));
    expect(performance.now() - since).toBeLessThan(Number(LEASE) * 1000);
  });

  test('does not begin once the place is lost', async () => {
    const { service, proxy } = await startBehindProxy({ UPLOAD_LEASE_SECONDS: '3600' });
    const rest = Promise.withResolvers<void>();
    async function* body() {
      yield Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n');
      yield WAV;
      await rest.promise;
      yield Buffer.from('\r\n--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nLost');
      yield Buffer.from(
        '\r\n--b\r\nContent-Disposition: form-data; name="message_type"\r\n\r\nprompt\r\n--b--\r\n',
      );
    }
    const answering = service.call('POST', '/v3/media-prompts', {
      body: ReadableStream.from(body()),
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
    });
    await expect.poll(() => spooled(service)).toHaveLength(1);
    // As the sweeper of another machine does, which cannot reach our spool.
    await service.rows('delete from blobs');
    rest.resolve();
    expect((await answering).status).toBe(400);
    expect(proxy.seen.filter((one) => one.method === 'PUT' && isOfAudio(one))).toEqual([]);
    expect(await spooled(service)).toEqual([]);
  });
});

describe('the reading of a recording', () => {
  test('that breaks off in the middle is taken up where it was', async () => {
    const { service, proxy } = await startBehindProxy();
    const url = await uploaded(service, 'Broken off', LARGE);
    proxy.decide(first(2, 'GET', 'cut-answer'));
    expect((await played(service, url)).equals(LARGE)).toBe(true);
    const ranges = proxy.seen
      .filter((one) => one.method === 'GET' && isOfAudio(one))
      .map(({ range }) => range);
    expect(ranges).toHaveLength(3);
    expect(new Set(ranges).size).toBe(3);
  });

  test('that breaks off each time ends the answer before its end, and never as if it were whole', async () => {
    const { service, proxy } = await startBehindProxy();
    const url = await uploaded(service, 'Broken off', LARGE);
    proxy.decide(first(Number.POSITIVE_INFINITY, 'GET', 'cut-answer'));
    const answer = await fetch(service.base + url);
    expect(answer.status).toBe(200);
    await expect(answer.arrayBuffer()).rejects.toThrow();
    proxy.decide(() => 'pass');
    expect((await played(service, url)).equals(LARGE)).toBe(true);
  });

  test.each(['slow-down', 'cut'] as const)('that fails at first (%s) is tried again', async (fate) => {
    const { service, proxy } = await startBehindProxy();
    const url = await uploaded(service, 'Again');
    let left = 1;
    proxy.decide(() => {
      left -= 1;
      return left >= 0 ? fate : 'pass';
    });
    expect((await played(service, url)).equals(WAV)).toBe(true);
  });
});

describe('wrong settings', () => {
  const place = { bucket, endpoint, region: 'us-east-1', prefix: '' };

  function withCredentials(wrong: Partial<typeof CREDENTIALS>): void {
    Object.assign(process.env, wrong);
    onTestFinished(() => void Object.assign(process.env, CREDENTIALS));
  }

  test('keep the service from starting, in one sentence that names what is wrong', async () => {
    await expect(startOnS3({ S3_BUCKET: 'there-is-no-such-bucket' })).rejects.toThrow(
      new ConfigError(
        'BLOB_STORE=s3 cannot be used: there is no bucket of the name in S3_BUCKET (NoSuchBucket).',
      ),
    );
  });

  test('name a wrong secret and an unknown key', async () => {
    withCredentials({ AWS_SECRET_ACCESS_KEY: 'wrong' });
    await expect(assertSettings(place)).rejects.toThrow(/the secret access key is wrong/);
    withCredentials({ AWS_ACCESS_KEY_ID: 'nobody' });
    await expect(assertSettings(place)).rejects.toThrow(/cannot be used/);
  });

  test('that turn wrong later make the store unavailable, and nothing is taken for missing', async () => {
    const { store, prefix } = await createStore();
    await publish(store, 'one.wav', 'bytes');
    withCredentials({ AWS_SECRET_ACCESS_KEY: 'wrong' });
    const { store: refused } = await createStore({ prefix });
    expect(await codeOf(refused.open('one.wav'))).toBe('unavailable');
    expect(await codeOf(refused.open('none.wav'))).toBe('unavailable');
    expect(await codeOf(refused.remove(['one.wav']))).toBe('unavailable');
    expect(await codeOf(publish(refused, 'two.wav', 'bytes'))).toBe('unavailable');
    expect(await codeOf(refused.check())).toBe('unavailable');
    expect(await listed(store)).toEqual({ 'one.wav': 5 });
  });

  test('do not include a store that is away, which may come back', async () => {
    const proxy = await startHttpProxy(endpoint);
    proxy.decide(() => 'cut');
    await expect(assertSettings({ ...place, endpoint: proxy.endpoint })).resolves.toBeUndefined();
  });
});

test('a clock that is an hour off is no fault, nor that it is set right: the store tells the time', async () => {
  const { store } = await createStore();
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3600 * 1000 });
  onTestFinished(() => void vi.useRealTimers());
  for (const key of ['off.wav', 'right.wav']) {
    await store.publish(await store.stage(key, from([WAV]), never), key);
    expect((await bytesOf(store, key)).equals(WAV)).toBe(true);
    await store.check();
    vi.useRealTimers();
  }
});

test('what a failure says holds no key, no signature and no name of the bucket', async () => {
  const { service, proxy } = await startBehindProxy();
  const url = await uploaded(service, 'Before');
  proxy.decide(() => 'cut');
  await service.upload(promptForm('Away'));
  await service.get(url);
  const log = service.logLines.join('\n');
  expect(log).toContain('The object store cannot be used.');
  expect(log).not.toMatch(/AWS4-HMAC|X-Amz|secret/i);
  expect(log).not.toContain(bucket);
});
