import type { AudioFacts } from '../audio/facts.ts';
import { LOUDNESS_BLOCK_MS } from './chains.ts';
import type { Reading } from './meters.ts';
import type { SampleScan } from './samples.ts';

export type WarningCode =
  | 'too_quiet'
  | 'clipped'
  | 'long_silence'
  | 'truncated'
  | 'very_short'
  | 'narrowband';

/** What callers may hear; its message is for the uploader. */
export interface Warning {
  readonly code: WarningCode;
  readonly message: string;
}

/** What warnings are made of. */
export interface Findings extends SampleScan, Reading {
  readonly facts: Pick<AudioFacts, 'sampleRate' | 'durationMs'>;
  /** What is above the band of a telephone against all, in decibels; null in silence. */
  readonly highDb: number | null;
  /** The greatest sample of any channel, at most full scale. */
  readonly peakDbfs: number | null;
  /** How long the runs of samples at the peak are: 0 for single ones, 6 for two on average. */
  readonly flatness: number;
  readonly peakSamples: number;
}

const QUIET_LUFS = -40;
/** Full scale of µ-law, the lowest there is, is at -0.17 dB. */
const FULL_SCALE_DBFS = -0.2;
const CLIPPED_SAMPLES = 10;
const CLIPPED_FLATNESS = 3;
const LONG_LEADING_MS = 1000;
const LONG_TRAILING_MS = 2000;
const LONG_INNER_MS = 4000;
/** A cut that could also be a codec's padding is none. */
const TRUNCATED_MS = 250;
const TRUNCATED_SHARE = 0.03;
const NARROW_RATE = 8000;
const NARROW_DB = -50;

export function findWarnings(findings: Findings): readonly Warning[] {
  return Object.entries(RULES).flatMap(([code, rule]) => {
    const message = rule(findings);
    // Object.entries forgets what the keys are.
    return message === null ? [] : [{ code: code as WarningCode, message }];
  });
}

const RULES: Readonly<Record<WarningCode, (findings: Findings) => string | null>> = {
  too_quiet: ({ loudnessLufs }) => {
    if (loudnessLufs === null) return 'There is next to nothing to hear.';
    if (loudnessLufs >= QUIET_LUFS) return null;
    return `The recording is very quiet (${loudnessLufs.toFixed(1)} LUFS); what makes it louder makes its noise louder too.`;
  },
  clipped: ({ peakDbfs, flatness, peakSamples }) => {
    const isClipped =
      peakDbfs !== null &&
      peakDbfs >= FULL_SCALE_DBFS &&
      peakSamples >= CLIPPED_SAMPLES &&
      flatness >= CLIPPED_FLATNESS;
    return isClipped ? 'The recording was too loud for its file, and its peaks are cut off.' : null;
  },
  long_silence: ({ leadingSilenceMs, trailingSilenceMs, innerSilenceMs }) => {
    if (leadingSilenceMs >= LONG_LEADING_MS) return `It begins with ${seconds(leadingSilenceMs)} of silence.`;
    if (trailingSilenceMs >= LONG_TRAILING_MS)
      return `It ends with ${seconds(trailingSilenceMs)} of silence.`;
    if (innerSilenceMs >= LONG_INNER_MS) return `There are ${seconds(innerSilenceMs)} of silence in it.`;
    return null;
  },
  truncated: ({ facts, durationMs }) => {
    const missing = (facts.durationMs ?? 0) - durationMs;
    if (missing <= TRUNCATED_MS || missing <= (facts.durationMs ?? 0) * TRUNCATED_SHARE) return null;
    return `The last ${seconds(missing)} of the file cannot be played; it seems to be cut off.`;
  },
  very_short: ({ durationMs }) =>
    durationMs < LOUDNESS_BLOCK_MS ? `It lasts only ${durationMs} ms; its loudness is an estimate.` : null,
  narrowband: ({ facts, highDb }) => {
    const isNarrow =
      (facts.sampleRate !== null && facts.sampleRate <= NARROW_RATE) ||
      (highDb !== null && highDb < NARROW_DB);
    return isNarrow ? 'It sounds like a telephone: there is nothing in it above 4 kHz.' : null;
  },
};

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
