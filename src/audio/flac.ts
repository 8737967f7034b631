import type { ByteReader } from './byte-reader.ts';
import { requireMostOf, type Sound } from './facts.ts';
import { samplesUpToLastFrame } from './flac-frame.ts';
import { unreadable } from './refusal.ts';

const STREAM_INFO = 0;
const MAX_METADATA_BLOCKS = 1000;
/** What a frame of silence takes in mono: header, constant subframe, two checksums. */
const SMALLEST_FRAME_BYTES = 9;

export interface StreamInfo {
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples per channel; 0 when the encoder did not know. */
  readonly totalSamples: number;
  /** Samples per channel in the largest block. */
  readonly maxBlockSamples: number;
  /** Bytes of the smallest frame; 0 when unknown. */
  readonly minFrameBytes: number;
}

/** The 34 bytes of a STREAMINFO block (RFC 9639 section 8.2). */
export function readStreamInfo(reader: ByteReader, offset: number): StreamInfo {
  const packed = reader.u32be(offset + 10);
  return {
    maxBlockSamples: reader.u16be(offset + 2),
    minFrameBytes: reader.u24be(offset + 4),
    sampleRate: packed >>> 12,
    channels: ((packed >>> 9) & 7) + 1,
    totalSamples: (packed & 15) * 2 ** 32 + reader.u32be(offset + 14),
  };
}

/** A native FLAC stream (RFC 9639 section 6). */
export function readFlac(reader: ByteReader, start: number): Sound {
  if (start + 42 > reader.size || (reader.u8(start + 4) & 0x7f) !== STREAM_INFO) {
    throw unreadable('The FLAC file does not say what its audio is');
  }
  const info = readStreamInfo(reader, start + 8);
  const audio = endOfMetadata(reader, start + 4);
  if (audio + 2 > reader.size || reader.u16be(audio) >>> 2 !== 0x3ffe) {
    throw unreadable('The FLAC file holds no audio');
  }
  const samples = info.totalSamples || samplesUpToLastFrame(reader, audio, info);
  const frames = samples / Math.max(info.maxBlockSamples, 1);
  requireMostOf(frames * Math.max(info.minFrameBytes, SMALLEST_FRAME_BYTES), reader.size - audio);
  return {
    codec: 'flac',
    sampleRate: info.sampleRate,
    channels: info.channels,
    seconds: samples / info.sampleRate,
  };
}

function endOfMetadata(reader: ByteReader, first: number): number {
  let offset = first;
  for (let blocks = 0; blocks < MAX_METADATA_BLOCKS && offset + 4 <= reader.size; blocks++) {
    const header = reader.u32be(offset);
    offset += 4 + (header & 0xffffff);
    if (header >>> 31 === 1) return offset;
  }
  throw unreadable('The FLAC file holds no audio');
}
