import { RENDITIONS, type RenditionKind } from '../../audio/renditions.ts';
import { RENDITION_KINDS, renditionFile } from '../../library/track.ts';
import { playbackPath } from '../playback.ts';

/** What the API document shows of the audio of its prompt. */

const RECORDING = 'file-1795170712377-025352233801775856895322771574610352462';

export const urlOf = (kind: RenditionKind) => playbackPath(renditionFile(RECORDING, kind));

const rendition = (kind: RenditionKind) => {
  const { contentType, codec, sampleRate, channels } = RENDITIONS[kind];
  return {
    rendition: kind,
    state: 'pending',
    url: urlOf(kind),
    content_type: contentType,
    codec,
    sample_rate: sampleRate,
    channels,
    file_size: null as number | null,
    sha256: null as string | null,
    reason: null,
  };
};

/** Of a prompt asked for by itself: one rendition is made, and the others are still to come. */
export const AUDIO = {
  renditions: RENDITION_KINDS.map((kind) =>
    kind === 'pcm8k'
      ? {
          ...rendition(kind),
          state: 'ready',
          file_size: 43_020,
          sha256: '3b1f2c7f0f1a5d0c9e6b8a7d4c3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e',
        }
      : rendition(kind),
  ),
  audio_report: {
    loudness_lufs: -23.4,
    true_peak_dbtp: -4.1,
    leading_silence_ms: 120,
    trailing_silence_ms: 310,
    decoded_duration_ms: 2686,
    warnings: [{ code: 'narrowband', message: 'There is nothing to hear above the band of a telephone.' }],
  },
};

export const PLAYBACK = {
  url: `https://prompts.example.com${urlOf('mp3')}`,
  engine: 'sinch',
  band: 'narrow',
  rendition: 'mp3',
  content_type: RENDITIONS.mp3.contentType,
  codec: RENDITIONS.mp3.codec,
  sample_rate: RENDITIONS.mp3.sampleRate,
  file_size: 21_812,
  cache_seconds: 86_400,
  warnings: [
    {
      code: 'few_downloads',
      message: 'Sinch downloads 50 times and 50 MB an hour at most unless the contract says otherwise.',
    },
  ],
};

export const WAVEFORM = {
  buckets: 4,
  duration_ms: 2686,
  peaks: [
    [-0.125, 0.140_625],
    [-0.5, 0.484_375],
    [-0.3125, 0.25],
    [0, 0],
  ],
};
