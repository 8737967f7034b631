import type { ByteReader } from './byte-reader.ts';
import { readStreamInfo } from './flac.ts';

/** What the first packet of an Ogg stream says. */
export interface OggCodec {
  readonly name: string;
  /** Hz, also of the granule positions. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples at the start that a decoder throws away. */
  readonly preSkip: number;
}

/** The codec whose first packet stands at `packet`; null when it is not one of sound. */
export function readOggCodec(reader: ByteReader, packet: number): OggCodec | null {
  if (reader.has(packet, 'OpusHead')) {
    // RFC 7845 section 5.1: the rate in the header is only what was recorded; decoding is at 48 kHz.
    const preSkip = reader.u16le(packet + 10);
    return { name: 'opus', sampleRate: 48_000, channels: reader.u8(packet + 9), preSkip };
  }
  if (reader.has(packet, '\x01vorbis')) {
    const channels = reader.u8(packet + 11);
    return { name: 'vorbis', sampleRate: reader.u32le(packet + 12), channels, preSkip: 0 };
  }
  if (reader.has(packet, '\x7fFLAC') && reader.has(packet + 9, 'fLaC')) {
    const { sampleRate, channels } = readStreamInfo(reader, packet + 17);
    return { name: 'flac', sampleRate, channels, preSkip: 0 };
  }
  if (reader.has(packet, 'Speex   ')) {
    const channels = reader.u32le(packet + 48);
    return { name: 'speex', sampleRate: reader.u32le(packet + 36), channels, preSkip: 0 };
  }
  return null;
}
