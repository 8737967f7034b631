import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { blobStoreContract, bytesOf, codeOf, from, listed, partOf, publish } from '../blobs/contract.ts';
import { audioBelow, createStore, newPrefix, objectAt, objectsBelow, putObject } from './bucket.ts';

const never = new AbortController().signal;

async function stagedIn(store: Awaited<ReturnType<typeof createStore>>['store']): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { key } of store.listStaged()) names.push(key);
  return names.sort();
}

blobStoreContract('s3', async () => {
  const { store } = await createStore();
  return { store, staged: () => stagedIn(store), close: () => Promise.resolve() };
});

describe('a bucket', () => {
  test('holds each blob as an object of its key below the prefix, and the mark beside them', async () => {
    const { store, prefix } = await createStore();
    await publish(store, 'one.wav', 'bytes');
    await store.setMark(7);
    expect(await objectsBelow(prefix)).toEqual({ 'call-flow-recordings/one.wav': 5, '.ledger-clock': 1 });
    expect((await objectAt(`${prefix}call-flow-recordings/one.wav`)).toString()).toBe('bytes');
  });

  test('is the same store to whoever opens it again', async () => {
    const { store, prefix } = await createStore();
    await publish(store, 'one.wav', 'bytes');
    const { store: again } = await createStore({ prefix });
    expect(await listed(again)).toEqual({ 'one.wav': 5 });
    await again.setMark(12);
    expect(await store.mark()).toBe(12);
  });

  test('has no mark before the first one, and none when it was overwritten with something else', async () => {
    const { store, prefix } = await createStore();
    expect(await store.mark()).toBe(0);
    await putObject(`${prefix}.ledger-clock`, 'not a number');
    expect(await store.mark()).toBe(0);
  });

  test('may hold objects of others, which are no blobs', async () => {
    const { store, prefix } = await createStore();
    await putObject(`${prefix}call-flow-recordings/`, '');
    await putObject(`${prefix}call-flow-recordings/deeper/one.wav`, 'bytes');
    await putObject(`${prefix}elsewhere.wav`, 'bytes');
    expect(await listed(store)).toEqual({});
  });

  test('is listed beyond one page', { timeout: 180_000 }, async () => {
    const { store, prefix } = await createStore();
    const keys = Array.from({ length: 1010 }, (_, i) => `blob-${i}.wav`);
    for (let i = 0; i < keys.length; i += 40) {
      await Promise.all(
        keys.slice(i, i + 40).map((key) => putObject(`${prefix}call-flow-recordings/${key}`, 'x')),
      );
    }
    expect(Object.keys(await listed(store)).sort()).toEqual([...keys].sort());
    await store.remove(keys);
    expect(await listed(store)).toEqual({});
  });

  test('that is not there makes the store unavailable, not its blobs unheard of', async () => {
    const { store } = await createStore({ bucket: 'there-is-no-such-bucket' });
    expect(await codeOf(store.open('one.wav'))).toBe('unavailable');
    expect(await codeOf(store.check())).toBe('unavailable');
    expect(await codeOf(store.checkReading())).toBe('unavailable');
    expect(await codeOf(listed(store))).toBe('unavailable');
    expect(await codeOf(store.mark())).toBe('unavailable');
    expect(await codeOf(store.setMark(1))).toBe('unavailable');
    expect(await codeOf(publish(store, 'one.wav', 'bytes'))).toBe('unavailable');
    expect(await stagedIn(store)).toEqual([]);
  });
});

test('every part of a blob is what was asked for, to the byte', async () => {
  const { store } = await createStore();
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
  await store.publish(await store.stage('one', from([content]), never), 'one.wav');
  const blob = await store.open('one.wav');
  for (const [start, end] of [
    [0, 1],
    [0, 300_000],
    [1, 2],
    [65_535, 65_537],
    [299_999, 300_000],
    [5, 5],
  ] as const) {
    expect((await partOf(blob, start, end)).equals(content.subarray(start, end))).toBe(true);
  }
  await expect(partOf(blob, 0, 300_001)).rejects.toMatchObject({ code: 'unavailable' });
  await blob.close();
});

test('bytes that changed between the inspection and the sending are not kept', async () => {
  const { store, prefix } = await createStore();
  const staged = await store.stage('one', from([Buffer.from('bytes')]), never);
  await writeFile(staged.path, 'other');
  expect(await codeOf(store.publish(staged, 'one.wav'))).toBe('unavailable');
  expect(await audioBelow(prefix)).toEqual([]);
  expect(await stagedIn(store)).toEqual([]);
});

test('staged bytes that another process of the machine gave up cannot be published', async () => {
  const { store, spool } = await createStore();
  const staged = await store.stage('one', from([Buffer.from('bytes')]), never);
  const { store: other } = await createStore({ spool: { directory: spool, maxBytes: 1 } });
  expect(await stagedIn(other)).toEqual(['one']);
  await other.unstage('one');
  expect(await codeOf(store.publish(staged, 'one.wav'))).toBe('not-found');
});

test('a link plays the blob to whoever has it, said as it is to be said, and only as long as it is whole', async () => {
  const { store } = await createStore({ givesLinks: true });
  await publish(store, 'one.wav', 'bytes');
  const headers = {
    contentType: 'audio/wav',
    cacheControl: 'public, max-age=60',
    contentDisposition: 'attachment; filename="menu.wav"',
  };
  const link = (await store.link?.('one.wav', headers)) ?? '';
  const answer = await fetch(link, { headers: { range: 'bytes=1-2' } });
  expect(answer.status).toBe(206);
  expect(await answer.text()).toBe('yt');
  expect(answer.headers.get('content-type')).toBe('audio/wav');
  expect(answer.headers.get('cache-control')).toBe('public, max-age=60');
  expect(answer.headers.get('content-disposition')).toBe('attachment; filename="menu.wav"');
  const tampered = await fetch(link.replace('one.wav', 'two.wav'));
  expect(tampered.status).toBe(403);
  expect((await createStore()).store.link).toBeUndefined();
});

test('two places in one bucket know nothing of each other', async () => {
  const [one, other] = [
    await createStore({ prefix: newPrefix() }),
    await createStore({ prefix: newPrefix() }),
  ];
  await publish(one.store, 'one.wav', 'bytes');
  expect(await listed(other.store)).toEqual({});
  await other.store.remove(['one.wav']);
  const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  expect(hash(await bytesOf(one.store, 'one.wav'))).toBe(hash(Buffer.from('bytes')));
});
