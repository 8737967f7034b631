/**
 * Bytes that may lie about before they are cleared away. V8 counts them when it decides whether to collect everything,
 * and may leave itself as little as 12 MB until then: with 8 MiB of chunks it did nothing else.
 */
const MOST = 4 * 1024 * 1024;

let since = 0;

/**
 * To be told how many bytes of chunks were copied and are garbage now. V8 sees little of them, since they lie outside
 * its heap, and would let some forty megabytes pile up before its next collection; a collection of what is young takes
 * a millisecond. Needs `--expose-gc`, with which `npm start` runs; without it, more memory is used and all else is the same.
 */
export function clearAway(bytes: number): void {
  since += bytes;
  if (since < MOST) return;
  since = 0;
  globalThis.gc?.({ type: 'minor' });
}
