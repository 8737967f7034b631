import { mkdir, mkdtemp, readdir, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';
import { areDescriptorsKnown, openFiles } from '../support/descriptors.ts';
import { canMount, makeReadOnly, mount, unmount } from '../support/disks.ts';
import { blobStoreContract, bytesOf, codeOf, from, listed, publish } from './contract.ts';

const never = new AbortController().signal;
const FOLDER = join(tmpdir(), 'media-prompts-blobs-');

blobStoreContract('disk', async () => {
  const root = await mkdtemp(FOLDER);
  return { ...(await storeIn(root)), close: () => rm(root, { recursive: true }) };
});

async function storeIn(root: string) {
  return {
    root,
    published: join(root, 'call-flow-recordings'),
    store: await createDiskBlobStore(root),
    staged: async () => (await readdir(join(root, '.arriving'))).sort(),
  };
}

async function createStore() {
  const root = await mkdtemp(FOLDER);
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  return { ...(await storeIn(root)), close: () => Promise.resolve() };
}

describe('a folder', () => {
  test('holds each blob as a file of its key, and nothing else', async () => {
    const { store, root, published } = await createStore();
    await publish(store, 'one.wav', 'bytes');
    expect(await readFile(join(published, 'one.wav'), 'utf8')).toBe('bytes');
    expect((await readdir(root, { recursive: true })).sort()).toEqual([
      '.arriving',
      'call-flow-recordings',
      'call-flow-recordings/one.wav',
    ]);
  });

  test('is the same store to whoever opens it again', async () => {
    const { store, root } = await createStore();
    await publish(store, 'one.wav', 'bytes');
    const staged = await store.stage('two', from([Buffer.from('later')]), never);
    const again = await createDiskBlobStore(root);
    await again.publish(staged, 'two.wav');
    expect(await listed(again)).toEqual({ 'one.wav': 5, 'two.wav': 5 });
  });

  test('that is gone makes the store unavailable, not its blobs unheard of', async () => {
    const { store, root } = await createStore();
    await rm(root, { recursive: true });
    const source = from([Buffer.from('bytes')]);
    expect(await codeOf(store.stage('one', source, never))).toBe('unavailable');
    expect(await codeOf(store.check())).toBe('unavailable');
    expect(await codeOf(store.checkReading())).toBe('unavailable');
    expect(await codeOf(store.settle())).toBe('unavailable');
    expect(await codeOf(listed(store))).toBe('unavailable');
  });

  test('that is no folder any more makes the store unavailable', async () => {
    const { store, root } = await createStore();
    await rm(root, { recursive: true });
    await writeFile(root, 'not a folder');
    expect(await codeOf(store.stage('one', from([]), never))).toBe('unavailable');
    expect(await codeOf(store.open('one.wav'))).toBe('unavailable');
    expect(await codeOf(store.remove(['one.wav']))).toBe('unavailable');
    expect(await codeOf(store.check())).toBe('unavailable');
  });

  test('may hold folders of others, which are no blobs', async () => {
    const { store, published } = await createStore();
    await mkdir(join(published, 'lost+found'));
    expect(await listed(store)).toEqual({});
  });
});

test('bytes staged under a name are not lost to a second arrival of that name', async () => {
  const { store, staged } = await createStore();
  const first = await store.stage('one', from([Buffer.from('first')]), never);
  await expect(store.stage('one', from([Buffer.from('second')]), never)).rejects.toThrow();
  expect(await staged()).toEqual(['one']);
  await store.publish(first, 'one.wav');
  expect((await bytesOf(store, 'one.wav')).toString()).toBe('first');
});

test('a blob that is removed while it is read is read to its end', async () => {
  const { store } = await createStore();
  const content = 'bytes '.repeat(500_000);
  await publish(store, 'one.wav', content);
  const blob = await store.open('one.wav');
  const chunks: Buffer[] = [];
  await blob.transfer(0, blob.size, async (chunk) => {
    if (chunks.length === 0) await store.remove(['one.wav']);
    chunks.push(Buffer.from(chunk));
  });
  await blob.close();
  expect(Buffer.concat(chunks).toString()).toBe(content);
});

describe('a link that somebody planted', () => {
  async function plant() {
    const subject = await createStore();
    const target = join(subject.root, 'secret');
    await writeFile(target, 'not for you');
    return { ...subject, target };
  }

  test('is not followed when it has the name of a blob', async () => {
    const { store, published, target } = await plant();
    await symlink(target, join(published, 'one.wav'));
    expect(await codeOf(store.open('one.wav'))).toBe('not-found');
    expect(await listed(store)).toEqual({});
  });

  test('is removed itself, and what it points at stays', async () => {
    const { store, published, target } = await plant();
    await symlink(target, join(published, 'one.wav'));
    await store.remove(['one.wav']);
    expect(await readdir(published)).toEqual([]);
    expect(await readFile(target, 'utf8')).toBe('not for you');
  });

  test('is replaced by a publish, and what it points at stays', async () => {
    const { store, published, target } = await plant();
    await symlink(target, join(published, 'one.wav'));
    await publish(store, 'one.wav', 'bytes');
    expect((await bytesOf(store, 'one.wav')).toString()).toBe('bytes');
    expect(await readFile(target, 'utf8')).toBe('not for you');
  });

  test('is not written through when it has the name of an arrival', async () => {
    const { store, root, target } = await plant();
    await symlink(target, join(root, '.arriving/one'));
    await expect(store.stage('one', from([Buffer.from('bytes')]), never)).rejects.toThrow();
    expect(await readFile(target, 'utf8')).toBe('not for you');
    await unlink(join(root, '.arriving/one'));
  });
});

describe.skipIf(!areDescriptorsKnown)('descriptors', () => {
  /** Those of files below the root; what else the process has open is not ours to count. */
  const openBelow = (root: string) => openFiles((path) => path.startsWith(root));

  async function storeWithBlob() {
    const subject = await createStore();
    await publish(subject.store, 'one.wav', 'bytes '.repeat(500_000));
    return subject;
  }

  test('are counted right', async () => {
    const { store, root } = await storeWithBlob();
    const blob = await store.open('one.wav');
    expect(openBelow(root)).toHaveLength(1);
    await blob.close();
    expect(openBelow(root)).toEqual([]);
  });

  test('are given back by 200 blobs that are closed unread', async () => {
    const { store, root } = await storeWithBlob();
    for (let i = 0; i < 200; i += 1) await (await store.open('one.wav')).close();
    expect(openBelow(root)).toEqual([]);
  });

  test('are given back by 200 blobs that are read to their end', async () => {
    const { store, root } = await createStore();
    await publish(store, 'one.wav', 'bytes');
    for (let i = 0; i < 200; i += 1) await bytesOf(store, 'one.wav');
    await expect.poll(() => openBelow(root)).toEqual([]);
  });

  test('are given back by 200 readers that leave in the middle', async () => {
    const { store, root } = await storeWithBlob();
    for (let i = 0; i < 200; i += 1) {
      const blob = await store.open('one.wav');
      await expect(blob.transfer(0, blob.size, () => Promise.reject(new Error('gone')))).rejects.toThrow(
        'gone',
      );
      await blob.close();
    }
    await expect.poll(() => openBelow(root)).toEqual([]);
  });

  test('are given back by 200 arrivals that end early', async () => {
    const { store, root } = await createStore();
    async function* broken() {
      yield Buffer.from('bytes');
      throw new Error('broken');
    }
    for (let i = 0; i < 200; i += 1)
      await store.stage(`blob-${i}`, Readable.from(broken()), never).catch(() => undefined);
    expect(openBelow(root)).toEqual([]);
  });
});

const MEBIBYTE = 1024 * 1024;

describe.skipIf(!canMount())('a disk', () => {
  async function createSmallStore(options: string) {
    const root = await mkdtemp(FOLDER);
    mount(root, options);
    onTestFinished(async () => {
      unmount(root);
      await rm(root, { recursive: true });
    });
    return { ...(await storeIn(root)), close: () => Promise.resolve() };
  }

  const chunks = (bytes: number) => from(Array.from({ length: bytes / 65_536 }, () => Buffer.alloc(65_536)));

  test('that gets full keeps nothing of the arrival that filled it, and has room again', async () => {
    const subject = await createSmallStore('size=4m');
    const { store } = subject;
    await publish(store, 'kept.wav', 'kept');
    expect(await codeOf(store.stage('one', chunks(8 * MEBIBYTE), never))).toBe('full');
    expect(await subject.staged()).toEqual([]);
    expect(await listed(store)).toEqual({ 'kept.wav': 4 });
    await store.publish(await store.stage('two', chunks(2 * MEBIBYTE), never), 'two.wav');
    expect(await listed(store)).toEqual({ 'kept.wav': 4, 'two.wav': 2 * MEBIBYTE });
  });

  test('that is full for many at once keeps nothing of those that it refused', async () => {
    const subject = await createSmallStore('size=4m');
    const { store } = subject;
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, i) => codeOf(store.stage(`blob-${i}`, chunks(MEBIBYTE), never))),
    );
    const refused = outcomes.filter((code) => code !== undefined);
    expect(refused.length).toBeGreaterThanOrEqual(4);
    expect(new Set(refused)).toEqual(new Set(['full']));
    expect(await subject.staged()).toHaveLength(outcomes.length - refused.length);
  });

  test('without an inode left is full too', async () => {
    const subject = await createSmallStore('size=4m,nr_inodes=12');
    const { store } = subject;
    const outcomes: (string | undefined)[] = [];
    for (let i = 0; i < 12; i += 1) outcomes.push(await codeOf(publish(store, `${i}.wav`, 'bytes')));
    const kept = outcomes.filter((code) => code === undefined).length;
    expect(kept).toBeGreaterThan(0);
    expect(new Set(outcomes)).toEqual(new Set([undefined, 'full']));
    expect(await subject.staged()).toEqual([]);
    expect(Object.keys(await listed(store))).toHaveLength(kept);
    await store.remove(['0.wav']);
    await publish(store, 'again.wav', 'bytes');
  });

  test('that may only be read makes the store unavailable for writing, and plays on', async () => {
    const { store, root } = await createSmallStore('size=4m');
    await publish(store, 'one.wav', 'bytes');
    const staged = await store.stage('two', from([Buffer.from('bytes')]), never);
    makeReadOnly(root);
    expect(await codeOf(store.stage('three', from([]), never))).toBe('unavailable');
    expect(await codeOf(store.publish(staged, 'two.wav'))).toBe('unavailable');
    expect(await codeOf(store.unstage('two'))).toBe('unavailable');
    expect(await codeOf(store.remove(['one.wav']))).toBe('unavailable');
    expect(await codeOf(store.check())).toBe('unavailable');
    await store.checkReading();
    expect((await bytesOf(store, 'one.wav')).toString()).toBe('bytes');
  });
});
