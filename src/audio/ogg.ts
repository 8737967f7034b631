import type { ByteReader } from './byte-reader.ts';
import type { Sound } from './facts.ts';
import { type OggCodec, readOggCodec } from './ogg-codec.ts';
import { type OggPage, walkPages } from './ogg-page.ts';
import { unreadable, unsupported } from './refusal.ts';

/** Streams that begin and play together: of a chain, one link. Positions in time are those of its first sound. */
interface Link {
  serial: number;
  codec: OggCodec | null;
  first: number | null;
  second: number | null;
  last: number;
}

/** A first page that ends later than this was cut out of a broadcast: its time does not start at zero. */
const LATE_START_SECONDS = 10;
/** Of a file, pages that carry next to nothing are no recording. */
const LEAST_PAYLOAD = 1 / 8;

/**
 * Ogg (RFC 3533) with Vorbis, Opus (RFC 7845), FLAC or Speex. Streams that play together are told apart by
 * their serial numbers. All pages are visited, since a chain of files behind each other, whose durations add up,
 * cannot be told from a single one by its ends.
 */
export function readOgg(reader: ByteReader): Sound {
  let codec: OggCodec | null = null;
  let link = newLink();
  let seconds = 0;
  let payload = 0;
  let isBeginning = true;
  for (const page of walkPages(reader)) {
    if (page.isFirst && !isBeginning) {
      seconds += secondsOf(link);
      link = newLink();
    }
    isBeginning = page.isFirst;
    if (isBeginning) begin(link, reader, page);
    else advance(link, page);
    codec ??= link.codec;
    if (codec === null && !isBeginning) throw unsupported('This Ogg file has no sound that we can read');
    payload += page.end - page.body;
  }
  seconds += secondsOf(link);
  if (codec === null || seconds === 0) throw unreadable('The Ogg file holds no audio');
  if (payload < reader.size * LEAST_PAYLOAD) throw unreadable('Most of the file is not audio');
  return { codec: codec.name, sampleRate: codec.sampleRate, channels: codec.channels, seconds };
}

function newLink(): Link {
  return { serial: 0, codec: null, first: null, second: null, last: 0 };
}

function begin(link: Link, reader: ByteReader, page: OggPage): void {
  if (link.codec !== null) return;
  link.codec = readOggCodec(reader, page.body);
  link.serial = page.serial;
}

function advance(link: Link, { serial, granule }: OggPage): void {
  if (serial !== link.serial || granule <= 0) return;
  if (link.first === null) link.first = granule;
  else link.second ??= granule;
  link.last = granule;
}

/** A broadcast begins, as near as can be told, one page before the first position in it. */
function secondsOf({ codec, first, second, last }: Link): number {
  if (codec === null || first === null) return 0;
  const isLate = second !== null && first > LATE_START_SECONDS * codec.sampleRate;
  const start = isLate ? Math.max(codec.preSkip, 2 * first - second) : codec.preSkip;
  return Math.max(0, last - start) / codec.sampleRate;
}
