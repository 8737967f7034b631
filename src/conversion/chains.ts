import type { Band } from '../audio/renditions.ts';

/** How the channels become one: all of them in equal parts, or the first alone where they cancel each other out. */
export type Mix = 'sum' | 'first';

/** Hz at which the loudness and the peaks of a band are measured. */
export const BAND_RATES: Readonly<Record<Band, number>> = { narrow: 8000, wide: 16_000, full: 48_000 };

/** Seconds. What is longer is refused rather than cut. */
export const LONGEST_SECONDS = 3600;
/** EBU R128 measures in blocks of 400 ms; what is shorter is filled up to one. */
export const LOUDNESS_BLOCK_MS = 400;

/**
 * A linear-phase filter that keeps what is below nine tenths of half the lower rate and damps what is above all of it
 * by 80 dB, with the same result on every machine.
 */
const RESAMPLER = 'filter_size=128:cutoff=0.95:filter_type=kaiser:kaiser_beta=9:exact_rational=1';
/** Images that a shorter filter leaves are far above the band, and go when the rate comes down again. */
const UPSAMPLER = 'filter_size=32:cutoff=0.97:filter_type=kaiser:kaiser_beta=9:exact_rational=1';
/** A limiter sees samples, and the peaks between them only once there are samples. */
const OVERSAMPLING = 4;

/** Meters and mixers want to know where each channel belongs, which some decoders leave open: then by their number. */
const LAYOUTS = [
  ...[
    'mono',
    'stereo',
    '2.1',
    '3.0',
    '3.0(back)',
    '3.1',
    '4.0',
    '4.1',
    'quad',
    'quad(side)',
    '5.0',
    '5.0(side)',
  ],
  ...['5.1', '5.1(side)', '6.0', '6.1', '7.0', '7.1'],
].join('|');

/** Time is counted in samples: what a container says of it, with gaps and leaps, does not count. */
export const CONTINUOUS = `aformat=channel_layouts=${LAYOUTS},asetpts=N/SR/TB,atrim=end=${LONGEST_SECONDS + 1}`;

/** One channel of floats, so that neither mixing nor filtering can clip. */
export function mono(mix: Mix): string {
  const toOne = mix === 'sum' ? 'aresample=rematrix_maxval=1' : 'pan=mono|c0=c0';
  return `${toOne},aformat=sample_fmts=fltp:channel_layouts=mono`;
}

export function toRate(rate: number): string {
  return `aresample=${rate}:${RESAMPLER},aformat=sample_fmts=fltp:sample_rates=${rate}`;
}

/** Loudness and true peak of what passes, said at the end of the run under the name. */
export function meter(name: string): string {
  return `apad=whole_dur=${LOUDNESS_BLOCK_MS}ms,ebur128@${name}=peak=true:framelog=verbose`;
}

export interface Level {
  readonly gainDb: number;
  /** Null: the gain alone keeps every peak below. */
  readonly ceilingDbtp: number | null;
}

/** Brings sound of a rate to a level. */
export function atLevel(rate: number, { gainDb, ceilingDbtp }: Level): string {
  const gain = `volume=${gainDb.toFixed(2)}dB`;
  if (ceilingDbtp === null) return gain;
  const limit = (10 ** (ceilingDbtp / 20)).toFixed(5);
  const limiter = `alimiter=limit=${limit}:attack=5:release=50:level=0:latency=1`;
  const up = `aresample=${rate * OVERSAMPLING}:${UPSAMPLER}`;
  return [gain, up, limiter, toRate(rate)].join(',');
}
