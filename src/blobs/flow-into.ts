import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';

/**
 * Hands every chunk of `source` to `take` in the moment in which it comes, and resolves when the last one is taken. The
 * source waits for as long as a promise that `take` returns. Rejects with what the source fails with, with what `take`
 * throws or rejects with, and at once with the signal's reason; after that nothing is taken any more.
 *
 * An iterator would do the same, but makes promises for each chunk, and lets the parser of a form before it stop and
 * go on every time.
 */
export async function flowInto(
  source: Readable,
  signal: AbortSignal,
  take: (chunk: Uint8Array) => Promise<void> | undefined,
): Promise<void> {
  signal.throwIfAborted();
  const { promise: failure, reject } = Promise.withResolvers<never>();
  let taking: Promise<void> | undefined;
  const onData = (chunk: Uint8Array) => {
    try {
      taking = take(chunk);
    } catch (error) {
      fail(error);
      return;
    }
    if (taking === undefined) return;
    source.pause();
    taking.then(() => source.resume(), fail);
  };
  const fail = (reason: unknown) => {
    source.off('data', onData).pause();
    reject(reason);
  };
  const onAbort = () => fail(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const ended = finished(source, { writable: false, cleanup: true });
  source.on('data', onData);
  try {
    await Promise.race([ended, failure]);
    await Promise.race([taking, failure]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    ended.catch(() => undefined);
  }
}
