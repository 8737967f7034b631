import { type AacConfig, readAacConfig } from './aac-config.ts';
import type { ByteReader } from './byte-reader.ts';
import { readStreamInfo } from './flac.ts';
import type { Box, BoxReader } from './mp4-box.ts';
import { readDecoderConfig } from './mp4-descriptor.ts';
import { unreadable, unsupported } from './refusal.ts';

/** What the sample description of an audio track says. */
export interface SoundEntry {
  readonly codec: string;
  readonly sampleRate: number;
  readonly channels: number;
}

const ENTRY_BYTES = 28;
/** QuickTime's sound descriptions of version 1 and 2 carry more fields in front of their boxes. */
const EXTRA_BYTES: Readonly<Record<number, number>> = { 1: 16, 2: 36 };
const ENCRYPTED = new Set(['enca', 'drms']);

/** The first entry of an `stsd` box (ISO/IEC 14496-12 sections 8.5.2 and 12.2.3). */
export function readSoundEntry(reader: ByteReader, boxes: BoxReader, stsd: Box): SoundEntry {
  const entry = boxes.walk(stsd.body + 8, stsd.end).next().value;
  if (!entry || entry.end - entry.body < ENTRY_BYTES)
    throw unreadable('The MP4 file does not say what its audio is');
  if (ENCRYPTED.has(entry.type)) throw unsupported('This file is copy-protected');
  const plain = {
    sampleRate: reader.u16be(entry.body + 24),
    channels: reader.u16be(entry.body + 16),
  };
  const extra = EXTRA_BYTES[reader.u16be(entry.body + 8)] ?? 0;
  const inner = boxes.children({ ...entry, body: entry.body + ENTRY_BYTES + extra });
  const boxOf = (type: string, length: number): Box => {
    const box = inner.get(type);
    if (box === undefined || box.end - box.body < length)
      throw unreadable('The MP4 file does not say what its audio is');
    return box;
  };
  switch (entry.type) {
    case 'mp4a':
      return readElementaryStream(reader, boxOf('esds', 5), plain);
    case '.mp3':
      return { codec: 'mp3', ...plain };
    case 'Opus':
      return readOpus(reader, boxOf('dOps', 11));
    case 'alac':
      return readAlac(reader, boxOf('alac', 28));
    case 'fLaC':
      return readFlacEntry(reader, boxOf('dfLa', 42));
    default:
      throw unsupported(`This MP4 file has sound of the kind "${entry.type.replace(/[^\w -]/g, '?')}"`);
  }
}

/** The codec is not in the name of an `mp4a` entry but in its descriptor, and the truth about AAC only in there. */
function readElementaryStream(reader: ByteReader, esds: Box, plain: Omit<SoundEntry, 'codec'>): SoundEntry {
  const { objectType, specificInfo } = readDecoderConfig(reader, esds);
  switch (objectType) {
    case 0x40:
    case 0x66:
    case 0x67:
    case 0x68:
      return readAac(specificInfo, plain);
    case 0x69:
    case 0x6b:
      return { codec: 'mp3', ...plain };
    case 0xad:
      return { codec: 'opus', sampleRate: 48_000, channels: plain.channels };
    case 0xdd:
      return { codec: 'vorbis', ...plain };
    default:
      throw unsupported(`This MP4 file has sound of the object type 0x${objectType.toString(16)}`);
  }
}

function readAac(specificInfo: Uint8Array, plain: Omit<SoundEntry, 'codec'>): AacConfig | SoundEntry {
  if (specificInfo.length < 2) return { codec: 'aac', ...plain };
  const config = readAacConfig(specificInfo);
  return {
    ...config,
    channels: config.channels || plain.channels,
    sampleRate: config.sampleRate || plain.sampleRate,
  };
}

/** "Encapsulation of Opus in ISO Base Media File Format" section 4.3.2; decoding is at 48 kHz. */
function readOpus(reader: ByteReader, box: Box): SoundEntry {
  return { codec: 'opus', sampleRate: 48_000, channels: reader.u8(box.body + 1) };
}

/** Apple's ALACSpecificConfig, behind four bytes of version and flags. */
function readAlac(reader: ByteReader, box: Box): SoundEntry {
  return { codec: 'alac', sampleRate: reader.u32be(box.body + 24), channels: reader.u8(box.body + 13) };
}

/** "Encapsulation of FLAC in ISO Base Media File Format" section 3.3.2. */
function readFlacEntry(reader: ByteReader, box: Box): SoundEntry {
  const { sampleRate, channels } = readStreamInfo(reader, box.body + 8);
  return { codec: 'flac', sampleRate, channels };
}
