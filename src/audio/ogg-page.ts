import type { ByteReader } from './byte-reader.ts';

/** A page (RFC 3533 section 6). */
export interface OggPage {
  /** Whether a stream begins with it. */
  readonly isFirst: boolean;
  readonly serial: number;
  /** Position in time after this page, in units of its codec; -1 where no packet ends on it. */
  readonly granule: number;
  /** Offsets in the file of what the page carries, and of its end. */
  readonly body: number;
  readonly end: number;
}

const HEADER_BYTES = 27;
const CAPTURE_PATTERN = 0x4f676753;
const FIRST_BYTE = 0x4f;
const BEGINNING_OF_STREAM = 2;
const MAX_FALSE_STARTS = 1_000_000;

/** Every whole page, in order, passing over damaged stretches. */
export function* walkPages(reader: ByteReader): Generator<OggPage> {
  let offset = 0;
  let falseStarts = 0;
  while (offset >= 0 && falseStarts <= MAX_FALSE_STARTS) {
    const page = readPage(reader, offset);
    if (page !== null) {
      yield page;
      offset = page.end;
    } else {
      falseStarts += 1;
      offset = reader.indexOf(FIRST_BYTE, offset + 1, reader.size);
    }
  }
}

function readPage(reader: ByteReader, offset: number): OggPage | null {
  if (offset + HEADER_BYTES > reader.size || reader.u32be(offset) !== CAPTURE_PATTERN) return null;
  const segments = reader.u8(offset + 26);
  const body = offset + HEADER_BYTES + segments;
  if (reader.u8(offset + 4) !== 0 || body > reader.size) return null;
  let length = 0;
  for (const lacing of reader.view(offset + HEADER_BYTES, segments)) length += lacing;
  if (body + length > reader.size) return null;
  return {
    isFirst: (reader.u8(offset + 5) & BEGINNING_OF_STREAM) !== 0,
    granule: reader.i64le(offset + 6),
    serial: reader.u32le(offset + 14),
    body,
    end: body + length,
  };
}
