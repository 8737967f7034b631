import type { RenditionKind } from '../audio/renditions.ts';
import type { ConverterInput } from './converter.ts';

/** How a rendition is written, and read again to be measured. */
interface Encoding {
  /** Of ffmpeg, for one output. */
  readonly encoder: readonly string[];
  readonly input: Omit<ConverterInput, 'file'>;
  /** What it usually adds to a peak that was limited. */
  readonly headroomDb: number;
  /** Whether it may come out louder or with higher peaks than what was put in. */
  readonly isLossy: boolean;
}

const PCM: Encoding = {
  encoder: ['-c:a', 'pcm_s16le', '-f', 'wav'],
  input: { demuxer: 'wav' },
  headroomDb: 0.5,
  isLossy: false,
};
const BARE: readonly string[] = ['-ar', '8000'];

export const ENCODINGS: Readonly<Record<RenditionKind, Encoding>> = {
  pcm8k: PCM,
  pcm16k: PCM,
  wav16: PCM,
  ulaw8k: {
    encoder: ['-c:a', 'pcm_mulaw', '-f', 'wav'],
    input: { demuxer: 'wav' },
    headroomDb: 0.5,
    isLossy: false,
  },
  ulaw: {
    encoder: ['-c:a', 'pcm_mulaw', '-f', 'mulaw'],
    input: { demuxer: 'mulaw', options: BARE },
    headroomDb: 0.5,
    isLossy: false,
  },
  alaw: {
    encoder: ['-c:a', 'pcm_alaw', '-f', 'alaw'],
    input: { demuxer: 'alaw', options: BARE },
    headroomDb: 0.5,
    isLossy: false,
  },
  g722: {
    encoder: ['-c:a', 'g722', '-f', 'g722'],
    input: { demuxer: 'g722' },
    headroomDb: 0.8,
    isLossy: true,
  },
  mp3: {
    // Without tags but with the Xing frame, which tells players what of the first and the last frame is padding.
    encoder: ['-c:a', 'libmp3lame', '-b:a', '64k', '-f', 'mp3', '-id3v2_version', '0', '-write_id3v1', '0'],
    input: { demuxer: 'mp3' },
    headroomDb: 0.8,
    isLossy: true,
  },
  opus: {
    encoder: ['-c:a', 'libopus', '-b:a', '24k', '-f', 'ogg'],
    input: { demuxer: 'ogg' },
    headroomDb: 1,
    isLossy: true,
  },
};
