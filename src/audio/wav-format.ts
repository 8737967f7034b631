import type { ByteReader } from './byte-reader.ts';
import { unreadable, unsupported } from './refusal.ts';

/** The `fmt ` chunk. */
export interface WavFormat {
  readonly codec: string;
  readonly sampleRate: number;
  readonly channels: number;
  readonly bytesPerSecond: number;
  /** Bytes that cannot be divided: one sample of every channel (PCM), or one block of a compressed codec. */
  readonly blockBytes: number;
  /** Samples per channel in a block; null when only `bytesPerSecond` tells the duration. */
  readonly blockSamples: number | null;
}

const EXTENSIBLE = 0xfffe;
/** The last 14 bytes of KSDATAFORMAT_SUBTYPE_*, whose first two are the format tag. */
const SUBTYPE_TAIL = '000000001000800000aa00389b71';

const PCM_CODECS: Readonly<Record<number, string>> = {
  1: 'pcm_u8',
  2: 'pcm_s16le',
  3: 'pcm_s24le',
  4: 'pcm_s32le',
  8: 'pcm_s64le',
};
const FLOAT_CODECS: Readonly<Record<number, string>> = { 4: 'pcm_f32le', 8: 'pcm_f64le' };
/** Registered format tags (RFC 2361) with the names that ffprobe gives to their codecs. */
const CODEC_OF_TAG: Readonly<Record<number, string>> = {
  2: 'adpcm_ms',
  6: 'pcm_alaw',
  7: 'pcm_mulaw',
  17: 'adpcm_ima_wav',
  20: 'adpcm_g726',
  49: 'gsm_ms',
  50: 'gsm_ms',
  64: 'adpcm_g726',
  66: 'g723_1',
  69: 'adpcm_g726',
  85: 'mp3',
  100: 'adpcm_g726',
  131: 'g729',
  655: 'adpcm_g722',
};
const GSM_BLOCK_BYTES = 65;
const GSM_BLOCK_SAMPLES = 320;
/** Of telephone codecs there is only mono; recorders leave rubbish in the field. */
const ALWAYS_MONO = new Set(['gsm_ms', 'g723_1', 'g729']);

/** Reads a `fmt ` chunk: WAVEFORMAT, WAVEFORMATEX or WAVEFORMATEXTENSIBLE. */
export function readWavFormat(reader: ByteReader, offset: number, size: number): WavFormat {
  if (size < 14) throw unreadable('The WAV file does not say what its audio is');
  const bits = size >= 16 ? reader.u16le(offset + 14) : 8;
  const channels = reader.u16le(offset + 2);
  const tag = formatTag(reader, offset, size);
  const codec = codecOf(tag, Math.ceil(bits / 8));
  if (channels === 0) throw unreadable('The file claims 0 audio channels');
  const blockAlign = reader.u16le(offset + 12);
  return {
    codec,
    sampleRate: reader.u32le(offset + 4),
    channels: ALWAYS_MONO.has(codec) ? 1 : channels,
    bytesPerSecond: reader.u32le(offset + 8),
    ...blockOf(codec, { blockAlign, channels, sampleBytes: Math.ceil(bits / 8) }),
  };
}

function formatTag(reader: ByteReader, offset: number, size: number): number {
  const tag = reader.u16le(offset);
  if (tag !== EXTENSIBLE || size < 40) return tag;
  const guid = reader.view(offset + 24, 16);
  if (guid.toString('hex', 2) !== SUBTYPE_TAIL) throw unreadable('The WAV file uses an unknown sub-format');
  return guid.readUInt16LE(0);
}

function codecOf(tag: number, sampleBytes: number): string {
  if (tag === 0x50) throw unsupported('This is MPEG layer II audio inside a WAV file');
  const codec =
    tag === 1 ? PCM_CODECS[sampleBytes] : tag === 3 ? FLOAT_CODECS[sampleBytes] : CODEC_OF_TAG[tag];
  if (codec === undefined) {
    throw unreadable(
      `The WAV file uses an unknown codec (format tag 0x${tag.toString(16).padStart(4, '0')})`,
    );
  }
  return codec;
}

interface BlockFields {
  readonly blockAlign: number;
  readonly channels: number;
  readonly sampleBytes: number;
}

/** The block of each codec: Microsoft's "New Multimedia Data Types and Data Techniques", 1994. */
function blockOf(codec: string, fields: BlockFields): Pick<WavFormat, 'blockBytes' | 'blockSamples'> {
  const { blockAlign, channels, sampleBytes } = fields;
  switch (codec) {
    case 'gsm_ms':
      return { blockBytes: GSM_BLOCK_BYTES, blockSamples: GSM_BLOCK_SAMPLES };
    case 'adpcm_ima_wav':
      return { blockBytes: blockAlign, blockSamples: ((blockAlign - 4 * channels) * 2) / channels + 1 };
    case 'adpcm_ms':
      return { blockBytes: blockAlign, blockSamples: ((blockAlign - 7 * channels) * 2) / channels + 2 };
    case 'adpcm_g722':
      return { blockBytes: channels, blockSamples: 2 };
    case 'pcm_alaw':
    case 'pcm_mulaw':
      return { blockBytes: channels, blockSamples: 1 };
    default:
      if (codec.startsWith('pcm_')) return { blockBytes: channels * sampleBytes, blockSamples: 1 };
      return { blockBytes: 1, blockSamples: null };
  }
}

/**
 * How long `bytes` of this format play. The `fact` chunk is believed only where it corrects the last block,
 * which the encoder filled up: everywhere else the bytes are the better witness.
 */
export function secondsOf(format: WavFormat, bytes: number, declaredSamples: number | null): number {
  const { blockBytes, blockSamples, sampleRate, bytesPerSecond } = format;
  if (blockSamples === null) return bytes / bytesPerSecond;
  if (blockBytes < 1 || blockSamples <= 0) throw unreadable('The WAV file claims an impossible block size');
  const samples = Math.floor((bytes / blockBytes) * blockSamples);
  const isRounded = declaredSamples !== null && samples - declaredSamples < blockSamples;
  return (isRounded && declaredSamples <= samples ? declaredSamples : samples) / sampleRate;
}
