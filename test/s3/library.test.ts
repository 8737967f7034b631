import { get } from 'node:http';
import { describe, expect, test } from 'vitest';
import { verify } from '../../src/library/verify.ts';
import { audio, uploadMedia } from '../support/media.ts';
import { file, fixture, promptForm, text } from '../support/multipart.ts';
import { token } from '../support/service.ts';
import { noise } from '../support/wav.ts';
import {
  audioBelow,
  createStore,
  endpoint,
  objectAt,
  putObject,
  type ServiceOnS3,
  spooled,
  startOnS3,
} from './bucket.ts';
import { isOfAudio, startHttpProxy } from './http-proxy.ts';

const WAV = fixture('tone.wav');
/** Long enough for the service's own sweeps to take nothing while a test looks. */
const LONG_LEASE = { UPLOAD_LEASE_SECONDS: '3600' };

async function uploaded(service: ServiceOnS3, name: string, content = WAV) {
  const parts = [file(content), text('name', name), text('message_type', 'prompt')];
  const { status, body } = await service.upload(parts);
  expect(status).toBe(201);
  return body.data;
}

const keyOf = ({ url }: { readonly url: string }) => url.slice(url.lastIndexOf('/') + 1);

const play = (service: ServiceOnS3, url: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(service.base + url, { method, headers, redirect: 'manual' });

async function loose({ rows }: ServiceOnS3): Promise<number> {
  const [row] = await rows<{ count: number }>("select count(*)::int from blobs where state <> 'kept'");
  return row?.count ?? -1;
}

async function expireLeases({ rows }: ServiceOnS3): Promise<void> {
  await rows("update blobs set lease_until = now() - interval '1 second' where state <> 'kept'");
}

async function findings(service: ServiceOnS3) {
  const { store } = await createStore({ prefix: service.prefix });
  const found: { readonly kind: string; readonly subject: string }[] = [];
  for await (const { kind, subject } of verify(service.db, store, { deep: true }))
    found.push({ kind, subject });
  return found;
}

describe('a prompt', () => {
  test('is an object of the bucket once it is acknowledged, and plays as it was uploaded', async () => {
    const service = await startOnS3(LONG_LEASE);
    const { url, sha256 } = await uploaded(service, 'Menu');
    expect(await audioBelow(service.prefix)).toEqual([keyOf({ url })]);
    expect((await objectAt(`${service.prefix}call-flow-recordings/${keyOf({ url })}`)).equals(WAV)).toBe(
      true,
    );
    expect(await spooled(service)).toEqual([]);

    const whole = await play(service, url);
    expect(whole.status).toBe(200);
    expect(Buffer.from(await whole.arrayBuffer()).equals(WAV)).toBe(true);
    const etag = whole.headers.get('etag') ?? '';
    expect(etag).toBe(`"${String(sha256).slice(0, 32)}"`);

    const head = await play(service, url, {}, 'HEAD');
    for (const name of ['content-length', 'content-type', 'etag', 'last-modified', 'cache-control']) {
      expect(head.headers.get(name)).toBe(whole.headers.get(name));
    }
    const part = await play(service, url, { range: 'bytes=100-199' });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(WAV.subarray(100, 200))).toBe(true);
    const parts = await play(service, url, { range: 'bytes=0-1,10-11' });
    expect(parts.status).toBe(206);
    expect(await parts.text()).toContain('Content-Range: bytes 10-11/');
    expect((await play(service, url, { 'if-none-match': etag })).status).toBe(304);
    expect((await play(service, url, { range: `bytes=${WAV.byteLength}-` })).status).toBe(416);
  });

  test('that is deleted is silent, its object is gone, and its row when the lease is over', async () => {
    const service = await startOnS3(LONG_LEASE);
    const { media_prompt_id: id, url } = await uploaded(service, 'Menu');
    expect((await service.call('DELETE', `/v3/media-prompts/${id}`)).status).toBe(200);
    expect((await play(service, url)).status).toBe(404);
    expect(await audioBelow(service.prefix)).toEqual([]);
    expect(await loose(service)).toBe(1);
    await service.library.sweep();
    expect(await loose(service)).toBe(1);
    await expireLeases(service);
    await service.library.sweep();
    expect(await loose(service)).toBe(0);
  });

  test('that is refused leaves nothing, whatever is wrong with it', async () => {
    const service = await startOnS3(LONG_LEASE);
    await uploaded(service, 'Taken');
    const kept = await audioBelow(service.prefix);
    expect((await service.upload([file('no audio'), ...promptForm('Text').slice(1)])).status).toBe(400);
    // The name comes behind the file, so the bytes are there before it is known to be taken.
    expect((await service.upload(promptForm('Taken'))).body.errors).toMatchObject([{ code: 'name_taken' }]);
    const large = await service.upload([file(Buffer.alloc(52_428_801)), ...promptForm('Large').slice(1)]);
    expect(large.body.errors).toMatchObject([{ code: 'file_too_large' }]);
    expect(await audioBelow(service.prefix)).toEqual(kept);
    expect(await spooled(service)).toEqual([]);
    await expireLeases(service);
    await service.library.sweep();
    expect(await loose(service)).toBe(0);
    expect(await audioBelow(service.prefix)).toEqual(kept);
  });

  test('that does not fit into the spool is refused with 507, and the next one is taken', async () => {
    const bytes = String(2 * WAV.byteLength);
    const service = await startOnS3({ ...LONG_LEASE, S3_SPOOL_BYTES: bytes, MAX_UPLOAD_BYTES: bytes });
    const content = noise(2 * WAV.byteLength, 1);
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        service.upload([file(content), ...promptForm(`Crowd ${i}`).slice(1)]),
      ),
    );
    expect(answers.map(({ status }) => status)).toContain(507);
    for (const { status } of answers) expect([201, 507]).toContain(status);
    expect(await spooled(service)).toEqual([]);
    await uploaded(service, 'Fits');
  });
});

test('what is played takes one request of the store, whole or in part', async () => {
  const proxy = await startHttpProxy(endpoint);
  const service = await startOnS3({ ...LONG_LEASE, S3_ENDPOINT: proxy.endpoint, PLAYBACK_CACHE_BYTES: '0' });
  const { url } = await uploaded(service, 'Cold');
  const before = proxy.seen.filter(isOfAudio).length;
  expect(Buffer.from(await (await play(service, url)).arrayBuffer()).equals(WAV)).toBe(true);
  const part = await fetch(service.base + url, { headers: { range: 'bytes=-100' } });
  expect(Buffer.from(await part.arrayBuffer()).equals(WAV.subarray(-100))).toBe(true);
  expect((await fetch(service.base + url, { method: 'HEAD' })).status).toBe(200);
  expect(proxy.seen.filter(isOfAudio).slice(before)).toMatchObject([
    { method: 'GET', range: `bytes=0-${WAV.byteLength - 1}` },
    { method: 'GET', range: `bytes=${WAV.byteLength - 100}-${WAV.byteLength - 1}` },
  ]);
  expect(proxy.answering()).toBe(0);
});

test('audio that is asked for again comes from memory, and the store is asked no more', async () => {
  const proxy = await startHttpProxy(endpoint);
  const service = await startOnS3({ ...LONG_LEASE, S3_ENDPOINT: proxy.endpoint });
  const { url } = await uploaded(service, 'Hot');
  await expect
    .poll(async () => {
      await (await play(service, url)).arrayBuffer();
      return service.library.shelf().bytes;
    })
    .toBe(WAV.byteLength);
  const asked = proxy.seen.filter(isOfAudio).length;
  const answers = await Promise.all(Array.from({ length: 50 }, () => play(service, url)));
  for (const answer of answers) expect(Buffer.from(await answer.arrayBuffer()).equals(WAV)).toBe(true);
  expect(proxy.seen.filter(isOfAudio)).toHaveLength(asked);
});

test('a client that leaves closes what the store sends it, and costs no more than it took', async () => {
  const proxy = await startHttpProxy(endpoint);
  const service = await startOnS3({ ...LONG_LEASE, S3_ENDPOINT: proxy.endpoint, PLAYBACK_CACHE_BYTES: '0' });
  const { url } = await uploaded(service, 'Long', noise(20_000_000, 2));
  await new Promise<void>((resolve) => {
    const request = get(service.base + url, (answer) => {
      answer.once('data', () => {
        answer.pause();
        expect(proxy.answering()).toBe(1);
        request.destroy();
        resolve();
      });
    });
    request.on('error', () => undefined);
  });
  await expect.poll(() => proxy.answering()).toBe(0);
  expect((await service.get('/readyz')).status).toBe(200);
});

describe('S3_SERVE=redirect', () => {
  test('sends who plays to the store, and answers by itself what needs no bytes', async () => {
    const service = await startOnS3({ ...LONG_LEASE, S3_SERVE: 'redirect' });
    const { url } = await uploaded(service, 'Menu');
    // Of prompts that nobody asked for before: what is known is answered another way.
    expect((await play(service, url, {}, 'HEAD')).status).toBe(200);
    const { url: other } = await uploaded(service, 'Other');
    expect((await play(service, other, { 'if-none-match': '*' })).status).toBe(304);
    const answer = await play(service, url);
    expect(answer.status).toBe(302);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const there = await fetch(answer.headers.get('location') ?? '', { headers: { range: 'bytes=0-1' } });
    expect(there.status).toBe(206);
    expect(there.headers.get('content-type')).toBe('audio/wav');
    expect(Buffer.from(await there.arrayBuffer()).equals(WAV.subarray(0, 2))).toBe(true);

    const head = await play(service, url, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(WAV.byteLength)]);
    const etag = head.headers.get('etag') ?? '';
    expect((await play(service, url, { 'if-none-match': etag })).status).toBe(304);
    // However often it is asked for, no memory is taken for it.
    for (let i = 0; i < 3; i += 1) expect((await play(service, url)).status).toBe(302);
    expect(service.library.shelf().bytes).toBe(0);
    // Should anybody ever hand one to the log, it loses there what makes it good.
    service.service.app.log.info({ location: answer.headers.get('location') }, 'a link');
    expect(service.logLines.join('\n')).toContain('X-Amz-Signature=[link]');
    expect(service.logLines.join('\n')).not.toMatch(/X-Amz-Signature=[0-9a-f]/i);
  });

  test('keeps the name that a file is saved under', async () => {
    const service = await startOnS3({ ...LONG_LEASE, S3_SERVE: 'redirect' });
    const { body } = await uploadMedia(service, [audio({ filename: 'welcome.wav' })]);
    const content = await fetch(`${service.base}/api/v1/media/${body.id}/content`, {
      headers: { authorization: `Bearer ${token()}` },
    });
    expect(content.redirected).toBe(true);
    expect(content.headers.get('content-disposition')).toBe('attachment; filename=welcome.wav');
    expect(Buffer.from(await content.arrayBuffer()).equals(WAV)).toBe(true);
  });
});

describe('verify', () => {
  test('finds in a bucket what it finds on a disk, and repair removes what the ledger gives it', async () => {
    const service = await startOnS3(LONG_LEASE);
    const [well, lost, damaged, shorter] = [
      await uploaded(service, 'Well'),
      await uploaded(service, 'Lost'),
      await uploaded(service, 'Damaged'),
      await uploaded(service, 'Shorter'),
    ];
    expect(await findings(service)).toEqual([]);
    const folder = `${service.prefix}call-flow-recordings/`;
    const { store } = await createStore({ prefix: service.prefix });
    await store.remove([keyOf(lost)]);
    await putObject(folder + keyOf(damaged), Buffer.alloc(WAV.byteLength));
    await putObject(folder + keyOf(shorter), Buffer.alloc(10));
    await putObject(`${folder}stranger.wav`, 'abc');
    const found = await findings(service);
    expect(found).toHaveLength(4);
    expect(found).toEqual(
      expect.arrayContaining([
        { kind: 'missing', subject: keyOf(lost) },
        { kind: 'damaged', subject: keyOf(damaged) },
        { kind: 'wrong-size', subject: keyOf(shorter) },
        { kind: 'unknown', subject: 'stranger.wav' },
      ]),
    );
    expect((await play(service, lost.url)).status).toBe(500);
    expect((await play(service, well.url)).status).toBe(200);
    // Nothing ever removes what the ledger does not name.
    await service.library.sweep();
    expect(await audioBelow(service.prefix)).toContain('stranger.wav');
  });
});
