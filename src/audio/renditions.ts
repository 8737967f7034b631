/** How much of the sound a rendition can hold: loudness and peaks differ between them. */
export type Band = 'narrow' | 'wide' | 'full';

/** What engines are told about a rendition, and what its bytes are, in the words of `ffprobe`. */
export interface RenditionFormat {
  readonly extension: string;
  readonly contentType: string;
  readonly codec: string;
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
  readonly band: Band;
}

/** The closed table of what recordings are converted to. `wav16` has the bytes of `pcm16k` under the name that Asterisk wants. */
export const RENDITIONS = {
  pcm8k: {
    extension: 'wav',
    contentType: 'audio/wav',
    codec: 'pcm_s16le',
    sampleRate: 8000,
    channels: 1,
    band: 'narrow',
  },
  pcm16k: {
    extension: 'wav',
    contentType: 'audio/wav',
    codec: 'pcm_s16le',
    sampleRate: 16_000,
    channels: 1,
    band: 'wide',
  },
  wav16: {
    extension: 'wav16',
    contentType: 'application/octet-stream',
    codec: 'pcm_s16le',
    sampleRate: 16_000,
    channels: 1,
    band: 'wide',
  },
  ulaw8k: {
    extension: 'wav',
    contentType: 'audio/wav',
    codec: 'pcm_mulaw',
    sampleRate: 8000,
    channels: 1,
    band: 'narrow',
  },
  ulaw: {
    extension: 'ulaw',
    contentType: 'audio/basic',
    codec: 'pcm_mulaw',
    sampleRate: 8000,
    channels: 1,
    band: 'narrow',
  },
  alaw: {
    extension: 'alaw',
    contentType: 'application/octet-stream',
    codec: 'pcm_alaw',
    sampleRate: 8000,
    channels: 1,
    band: 'narrow',
  },
  g722: {
    extension: 'g722',
    contentType: 'application/octet-stream',
    codec: 'adpcm_g722',
    sampleRate: 16_000,
    channels: 1,
    band: 'wide',
  },
  mp3: {
    extension: 'mp3',
    contentType: 'audio/mpeg',
    codec: 'mp3',
    sampleRate: 44_100,
    channels: 1,
    band: 'full',
  },
  opus: {
    extension: 'ogg',
    contentType: 'audio/ogg',
    codec: 'opus',
    sampleRate: 48_000,
    channels: 1,
    band: 'full',
  },
} as const satisfies Readonly<Record<string, RenditionFormat>>;

export type RenditionKind = keyof typeof RENDITIONS;
