import { channelsOfConfig, readProgramConfigChannels, SAMPLE_RATES } from './aac-config.ts';
import { readBits } from './bit-reader.ts';
import type { ByteReader } from './byte-reader.ts';
import type { Sound } from './facts.ts';
import { type Frame, firstFrame, framesBeginAt, HEADER_BYTES, walkFrames } from './frame-walk.ts';
import { unreadable } from './refusal.ts';

const SAMPLES_PER_BLOCK = 1024;
const PROGRAM_CONFIG_ELEMENT = 5;
const CRC_BYTES = 2;

/** An ADTS frame header (ISO/IEC 13818-7 6.2, 14496-3 1.A.3.2). */
function parseAdtsFrame(reader: ByteReader, offset: number): Frame | null {
  const head = reader.u32be(offset);
  if (head >>> 20 !== 0xfff || ((head >>> 17) & 3) !== 0) return null;
  const sampleRate = SAMPLE_RATES[(head >>> 10) & 15];
  const tail = reader.u24be(offset + 4);
  const length = ((head & 3) << 11) | (tail >>> 13);
  const headerLength = HEADER_BYTES + (head & 0x10000 ? 0 : CRC_BYTES);
  if (sampleRate === undefined || length <= headerLength) return null;
  const blocks = (tail & 3) + 1;
  return {
    length,
    samples: blocks * SAMPLES_PER_BLOCK,
    sampleRate,
    channels: channelsOfConfig((head >>> 6) & 7),
  };
}

export function isAdts(reader: ByteReader, offset: number, end: number): boolean {
  return framesBeginAt(reader, parseAdtsFrame, offset, end);
}

/** Where frames begin before `limit`, or -1. */
export function firstAdtsFrame(reader: ByteReader, limit: number): number {
  return firstFrame(reader, parseAdtsFrame, limit);
}

/** Raw AAC in ADTS frames: nothing tells the duration but the number of frames. */
export function readAdts(reader: ByteReader, start: number, end: number): Sound {
  const first = parseAdtsFrame(reader, start);
  if (first === null) throw unreadable('The file has no AAC audio where it should begin');
  const channels = first.channels === 0 ? programChannels(reader, start) : first.channels;
  const seconds = walkFrames(reader, parseAdtsFrame, start, end);
  return { codec: 'aac', sampleRate: first.sampleRate, channels, seconds };
}

/** Channel configuration 0: the first element of the frame must describe the channels. */
function programChannels(reader: ByteReader, frame: number): number {
  const hasCrc = (reader.u8(frame + 1) & 1) === 0;
  const bits = readBits(reader.view(frame + HEADER_BYTES + (hasCrc ? CRC_BYTES : 0), 64));
  return bits.take(3) === PROGRAM_CONFIG_ELEMENT ? readProgramConfigChannels(bits) : 0;
}
