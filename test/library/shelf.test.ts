import { join } from 'node:path';
import { describe, expect, vi } from 'vitest';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';
import { createShelf, forgottenByOthers } from '../../src/library/shelf.ts';
import { fixture, promptForm } from '../support/multipart.ts';
import { type TestService, test } from '../support/service.ts';

const WAV = fixture('tone.wav');

async function shelfOver(service: TestService, capacity: number) {
  const blobs = await createDiskBlobStore(join(service.dataDir, 'uploads'));
  return createShelf({ db: service.db, blobs, capacity });
}

async function recordings(service: TestService, prefix: string, count: number): Promise<string[]> {
  const names: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const { body } = await service.upload(promptForm(`${prefix} ${i}`));
    names.push(body.data.recording_name);
  }
  return names;
}

describe('the shelf', () => {
  test('has the bytes of what is asked for again, and they are the right ones', async ({ service }) => {
    const [name = ''] = await recordings(service, 'Hot', 1);
    const shelf = await shelfOver(service, 1_000_000);
    expect((await shelf.take(name))?.bytes).toBeUndefined();
    await expect.poll(async () => (await shelf.take(name))?.bytes).toEqual(WAV);
    expect(shelf.figures()).toMatchObject({ bytes: WAV.byteLength, recordings: 1 });
  });

  test('counts what it could answer and what it could not', async ({ service }) => {
    const [name = ''] = await recordings(service, 'Counted', 1);
    const shelf = await shelfOver(service, 1_000_000);
    await shelf.take(name);
    expect(shelf.figures()).toMatchObject({ hits: 0, misses: 1 });
    await expect.poll(async () => (await shelf.take(name))?.bytes).toBeDefined();
    const { hits } = shelf.figures();
    await shelf.take(name);
    expect(shelf.figures().hits).toBe(hits + 1);
  });

  test('never holds more than its capacity, whatever is asked for', async ({ service }) => {
    const capacity = 4 * WAV.byteLength;
    const names = await recordings(service, 'Crowd', 10);
    const shelf = await shelfOver(service, capacity);
    for (let round = 0; round < 3; round += 1) {
      for (const name of names) {
        await shelf.take(name);
        await shelf.take(name);
        expect(shelf.figures().bytes).toBeLessThanOrEqual(capacity);
      }
    }
    await expect.poll(() => shelf.figures().bytes).toBeGreaterThan(0);
  });

  test('keeps no recording that would take more than half of it', async ({ service }) => {
    const [name = ''] = await recordings(service, 'Too long', 1);
    const shelf = await shelfOver(service, 2 * WAV.byteLength - 1);
    for (let i = 0; i < 5; i += 1) expect((await shelf.take(name))?.bytes).toBeUndefined();
    expect(shelf.figures().bytes).toBe(0);
  });

  test('of no capacity still knows what there is', async ({ service }) => {
    const [name = ''] = await recordings(service, 'None', 1);
    const shelf = await shelfOver(service, 0);
    expect((await shelf.take(name))?.prompt.recording.name).toBe(name);
    expect(await shelf.take('nobody')).toBeUndefined();
  });

  test('forgets at once what it is told to, also while it is being loaded', async ({ service }) => {
    const [name = ''] = await recordings(service, 'Forgotten', 1);
    const shelf = await shelfOver(service, 1_000_000);
    await shelf.take(name);
    await shelf.take(name);
    shelf.forget(name);
    expect(shelf.atHand(name)).toBeUndefined();
    await service.rows('delete from prompts where name = $1', ['Forgotten 0']);
    expect(await shelf.take(name)).toBeUndefined();
    expect(shelf.figures()).toMatchObject({ bytes: 0, recordings: 0 });
  });
});

describe('others that play', () => {
  test('are waited for until they have forgotten', async () => {
    const told: string[] = [];
    const heard = Promise.withResolvers<void>();
    const forgotten = forgottenByOthers('a name', async (name) => {
      told.push(name);
      await heard.promise;
    });
    heard.resolve();
    await forgotten;
    expect(told).toEqual(['a name']);
    await forgottenByOthers('a name', undefined);
  });

  test('who cannot be told, or say nothing, are waited for while they may believe what they knew', async () => {
    vi.useFakeTimers();
    try {
      const over = vi.fn();
      for (const tell of [() => Promise.reject(new Error('away')), () => new Promise(() => undefined)]) {
        void forgottenByOthers('a name', tell).then(over);
      }
      await vi.advanceTimersByTimeAsync(890);
      expect(over).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(10);
      expect(over).toHaveBeenCalledTimes(2);
    } finally {
      vi.useRealTimers();
    }
  });
});
