import type { ByteReader } from './byte-reader.ts';
import type { Box, BoxReader } from './mp4-box.ts';
import { type EditList, readEditList } from './mp4-edit-list.ts';

/** A `trak` box without what its samples are. */
export interface Track {
  readonly id: number;
  /** `soun`, `vide`, `text` … */
  readonly handler: string;
  /** Units of time in a second. */
  readonly timescale: number;
  /** In those units; 0 when it stands in fragments. */
  readonly mediaDuration: number;
  readonly edits: EditList | null;
  readonly stsd: Box | undefined;
  /** What the sample tables say of the bytes: their sum, and the offset of the first. */
  readonly sampleBytes: number;
  readonly firstSampleOffset: number | null;
}

const UNKNOWN_DURATIONS = new Set([0xffffffff, 2 ** 64]);
const MAX_SAMPLES = 5_000_000;

/** ISO/IEC 14496-12 sections 8.3 to 8.7. */
export function readTrack(reader: ByteReader, boxes: BoxReader, trak: Box): Track {
  const parts = boxes.children(trak);
  const media = boxes.children(parts.get('mdia'));
  const tables = boxes.children(boxes.children(media.get('minf')).get('stbl'));
  const tkhd = parts.get('tkhd');
  const hdlr = media.get('hdlr');
  const { timescale, duration } = readMediaHeader(reader, media.get('mdhd'));
  const elst = boxes.children(parts.get('edts')).get('elst');
  return {
    id: tkhd === undefined ? 0 : reader.u32be(tkhd.body + (isLongForm(reader, tkhd) ? 20 : 12)),
    handler: hdlr === undefined ? '' : reader.ascii(hdlr.body + 8, 4),
    timescale,
    mediaDuration: duration || samplesDuration(reader, tables.get('stts')),
    edits: elst === undefined ? null : readEditList(reader, elst),
    stsd: tables.get('stsd'),
    sampleBytes: sumOfSizes(reader, tables.get('stsz')),
    firstSampleOffset: firstOffset(reader, tables.get('stco'), tables.get('co64')),
  };
}

/** Version 1 of a box has 64-bit times. */
function isLongForm(reader: ByteReader, box: Box): boolean {
  return reader.u8(box.body) === 1;
}

function readMediaHeader(reader: ByteReader, mdhd: Box | undefined): { timescale: number; duration: number } {
  if (mdhd === undefined) return { timescale: 0, duration: 0 };
  const isLong = isLongForm(reader, mdhd);
  const timescale = reader.u32be(mdhd.body + (isLong ? 20 : 12));
  const duration = isLong ? reader.u64be(mdhd.body + 24) : reader.u32be(mdhd.body + 16);
  return { timescale, duration: UNKNOWN_DURATIONS.has(duration) ? 0 : duration };
}

function samplesDuration(reader: ByteReader, stts: Box | undefined): number {
  if (stts === undefined) return 0;
  const entries = entriesWithin(stts, 8, reader.u32be(stts.body + 4), 8);
  let duration = 0;
  for (let i = 0; i < entries; i++) {
    const entry = stts.body + 8 + i * 8;
    duration += reader.u32be(entry) * reader.u32be(entry + 4);
  }
  return duration;
}

function sumOfSizes(reader: ByteReader, stsz: Box | undefined): number {
  if (stsz === undefined || stsz.end - stsz.body < 12) return 0;
  const size = reader.u32be(stsz.body + 4);
  const count = reader.u32be(stsz.body + 8);
  if (size > 0) return size * count;
  const entries = entriesWithin(stsz, 12, count, 4);
  let bytes = 0;
  for (let i = 0; i < entries; i++) bytes += reader.u32be(stsz.body + 12 + i * 4);
  return bytes;
}

function firstOffset(reader: ByteReader, stco: Box | undefined, co64: Box | undefined): number | null {
  const table = stco ?? co64;
  if (table === undefined || reader.u32be(table.body + 4) === 0) return null;
  return stco === undefined ? reader.u64be(table.body + 8) : reader.u32be(table.body + 8);
}

/** A table's declared length, but no more than its box has room for. */
function entriesWithin(box: Box, header: number, declared: number, entryBytes: number): number {
  return Math.min(declared, Math.floor((box.end - box.body - header) / entryBytes), MAX_SAMPLES);
}
