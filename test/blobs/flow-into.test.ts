import { PassThrough, Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { flowInto } from '../../src/blobs/flow-into.ts';

const never = new AbortController().signal;
const chunks = ['one', 'two', 'three'].map((text) => Buffer.from(text));

/** Takes everything at once, and remembers it. */
function createTaker() {
  const taken: string[] = [];
  return {
    taken,
    take(chunk: Uint8Array): undefined {
      taken.push(Buffer.from(chunk).toString());
    },
  };
}

describe('what flows', () => {
  test('is taken in order, all of it', async () => {
    const { taken, take } = createTaker();
    await flowInto(Readable.from(chunks), never, take);
    expect(taken).toEqual(['one', 'two', 'three']);
  });

  test('waits for what was not taken yet, and the end does too', async () => {
    const taken: string[] = [];
    let busy = 0;
    await flowInto(Readable.from(chunks), never, async (chunk) => {
      busy += 1;
      expect(busy).toBe(1);
      await new Promise(setImmediate);
      taken.push(Buffer.from(chunk).toString());
      busy -= 1;
    });
    expect(taken).toEqual(['one', 'two', 'three']);
  });

  test('is held back: a source that nothing is taken of fills its own buffer and no more', async () => {
    const source = new PassThrough({ highWaterMark: 64 });
    const first = Promise.withResolvers<void>();
    const flowing = flowInto(source, never, () => first.promise);
    let accepted = 0;
    while (source.write(Buffer.alloc(16)) && accepted < 1000) accepted += 1;
    expect(accepted).toBeLessThan(10);
    first.resolve();
    source.end();
    await flowing;
  });
});

describe('a flow ends', () => {
  const broken = new Error('broken');

  test('with what its source fails with', async () => {
    const source = new PassThrough();
    const flowing = flowInto(source, never, createTaker().take);
    source.write('one');
    source.destroy(broken);
    await expect(flowing).rejects.toBe(broken);
  });

  test('when its source is closed before its end', async () => {
    const source = new PassThrough();
    const flowing = flowInto(source, never, createTaker().take);
    source.destroy();
    await expect(flowing).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });

  test('with what the taker throws, and nothing more is taken', async () => {
    let calls = 0;
    const flowing = flowInto(Readable.from(chunks), never, () => {
      calls += 1;
      throw broken;
    });
    await expect(flowing).rejects.toBe(broken);
    expect(calls).toBe(1);
  });

  test('with what the taker rejects with, also for the last chunk', async () => {
    const flowing = flowInto(Readable.from(chunks.slice(0, 1)), never, () => Promise.reject(broken));
    await expect(flowing).rejects.toBe(broken);
  });

  test('at once when it is aborted, and nothing more is taken', async () => {
    const source = new PassThrough();
    const abortion = new AbortController();
    const { taken, take } = createTaker();
    const flowing = flowInto(source, abortion.signal, take);
    source.write('one');
    await expect.poll(() => taken).toEqual(['one']);
    abortion.abort(broken);
    await expect(flowing).rejects.toBe(broken);
    source.write('two');
    await new Promise(setImmediate);
    expect(taken).toEqual(['one']);
  });

  test('before it begins when it was aborted before', async () => {
    const { taken, take } = createTaker();
    await expect(flowInto(Readable.from(chunks), AbortSignal.abort(broken), take)).rejects.toBe(broken);
    expect(taken).toEqual([]);
  });
});
