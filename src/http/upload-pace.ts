import type { IncomingMessage } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Readable } from 'node:stream';
import { LibraryError } from '../library/errors.ts';

/** How slowly the body of an upload may come. */
export interface PaceLimits {
  /** Over how much waiting for the client it is judged, ms; nothing at all for so long is silence. */
  readonly windowMs: number;
  /** On average over each such window; 0 = only silence counts. */
  readonly leastBytesPerSecond: number;
  /** From the first byte to the last, ms, whoever is slow. */
  readonly mostMs: number;
}

/** Watches one body. */
export interface Pace {
  arrived(bytes: number): void;
  /** The body is read, or given up. */
  stop(): void;
}

/** What came while we waited for the client. */
interface Slice {
  readonly waitedMs: number;
  readonly bytes: number;
}

/** Slices of a window: it slides by one of them. */
const SLICES = 6;

/**
 * A client that delivers less, on average over so much waiting for it, keeps others from a place for nothing. What is
 * faster brings a usual recording, of some megabytes, within the time that those others wait.
 */
const SLOW = { windowMs: 2_000, bytesPerSecond: 256 * 1024 } as const;

/**
 * Calls `end`, at most once, with the reason to give an upload up when its client is too slow. Only the time
 * counts in which we wait for the client.
 */
export function keepPace(source: Readable, limits: PaceLimits, end: (reason: LibraryError) => void): Pace {
  let bytes = 0;
  const stopJudging = judgeWindows(
    source,
    limits.windowMs,
    () => bytes,
    (window) => {
      const reason = reasonToEnd(window, limits);
      if (reason !== undefined) giveUp(reason);
    },
  );
  const giveUp = (message: string) => {
    stop();
    end(new LibraryError('upload-interrupted', message));
  };
  const stop = () => {
    stopJudging();
    clearTimeout(deadline);
    source.off('end', stop);
  };
  const deadline = setTimeout(() => {
    const seconds = Math.round(limits.mostMs / 1000);
    giveUp(`The upload took longer than ${seconds} seconds; send the file again over a faster connection.`);
  }, limits.mostMs);
  source.on('end', stop);

  return {
    arrived(count) {
      bytes += count;
    },
    stop,
  };
}

/**
 * Calls `giveWay` when the client of a request is slow, again and again until it says true or the body is read.
 * The same time counts as in `keepPace`. Returns how to stop that.
 */
export function whenSlow(request: IncomingMessage, giveWay: () => boolean): () => void {
  const { socket } = request;
  const stop = judgeWindows(
    request,
    SLOW.windowMs,
    // A listener for the body itself would set it flowing before anybody is there to take it.
    () => socket.bytesRead,
    ({ bytes, waitedMs }) => {
      const isSlow = bytes < (SLOW.bytesPerSecond * waitedMs) / 1000;
      if (isSlow && giveWay()) stop();
    },
  );
  return stop;
}

/**
 * Calls `judge` with the last window of waiting for the client, for each slice by which it slides. While `source` is
 * paused it is the disk, the database or the processor that keeps us, and that time is in no window; nor is more
 * than a slice should have taken, however late its timer is.
 */
function judgeWindows(
  source: Readable,
  windowMs: number,
  bytesSoFar: () => number,
  judge: (window: Slice) => void,
): () => void {
  const sliceMs = windowMs / SLICES;
  let slices: readonly Slice[] = [];
  let bytesBefore = bytesSoFar();
  let waitedMs = 0;
  let waitedNowMs = 0;
  let waitsSince = source.isPaused() ? undefined : performance.now();

  const onPause = () => {
    if (waitsSince !== undefined) waitedNowMs += performance.now() - waitsSince;
    waitsSince = undefined;
  };
  const onResume = () => {
    waitsSince ??= performance.now();
  };
  const tick = () => {
    const isWaiting = waitsSince !== undefined;
    onPause();
    waitedMs += Math.min(waitedNowMs, sliceMs);
    waitedNowMs = 0;
    if (isWaiting) onResume();
    // One in which we hardly waited goes on, or an upload that is held up by us would have ever more of them.
    if (waitedMs < sliceMs / 2) return;
    const bytes = bytesSoFar();
    slices = latest([...slices, { waitedMs, bytes: bytes - bytesBefore }], windowMs);
    bytesBefore = bytes;
    waitedMs = 0;
    if (isWindow(slices, windowMs)) judge(sumOf(slices));
  };
  const stop = () => {
    clearInterval(slicing);
    source.off('pause', onPause).off('resume', onResume).off('end', stop);
  };
  const slicing = setInterval(tick, sliceMs);
  source.on('pause', onPause).on('resume', onResume).on('end', stop);
  return stop;
}

/** The fewest of the last slices that make up a window; all of them while they do not. */
function latest(slices: readonly Slice[], windowMs: number): readonly Slice[] {
  let from = 0;
  while (isWindow(slices.slice(from + 1), windowMs)) from += 1;
  return slices.slice(from);
}

/** A millisecond less in each is no other window, but one slice of rounding more would be. */
const isWindow = (slices: readonly Slice[], windowMs: number): boolean =>
  sumOf(slices).waitedMs >= windowMs - SLICES;

const sumOf = (slices: readonly Slice[]): Slice => ({
  waitedMs: slices.reduce((sum, { waitedMs }) => sum + waitedMs, 0),
  bytes: slices.reduce((sum, { bytes }) => sum + bytes, 0),
});

function reasonToEnd({ waitedMs, bytes }: Slice, limits: PaceLimits): string | undefined {
  const seconds = Math.round(limits.windowMs / 1000);
  if (bytes === 0) {
    return `No bytes arrived for ${seconds} seconds, so the upload was ended; send the file again.`;
  }
  if (bytes >= (limits.leastBytesPerSecond * waitedMs) / 1000) return undefined;
  return `Fewer than ${limits.leastBytesPerSecond} bytes a second arrived for ${seconds} seconds, so the upload was ended; send the file again over a faster connection.`;
}
