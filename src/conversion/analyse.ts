import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AudioFacts } from '../audio/facts.ts';
import type { Container } from '../audio/formats.ts';
import type { Band } from '../audio/renditions.ts';
import {
  BAND_RATES,
  CONTINUOUS,
  LONGEST_SECONDS,
  LOUDNESS_BLOCK_MS,
  type Mix,
  meter,
  mono,
  toRate,
} from './chains.ts';
import { ConversionError, type Converter } from './converter.ts';
import { type Reading, readFigure, readMeter } from './meters.ts';
import { unusable } from './outcome.ts';
import { type SampleScan, scanSamples } from './samples.ts';
import { findWarnings, type Warning } from './warnings.ts';

/** What one recording sounds like, and what `render` must know of it. */
export interface Analysis {
  /** Integrated loudness (EBU R128) of the original, all channels; null when nothing is loud enough to be measured. */
  readonly loudnessLufs: number | null;
  /** Null in digital silence. */
  readonly truePeakDbtp: number | null;
  readonly leadingSilenceMs: number;
  readonly trailingSilenceMs: number;
  /** What a decoder makes of it, in milliseconds. */
  readonly decodedDurationMs: number;
  readonly warnings: readonly Warning[];
  /** The least and the greatest sample of each of `PEAK_BUCKETS` stretches of time, in turns: -128 to 127. */
  readonly peaks: Int8Array;
  readonly container: Container;
  readonly mix: Mix;
  /** Of what the renditions of a band are made of. */
  readonly bands: Readonly<Record<Band, Reading>>;
}

export interface RunOptions {
  /** Milliseconds that one run of the converter may take; there are a few. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

/** A very short recording has one for each of its samples. */
export const PEAK_BUCKETS = 2000;

export const DEMUXERS: Readonly<Record<Container, string>> = {
  wav: 'wav',
  mp3: 'mp3',
  mp4: 'mov',
  m4a: 'mov',
  ogg: 'ogg',
  webm: 'matroska',
  aac: 'aac',
  flac: 'flac',
};

/** For more of them nobody has agreed where each belongs, and ffmpeg does not mix them. */
const MAX_CHANNELS = 8;
const SAMPLES = 'samples.raw';
/** Channels that are mixed lose 15 LU only when they are the opposite of each other; a voice in one of six, 11. */
const CANCELLED_LU = 15;
const SILENCE_DBFS = -50;
/** A quiet recording is made louder, and its silence with it. */
const SILENCE_BELOW_LOUDNESS = 20;

interface Measured {
  readonly original: Reading;
  readonly bands: Readonly<Record<Band, Reading>>;
  readonly stderr: string;
}

/**
 * Decodes a recording once and measures it; `facts` are what the inspection of the upload said. Leaves no file
 * behind. Rejects with a ConversionError.
 */
export async function analyse(
  converter: Converter,
  folder: string,
  input: string,
  facts: AudioFacts,
  options: RunOptions,
): Promise<Analysis> {
  if ((facts.durationMs ?? 0) > LONGEST_SECONDS * 1000) throw tooLong();
  if ((facts.channels ?? 0) > MAX_CHANNELS) throw tooManyChannels(facts.channels);
  const demuxer = DEMUXERS[facts.container];
  const decode = (mix: Mix) => measure(converter, { folder, input, demuxer, mix, ...options });
  try {
    let mix: Mix = 'sum';
    let measured = await decode(mix);
    if (isCancelled(measured)) {
      mix = 'first';
      measured = await decode(mix);
    }
    const { original, stderr } = measured;
    const scan = await scanSamples(join(folder, SAMPLES), {
      sampleRate: BAND_RATES.wide,
      silenceDbfs: Math.min(SILENCE_DBFS, (original.loudnessLufs ?? 0) - SILENCE_BELOW_LOUDNESS),
      buckets: PEAK_BUCKETS,
    });
    if (scan.durationMs === 0) throw unusable('The file holds no sound that can be decoded');
    if (scan.durationMs > LONGEST_SECONDS * 1000) throw tooLong();
    const { leadingSilenceMs, trailingSilenceMs, durationMs, peaks } = scan;
    const reading = forDuration(original, scan);
    return {
      ...reading,
      leadingSilenceMs,
      trailingSilenceMs,
      decodedDurationMs: durationMs,
      warnings: findWarnings({ ...scan, ...reading, ...figuresOf(stderr), facts }),
      peaks,
      container: facts.container,
      mix,
      bands: {
        narrow: forDuration(measured.bands.narrow, scan),
        wide: forDuration(measured.bands.wide, scan),
        full: forDuration(measured.bands.full, scan),
      },
    };
  } finally {
    await rm(join(folder, SAMPLES), { force: true });
  }
}

interface Decoding extends RunOptions {
  readonly folder: string;
  readonly input: string;
  readonly demuxer: string;
  readonly mix: Mix;
}

async function measure(converter: Converter, decoding: Decoding): Promise<Measured> {
  const { folder, input, demuxer, mix, deadlineMs, signal } = decoding;
  const graph = [
    `[0:a:0]${CONTINUOUS},asplit=3[whole][each][mixed]`,
    `[whole]${meter('original')},anullsink`,
    // As 16-bit samples, what lies beyond full scale is clipped as a telephone would clip it.
    '[each]aformat=sample_fmts=s16p,astats@each=measure_perchannel=none,anullsink',
    `[mixed]${mono(mix)},asplit=2[to48][to16]`,
    `[to48]${toRate(BAND_RATES.full)},${meter('full')},anullsink`,
    `[to16]${toRate(BAND_RATES.wide)},asplit=5[wide][to8][high][all][samples]`,
    `[wide]${meter('wide')},anullsink`,
    `[to8]${toRate(BAND_RATES.narrow)},${meter('narrow')},anullsink`,
    `[high]${HIGH_PASS},astats@high=measure_perchannel=none,anullsink`,
    '[all]astats@all=measure_perchannel=none,anullsink',
  ].join(';');
  const { stderr } = await converter.run({
    folder,
    inputs: [{ file: input, demuxer }],
    args: [
      '-filter_complex',
      graph,
      '-map',
      '[samples]',
      '-c:a',
      'pcm_s16le',
      '-f',
      's16le',
      `file:${SAMPLES}`,
    ],
    outputs: [SAMPLES],
    deadlineMs,
    signal,
  });
  const bands = {
    narrow: readMeter('narrow', stderr),
    wide: readMeter('wide', stderr),
    full: readMeter('full', stderr),
  };
  return { original: readMeter('original', stderr), bands, stderr };
}

/** Eight poles: what a telephone carries is damped by 20 dB and more, the sibilants of wideband speech hardly. */
const HIGH_PASS = Array.from({ length: 4 }, () => 'highpass=f=5000').join(',');

function figuresOf(stderr: string) {
  const loud = readFigure('astats@all', 'RMS level dB', stderr);
  const high = readFigure('astats@high', 'RMS level dB', stderr);
  return {
    highDb: loud === null ? null : (high ?? Number.NEGATIVE_INFINITY) - loud,
    peakDbfs: readFigure('astats@each', 'Peak level dB', stderr),
    flatness: readFigure('astats@each', 'Flat factor', stderr) ?? 0,
    peakSamples: readFigure('astats@each', 'Peak count', stderr) ?? 0,
  };
}

function isCancelled({ original, bands }: Measured): boolean {
  if (original.loudnessLufs === null) return false;
  return bands.full.loudnessLufs === null || original.loudnessLufs - bands.full.loudnessLufs > CANCELLED_LU;
}

/** What was filled up to a block of loudness is as much louder without the filling. */
function forDuration(reading: Reading, { durationMs }: SampleScan): Reading {
  if (reading.loudnessLufs === null || durationMs >= LOUDNESS_BLOCK_MS) return reading;
  const louder = 10 * Math.log10(LOUDNESS_BLOCK_MS / durationMs);
  return { ...reading, loudnessLufs: reading.loudnessLufs + louder };
}

function tooManyChannels(channels: number | null): ConversionError {
  return new ConversionError(
    'unusable-audio',
    `The recording has ${channels} channels, and at most ${MAX_CHANNELS} can be mixed; upload it with one or two.`,
  );
}

function tooLong(): ConversionError {
  return new ConversionError(
    'unusable-audio',
    'The recording is longer than an hour; split it into shorter ones.',
  );
}
