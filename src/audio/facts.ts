import type { Container } from './formats.ts';
import { unreadable } from './refusal.ts';

/** What a file says of itself, in the words of `ffprobe`: `codec` is its `codec_name`. */
export interface AudioFacts {
  readonly container: Container;
  readonly codec: string;
  /** Hz; for Opus always 48000, whatever was recorded. */
  readonly sampleRate: number | null;
  readonly channels: number | null;
  /** What is playable, in milliseconds. */
  readonly durationMs: number | null;
}

export type Inspection =
  | { readonly fit: true; readonly facts: AudioFacts }
  | { readonly fit: false; readonly reason: 'unsupported' | 'unreadable'; readonly why: string };

/** One stream of sound, as the reader of its container found it. */
export interface Sound {
  readonly codec: string;
  readonly sampleRate: number;
  readonly channels: number;
  readonly seconds: number;
}

const MAX_CHANNELS = 64;
const MIN_SAMPLE_RATE = 1000;
const MAX_SAMPLE_RATE = 768_000;
const MIN_SECONDS = 0.05;
const MAX_SECONDS = 365 * 24 * 3600;
/** No codec but FLAC, whose reader has its own rule, says even silence with fewer bits. */
const MIN_BITS_PER_SECOND = 300;

/** The facts of a sound, or a refusal when no real recording of `fileSize` bytes can have them. */
export function plausibleFacts(container: Container, sound: Sound, fileSize: number): AudioFacts {
  const { codec, sampleRate, channels, seconds } = sound;
  if (channels < 1 || channels > MAX_CHANNELS) {
    throw unreadable(`The file claims ${channels} audio channels`);
  }
  if (!(sampleRate >= MIN_SAMPLE_RATE && sampleRate <= MAX_SAMPLE_RATE)) {
    throw unreadable(`The file claims a sample rate of ${sampleRate} Hz`);
  }
  if (!(seconds >= MIN_SECONDS)) {
    throw unreadable('The file holds less than 50 ms of audio');
  }
  const isStarved = codec !== 'flac' && fileSize * 8 < seconds * MIN_BITS_PER_SECOND;
  if (seconds > MAX_SECONDS || isStarved) {
    throw unreadable('The file is far too short for the duration it claims');
  }
  return { container, codec, sampleRate, channels, durationMs: Math.round(seconds * 1000) };
}

/** Refuses a file of which less than a tenth has arrived: a header, and next to nothing of its audio. */
export function requireMostOf(claimedBytes: number, presentBytes: number): void {
  if (presentBytes <= 0 || presentBytes * 10 < claimedBytes) {
    throw unreadable('The file is cut off: nearly all of its audio is missing');
  }
}
