import type { ByteReader } from './byte-reader.ts';
import type { StreamInfo } from './flac.ts';

const TAIL_BYTES = 256 * 1024;
const LONGEST_HEADER = 16;
const MAX_CANDIDATES = 100_000;

/**
 * Samples per channel up to the end of the last frame, for streams whose encoder could not go back and write
 * the number. A frame is known by its sync code and the checksum of its header (RFC 9639 section 9.1).
 */
export function samplesUpToLastFrame(reader: ByteReader, audio: number, info: StreamInfo): number {
  const from = Math.max(audio, reader.size - TAIL_BYTES);
  const tail = reader.view(from, TAIL_BYTES);
  let place = tail.length;
  for (let candidates = 0; candidates < MAX_CANDIDATES; candidates++) {
    place = place > 0 ? tail.lastIndexOf(0xff, place - 1) : -1;
    if (place < 0) return 0;
    const samples = samplesUpTo(tail.subarray(place, place + LONGEST_HEADER), info);
    if (samples !== null) return samples;
  }
  return 0;
}

/** The sample number behind the frame whose header stands at the start of `bytes`, null when none does. */
function samplesUpTo(bytes: Buffer, info: StreamInfo): number | null {
  const sync = bytes[1] ?? 0;
  const codes = bytes[2] ?? 0;
  if (bytes.length < 6 || (sync & 0xfe) !== 0xf8 || codes >> 4 === 0 || (codes & 15) === 15) return null;
  const number = readCodedNumber(bytes);
  if (number === null) return null;
  const blockCode = codes >> 4;
  const blockBytes = blockCode === 6 ? 1 : blockCode === 7 ? 2 : 0;
  const crcPlace = number.end + blockBytes + rateBytes(codes & 15);
  if (crcPlace >= bytes.length || crc8(bytes.subarray(0, crcPlace)) !== bytes[crcPlace]) return null;
  const blockSamples = blockBytes > 0 ? bytes.readUIntBE(number.end, blockBytes) + 1 : blockSizeOf(blockCode);
  const countsSamples = (sync & 1) === 1;
  return (countsSamples ? number.value : number.value * info.maxBlockSamples) + blockSamples;
}

function rateBytes(code: number): number {
  if (code === 12) return 1;
  return code === 13 || code === 14 ? 2 : 0;
}

/** RFC 9639 table 14. */
function blockSizeOf(code: number): number {
  if (code === 1) return 192;
  return code < 6 ? 144 << code : 1 << code;
}

/** The frame or sample number, written like a UTF-8 character of up to 36 bits. */
function readCodedNumber(bytes: Buffer): { value: number; end: number } | null {
  const lead = bytes[4] ?? 0xff;
  const ones = Math.clz32(~lead << 24);
  if (ones === 1 || ones > 7) return null;
  const followers = Math.max(ones - 1, 0);
  let value = ones === 0 ? lead : lead & (0x7f >> ones);
  for (let i = 0; i < followers; i++) {
    const byte = bytes[5 + i] ?? 0;
    if (byte >> 6 !== 2) return null;
    value = value * 64 + (byte & 0x3f);
  }
  return { value, end: 5 + followers };
}

/** CRC-8 with polynomial x^8 + x^2 + x + 1 (RFC 9639 section 9.1.8). */
function crc8(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? ((crc << 1) ^ 7) & 0xff : crc << 1;
  }
  return crc;
}
