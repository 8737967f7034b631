import type { ByteReader } from './byte-reader.ts';
import { requireMostOf, type Sound } from './facts.ts';
import { type Frame, firstFrame, framesBeginAt, HEADER_BYTES, walkFrames } from './frame-walk.ts';
import { unreadable, unsupported } from './refusal.ts';

interface Mp3Frame extends Frame {
  /** From the frame's first byte to the place of a Xing or Info tag. */
  readonly xingOffset: number;
}

const LAYER_III = 1;
const RESERVED_VERSION = 1;
const MPEG_1 = 3;
const KBPS_MPEG_1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const KBPS_MPEG_2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
/** By version bits: MPEG 2.5, reserved, MPEG 2, MPEG 1. */
const RATE_DIVISOR = [4, 0, 2, 1];
const SAMPLE_RATES = [44_100, 48_000, 32_000];
const VBRI_OFFSET = 36;

/** An MPEG audio layer III frame header (ISO/IEC 11172-3 2.4.2.3, 13818-3 2.4.2.3), free format excluded. */
export function parseMp3Frame(reader: ByteReader, offset: number): Mp3Frame | null {
  const header = reader.u32be(offset);
  const version = (header >>> 19) & 3;
  if (header >>> 21 !== 0x7ff || version === RESERVED_VERSION || ((header >>> 17) & 3) !== LAYER_III)
    return null;
  const isMpeg1 = version === MPEG_1;
  const kbps = (isMpeg1 ? KBPS_MPEG_1 : KBPS_MPEG_2)[(header >>> 12) & 15];
  const baseRate = SAMPLE_RATES[(header >>> 10) & 3];
  const divisor = RATE_DIVISOR[version];
  if (!kbps || !baseRate || !divisor || (header & 3) === 2) return null;
  const samples = isMpeg1 ? 1152 : 576;
  const sampleRate = baseRate / divisor;
  const padding = (header >>> 9) & 1;
  const channels = ((header >>> 6) & 3) === 3 ? 1 : 2;
  return {
    length: Math.floor((samples * 125 * kbps) / sampleRate) + padding,
    samples,
    sampleRate,
    channels,
    xingOffset: 4 + sideInfoBytes(isMpeg1, channels),
  };
}

function sideInfoBytes(isMpeg1: boolean, channels: number): number {
  if (isMpeg1) return channels === 1 ? 17 : 32;
  return channels === 1 ? 9 : 17;
}

/** Whether MPEG audio of layer I or II, which is not MP3, stands at `offset`. */
export function isOtherLayer(reader: ByteReader, offset: number): boolean {
  if (offset + 4 > reader.size) return false;
  const header = reader.u32be(offset);
  const layer = (header >>> 17) & 3;
  const isValid = ((header >>> 12) & 15) !== 15 && ((header >>> 10) & 3) !== 3 && ((header >>> 19) & 3) !== 1;
  return header >>> 21 === 0x7ff && layer > LAYER_III && isValid;
}

export function isMp3(reader: ByteReader, offset: number, end: number): boolean {
  return framesBeginAt(reader, parseMp3Frame, offset, end);
}

/** Where frames begin before `limit`, or -1. */
export function firstMp3Frame(reader: ByteReader, limit: number): number {
  return firstFrame(reader, parseMp3Frame, limit);
}

/** An MP3 stream: its Xing, Info or VBRI tag tells the number of frames, else they are counted. */
export function readMp3(reader: ByteReader, start: number, end: number): Sound {
  const first = start + HEADER_BYTES <= end ? parseMp3Frame(reader, start) : null;
  if (first === null || !isMp3(reader, start, end)) {
    if (isOtherLayer(reader, start)) throw unsupported('This is MPEG audio of layer I or II, not MP3');
    throw unreadable('The file has no MP3 audio where it should begin');
  }
  const tag = readFrameTag(reader, start, first);
  const seconds =
    tag !== null && isBelievable(tag, first, end - start)
      ? (tag.frames * first.samples) / first.sampleRate
      : walkFrames(reader, parseMp3Frame, start, end);
  return { codec: 'mp3', sampleRate: first.sampleRate, channels: first.channels, seconds };
}

interface FrameTag {
  readonly frames: number;
  /** Bytes of the whole stream, null when the tag does not say. */
  readonly bytes: number | null;
}

/** The tag that encoders hide in the first frame: Xing/Info (LAME's "mp3 info tag") or Fraunhofer's VBRI. */
function readFrameTag(reader: ByteReader, start: number, first: Mp3Frame): FrameTag | null {
  const xing = start + first.xingOffset;
  if (reader.has(xing, 'Xing') || reader.has(xing, 'Info')) {
    const flags = reader.u32be(xing + 4);
    if ((flags & 1) === 0) return null;
    return { frames: reader.u32be(xing + 8), bytes: flags & 2 ? reader.u32be(xing + 12) : null };
  }
  const vbri = start + VBRI_OFFSET;
  if (!reader.has(vbri, 'VBRI')) return null;
  return { frames: reader.u32be(vbri + 14), bytes: reader.u32be(vbri + 10) };
}

/** A tag that speaks of a shorter stream is left over from before files were joined: then frames are counted. */
function isBelievable(tag: FrameTag, first: Mp3Frame, present: number): boolean {
  if (tag.frames === 0) return false;
  const smallestKbps = first.samples === 1152 ? 32 : 8;
  const leastBytes = (tag.frames * first.samples * 125 * smallestKbps) / first.sampleRate;
  requireMostOf(Math.max(tag.bytes ?? 0, leastBytes), present);
  return tag.bytes === null || tag.bytes === 0 || present <= tag.bytes + tag.bytes / 16;
}
