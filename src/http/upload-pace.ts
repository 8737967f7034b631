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

interface Slice {
  readonly waitedMs: number;
  readonly bytes: number;
}

/** Slices of a window: it slides by one of them. */
const SLICES = 6;

/**
 * Calls `end`, at most once, with the reason to give an upload up when its client is too slow. Only the time
 * counts in which we wait for the client: while `source` is paused it is the disk, the database or the processor
 * that keeps us, and a slice never counts for longer than it should have taken, however late its timer is.
 */
export function keepPace(source: Readable, limits: PaceLimits, end: (reason: LibraryError) => void): Pace {
  const sliceMs = limits.windowMs / SLICES;
  let slices: readonly Slice[] = [];
  let bytes = 0;
  let waitedMs = 0;
  let waitsSince = source.isPaused() ? undefined : performance.now();

  const onPause = () => {
    if (waitsSince !== undefined) waitedMs += performance.now() - waitsSince;
    waitsSince = undefined;
  };
  const onResume = () => {
    waitsSince ??= performance.now();
  };
  const judge = () => {
    const isWaiting = waitsSince !== undefined;
    onPause();
    slices = latest([...slices, { waitedMs: Math.min(waitedMs, sliceMs), bytes }], limits.windowMs);
    bytes = 0;
    waitedMs = 0;
    if (isWaiting) onResume();
    const reason = reasonToEnd(slices, limits);
    if (reason !== undefined) giveUp(reason);
  };
  const giveUp = (message: string) => {
    stop();
    end(new LibraryError('upload-interrupted', message));
  };
  const stop = () => {
    clearInterval(slicing);
    clearTimeout(deadline);
    source.off('pause', onPause).off('resume', onResume).off('end', stop);
  };
  const slicing = setInterval(judge, sliceMs);
  const deadline = setTimeout(() => {
    const seconds = Math.round(limits.mostMs / 1000);
    giveUp(`The upload took longer than ${seconds} seconds; send the file again over a faster connection.`);
  }, limits.mostMs);
  source.on('pause', onPause).on('resume', onResume).on('end', stop);

  return {
    arrived(count) {
      bytes += count;
    },
    stop,
  };
}

/** The fewest of the last slices that make up a window; all of them while they do not. */
function latest(slices: readonly Slice[], windowMs: number): readonly Slice[] {
  let from = 0;
  // A millisecond less is no other window, but one slice of rounding more would be.
  while (waitedIn(slices.slice(from + 1)) >= windowMs - SLICES) from += 1;
  return slices.slice(from);
}

function reasonToEnd(slices: readonly Slice[], limits: PaceLimits): string | undefined {
  const waitedMs = waitedIn(slices);
  if (waitedMs < limits.windowMs - SLICES) return undefined;
  const bytes = slices.reduce((sum, slice) => sum + slice.bytes, 0);
  const seconds = Math.round(limits.windowMs / 1000);
  if (bytes === 0) {
    return `No bytes arrived for ${seconds} seconds, so the upload was ended; send the file again.`;
  }
  if (bytes >= (limits.leastBytesPerSecond * waitedMs) / 1000) return undefined;
  return `Fewer than ${limits.leastBytesPerSecond} bytes a second arrived for ${seconds} seconds, so the upload was ended; send the file again over a faster connection.`;
}

const waitedIn = (slices: readonly Slice[]): number =>
  slices.reduce((sum, { waitedMs }) => sum + waitedMs, 0);
