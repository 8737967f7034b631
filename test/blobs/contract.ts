import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { test as base, describe, expect } from 'vitest';
import { BlobError, type BlobStore, type OpenBlob, type StagedBlob } from '../../src/blobs/blob-store.ts';

/** A store that is empty, with a way to look behind it. */
export interface StoreUnderTest {
  readonly store: BlobStore;
  /** The names of all staged bytes, whole or not. */
  staged(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const never = new AbortController().signal;

/** What every blob store promises, whatever it is made of. `create` makes an empty one. */
export function blobStoreContract(name: string, create: () => Promise<StoreUnderTest>): void {
  const test = base.extend<{ subject: StoreUnderTest }>({
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    subject: async ({}, use) => {
      const subject = await create();
      await use(subject);
      await subject.close();
    },
  });

  describe(`${name}: bytes that arrive`, () => {
    for (const [what, chunks] of Object.entries(sources())) {
      test(`come back as they went: ${what}`, async ({ subject: { store } }) => {
        const whole = Buffer.concat(chunks);
        const staged = await store.stage('one', from(chunks), never);
        expect(staged.name).toBe('one');
        expect((await readFile(staged.path)).equals(whole)).toBe(true);
        await store.publish(staged, 'one.wav');
        expect((await bytesOf(store, 'one.wav')).equals(whole)).toBe(true);
        expect(await listed(store)).toEqual({ 'one.wav': whole.byteLength });
      });
    }

    test('are shown before they are taken, each chunk once and in order', async ({ subject: { store } }) => {
      const chunks = Array.from({ length: 9 }, (_, i) => Buffer.alloc(100_000, i));
      const seen: Uint8Array[] = [];
      await store.stage('one', from(chunks), never, (chunk) => void seen.push(chunk));
      expect(Buffer.concat(seen).equals(Buffer.concat(chunks))).toBe(true);
    });

    test('have no key before they are published, and are no longer staged after', async ({ subject }) => {
      const { store } = subject;
      const staged = await store.stage('one', from([Buffer.from('bytes')]), never);
      expect(await subject.staged()).toEqual(['one']);
      expect(await listed(store)).toEqual({});
      expect(await codeOf(store.open('one'))).toBe('not-found');
      expect(await codeOf(store.open('one.wav'))).toBe('not-found');
      await store.publish(staged, 'one.wav');
      expect(await subject.staged()).toEqual([]);
    });

    test('are seen under their key whole or not at all', async ({ subject: { store } }) => {
      const chunks = Array.from({ length: 16 }, (_, i) => Buffer.alloc(64 * 1024, i));
      const whole = Buffer.concat(chunks);
      const keys = Array.from({ length: 12 }, (_, i) => `blob-${i}.wav`);
      const seen = new Set<string>();
      const look = async (key: string) => {
        const bytes = await bytesOf(store, key).catch((error: unknown) => error);
        if (Buffer.isBuffer(bytes)) {
          expect(bytes.equals(whole)).toBe(true);
          seen.add(key);
          return;
        }
        expect(bytes).toMatchObject({ name: 'BlobError', code: 'not-found' });
        // What was once seen stays.
        expect(seen).not.toContain(key);
      };
      let isDone = false;
      const watch = async () => {
        while (!isDone) {
          for (const key of keys) await look(key);
          for (const size of Object.values(await listed(store))) expect(size).toBe(whole.byteLength);
        }
      };
      const publishAll = async () => {
        try {
          for (const key of keys) await store.publish(await store.stage(key, from(chunks), never), key);
        } finally {
          isDone = true;
        }
      };
      await Promise.all([watch(), publishAll()]);
      expect(Object.keys(await listed(store)).sort()).toEqual([...keys].sort());
    });

    test('of many at once do not mix', async ({ subject: { store } }) => {
      const names = Array.from({ length: 30 }, (_, i) => `blob-${i}`);
      await Promise.all(
        names.map(async (blob) => {
          const chunks = Array.from({ length: 20 }, () => Buffer.from(blob));
          await store.publish(await store.stage(blob, from(chunks), never), `${blob}.wav`);
        }),
      );
      for (const blob of names) {
        expect((await bytesOf(store, `${blob}.wav`)).toString()).toBe(blob.repeat(20));
      }
    });
  });

  describe(`${name}: an arrival that ends early`, () => {
    const broken = new Error('the source broke off');
    const lengths = [0, 1, 3_000_000];
    for (const length of lengths) {
      test(`leaves nothing after ${length} bytes of a source that fails, and says why`, async ({
        subject,
      }) => {
        async function* source() {
          if (length > 0) yield Buffer.alloc(length);
          await Promise.resolve();
          throw broken;
        }
        await expect(subject.store.stage('one', Readable.from(source()), never)).rejects.toBe(broken);
        await expectNothing(subject);
      });

      test(`leaves nothing when who looks at it refuses it after ${length} bytes, and lets go of its source`, async ({
        subject,
      }) => {
        const source = from([Buffer.alloc(length + 1), Buffer.from('refused')]);
        const refuse = (chunk: Uint8Array) => {
          if (chunk.byteLength !== length + 1) throw broken;
        };
        await expect(subject.store.stage('one', source, never, refuse)).rejects.toBe(broken);
        expect(source.destroyed).toBe(true);
        await expectNothing(subject);
      });

      test(`leaves nothing when it is aborted after ${length} bytes, and lets go of its source`, async ({
        subject,
      }) => {
        const abortion = new AbortController();
        let isReleased = false;
        async function* source() {
          try {
            if (length > 0) yield Buffer.alloc(length);
            abortion.abort();
            // A client that says no more.
            await new Promise((_resolve, reject) => {
              abortion.signal.throwIfAborted();
              abortion.signal.addEventListener('abort', () => reject(abortion.signal.reason));
            });
          } finally {
            isReleased = true;
          }
        }
        await expect(subject.store.stage('one', Readable.from(source()), abortion.signal)).rejects.toThrow();
        await expect.poll(() => isReleased).toBe(true);
        await expectNothing(subject);
      });
    }

    test('leaves nothing when it was aborted before it began', async ({ subject }) => {
      const source = from([Buffer.from('bytes')]);
      await expect(subject.store.stage('one', source, AbortSignal.abort())).rejects.toThrow();
      await expectNothing(subject);
    });

    test('leaves its name free', async ({ subject: { store } }) => {
      await expect(store.stage('one', from([Buffer.from('a')]), AbortSignal.abort())).rejects.toThrow();
      await store.publish(await store.stage('one', from([Buffer.from('b')]), never), 'one.wav');
      expect((await bytesOf(store, 'one.wav')).toString()).toBe('b');
    });

    test('does not touch its neighbours', async ({ subject }) => {
      const { store } = subject;
      await store.publish(await store.stage('kept', from([Buffer.from('kept')]), never), 'kept.wav');
      await store.stage('arriving', from([Buffer.from('arriving')]), never);
      await expect(store.stage('one', from([Buffer.from('a')]), AbortSignal.abort())).rejects.toThrow();
      expect(await listed(store)).toEqual({ 'kept.wav': 4 });
      expect(await subject.staged()).toEqual(['arriving']);
    });
  });

  describe(`${name}: staged bytes`, () => {
    test('can be given up, once or twice or never having been there', async ({ subject }) => {
      const { store } = subject;
      await store.stage('one', from([Buffer.from('bytes')]), never);
      await store.unstage('one');
      await expectNothing(subject);
      await store.unstage('one');
      await store.unstage('another');
    });

    test('that were given up cannot be published', async ({ subject }) => {
      const { store } = subject;
      const staged = await store.stage('one', from([Buffer.from('bytes')]), never);
      await store.unstage('one');
      expect(await codeOf(store.publish(staged, 'one.wav'))).toBe('not-found');
      await expectNothing(subject);
    });

    test('given up after they were published leave the blob alone', async ({ subject: { store } }) => {
      await publish(store, 'one.wav', 'bytes');
      await store.unstage('one.wav');
      expect((await bytesOf(store, 'one.wav')).toString()).toBe('bytes');
    });
  });

  describe(`${name}: blobs`, () => {
    test('that are not there are not found', async ({ subject: { store } }) => {
      const error = await store.open('nothing.wav').catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(BlobError);
      expect(error).toMatchObject({ code: 'not-found', message: expect.not.stringContaining('nothing.wav') });
      expect(await codeOf(store.open('nothing.wav', { start: 0, end: 5 }))).toBe('not-found');
    });

    test('say their size before they are read, and may be closed unread', async ({ subject: { store } }) => {
      await publish(store, 'one.wav', 'bytes');
      const blob = await store.open('one.wav');
      expect(blob.size).toBe(5);
      await blob.close();
    });

    test('can be closed after they were read', async ({ subject: { store } }) => {
      await publish(store, 'one.wav', 'bytes');
      const blob = await store.open('one.wav');
      expect((await partOf(blob, 0, 5)).toString()).toBe('bytes');
      await blob.close();
    });

    test('of which a part was asked for at once give that part, and then any other', async ({ subject }) => {
      const { store } = subject;
      await publish(store, 'one.wav', 'some bytes');
      for (const first of [
        { start: 0, end: 10 },
        { start: 5, end: 10 },
        { start: 2, end: 3 },
      ]) {
        const blob = await store.open('one.wav', first);
        expect(blob.size).toBe(10);
        for (const { start, end } of [first, first, { start: 0, end: 4 }, { start: 9, end: 10 }]) {
          expect((await partOf(blob, start, end)).toString()).toBe('some bytes'.slice(start, end));
        }
        await blob.close();
        const other = await store.open('one.wav', first);
        expect((await partOf(other, 1, 9)).toString()).toBe('ome byte');
        await other.close();
        await (await store.open('one.wav', first)).close();
      }
    });

    test('are read by many at once, each from its beginning', async ({ subject: { store } }) => {
      const content = 'bytes '.repeat(100_000);
      await publish(store, 'one.wav', content);
      const readers = await Promise.all(Array.from({ length: 20 }, () => bytesOf(store, 'one.wav')));
      expect(readers.every((read) => read.toString() === content)).toBe(true);
    });

    test('are gone once removed, and nothing else with them', async ({ subject: { store } }) => {
      for (const key of ['a.wav', 'b.wav', 'c.wav', 'd.wav']) await publish(store, key, key);
      await store.remove(['a.wav', 'missing.wav', 'c.wav']);
      expect(await listed(store)).toEqual({ 'b.wav': 5, 'd.wav': 5 });
      expect(await codeOf(store.open('a.wav'))).toBe('not-found');
      expect((await bytesOf(store, 'b.wav')).toString()).toBe('b.wav');
    });

    test('can be removed twice, by two at once, and none at all', async ({ subject: { store } }) => {
      await publish(store, 'a.wav', 'bytes');
      await Promise.all([store.remove(['a.wav']), store.remove(['a.wav'])]);
      await store.remove(['a.wav']);
      await store.remove([]);
      expect(await listed(store)).toEqual({});
    });

    test('are all listed, and staged bytes are not', async ({ subject: { store } }) => {
      expect(await listed(store)).toEqual({});
      const keys = Array.from({ length: 150 }, (_, i) => `blob-${i}.wav`);
      for (const key of keys) await publish(store, key, key);
      await store.stage('arriving', from([Buffer.from('bytes')]), never);
      expect(await listed(store)).toEqual(Object.fromEntries(keys.map((key) => [key, key.length])));
    });
  });

  test(`${name}: blobs that are placed are there at once and whole, and settle together`, async ({
    subject,
  }) => {
    const { store } = subject;
    const keys = ['a.wav', 'b.wav'];
    for (const key of keys) await store.place(await store.stage(key, from([Buffer.from(key)]), never), key);
    expect(await listed(store)).toEqual({ 'a.wav': 5, 'b.wav': 5 });
    expect((await bytesOf(store, 'b.wav')).toString()).toBe('b.wav');
    await store.settle();
    expect(await subject.staged()).toEqual([]);
    const gone = await store.stage('gone', from([]), never);
    await store.unstage('gone');
    expect(await codeOf(store.place(gone, 'gone.wav'))).toBe('not-found');
  });

  test(`${name}: a store that works says so`, async ({ subject: { store } }) => {
    await expect(store.check()).resolves.toBeUndefined();
    await expect(store.checkReading()).resolves.toBeUndefined();
  });
}

function sources(): Readonly<Record<string, readonly Buffer[]>> {
  return {
    'no bytes at all': [],
    'one byte': [Buffer.from('x')],
    'empty chunks between others': [Buffer.from('a'), Buffer.alloc(0), Buffer.from('b')],
    '10 000 chunks of 7 bytes': Array.from({ length: 10_000 }, (_, i) => Buffer.alloc(7, i)),
    'one chunk of 6 MB': [Buffer.alloc(6_000_000, 'xyz')],
  };
}

/** Chunks one by one, each after a turn of the event loop, as a connection brings them. */
export function from(chunks: readonly Buffer[]): Readable {
  return Readable.from(chunks);
}

export async function publish(store: BlobStore, key: string, content: string): Promise<StagedBlob> {
  const staged = await store.stage(key, from([Buffer.from(content)]), never);
  await store.publish(staged, key);
  return staged;
}

export async function bytesOf(store: BlobStore, key: string): Promise<Buffer> {
  const blob = await store.open(key);
  try {
    return await partOf(blob, 0, blob.size);
  } finally {
    await blob.close();
  }
}

/** The bytes that a transfer hands over, copied as a sink must. */
export async function partOf(blob: OpenBlob, start: number, end: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await blob.transfer(start, end, async (bytes) => {
    chunks.push(Buffer.from(bytes));
  });
  return Buffer.concat(chunks);
}

/** Sizes by key. */
export async function listed(store: BlobStore): Promise<Readonly<Record<string, number>>> {
  const found: Record<string, number> = {};
  for await (const { key, size } of store.list()) {
    expect(found).not.toHaveProperty([key]);
    found[key] = size;
  }
  return found;
}

/** Why the store refuses; undefined when it does not. */
export async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof BlobError) return error.code;
    throw error;
  }
}

export async function expectNothing({ store, staged }: StoreUnderTest): Promise<void> {
  expect(await staged()).toEqual([]);
  expect(await listed(store)).toEqual({});
}
