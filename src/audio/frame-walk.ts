import type { ByteReader } from './byte-reader.ts';
import { unreadable } from './refusal.ts';

/** The header of one frame of a stream that has no other headers. */
export interface Frame {
  /** Bytes from this header to the next. */
  readonly length: number;
  /** Samples per channel. */
  readonly samples: number;
  readonly sampleRate: number;
  readonly channels: number;
}

/** Returns null where no valid header stands. Reads at most `HEADER_BYTES`. */
export type ParseFrame = (reader: ByteReader, offset: number) => Frame | null;

export const HEADER_BYTES = 7;
const FRAMES_TO_BELIEVE = 4;
const MAX_FALSE_SYNCS = 1_000_000;

/**
 * Whether frames follow each other from `offset` on: a sync word alone also occurs in text with a byte order
 * mark and in noise. The frames must agree, and a shorter run is believed only where the file ends with it.
 */
export function framesBeginAt(reader: ByteReader, parse: ParseFrame, offset: number, end: number): boolean {
  const first = frameAt(reader, parse, offset, end);
  if (first === null) return false;
  let place = offset + first.length;
  for (let frames = 1; frames < FRAMES_TO_BELIEVE; frames++) {
    if (place + HEADER_BYTES > end) return frames > 1;
    const next = frameAt(reader, parse, place, end);
    if (next === null || !isSameStream(first, next)) return false;
    place += next.length;
  }
  return true;
}

/**
 * Seconds in all whole frames between `start` and `end`, by their headers alone. Junk between frames is passed
 * over; a file that is mostly junk is refused, however its beginning looks.
 */
export function walkFrames(reader: ByteReader, parse: ParseFrame, start: number, end: number): number {
  const search = { falseSyncs: 0 };
  let seconds = 0;
  let frameBytes = 0;
  let current = frameAt(reader, parse, start, end);
  let offset = start;
  while (current !== null) {
    const frame = frameAt(reader, parse, offset, end);
    if (frame !== null && isSameStream(current, frame)) {
      if (offset + frame.length > end) break;
      seconds += frame.samples / frame.sampleRate;
      frameBytes += frame.length;
      offset += frame.length;
    } else {
      offset = nextRun(reader, parse, offset, end, search);
      current = offset < 0 ? null : frameAt(reader, parse, offset, end);
    }
  }
  if (frameBytes * 2 < end - start) throw unreadable('Most of the file is not audio');
  return seconds;
}

/** Where a run of frames begins before `limit`, or -1. It may go on behind the limit. */
export function firstFrame(reader: ByteReader, parse: ParseFrame, limit: number): number {
  let offset = reader.indexOf(0xff, 0, limit);
  while (offset >= 0 && !framesBeginAt(reader, parse, offset, reader.size)) {
    offset = reader.indexOf(0xff, offset + 1, limit);
  }
  return offset;
}

/** Where frames go on at or behind `from`, or -1. */
function nextRun(
  reader: ByteReader,
  parse: ParseFrame,
  from: number,
  end: number,
  search: { falseSyncs: number },
): number {
  let offset = reader.indexOf(0xff, from, end);
  while (offset >= 0 && !framesBeginAt(reader, parse, offset, end)) {
    search.falseSyncs += 1;
    if (search.falseSyncs > MAX_FALSE_SYNCS) return -1;
    offset = reader.indexOf(0xff, offset + 1, end);
  }
  return offset;
}

function frameAt(reader: ByteReader, parse: ParseFrame, offset: number, end: number): Frame | null {
  return offset + HEADER_BYTES <= end ? parse(reader, offset) : null;
}

function isSameStream(one: Frame, other: Frame): boolean {
  return one.sampleRate === other.sampleRate && one.samples === other.samples;
}
