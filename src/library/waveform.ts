/** The extremes of a recording over equal parts of its time. */
export interface Waveform {
  /** How many parts there are: as many as asked for, or fewer where the recording is too short for that. */
  readonly buckets: number;
  readonly durationMs: number;
  /** The least and the largest value of each part, from -1 to 1. */
  readonly peaks: readonly (readonly [number, number])[];
}

/** Full scale of a signed byte. */
const FULL_SCALE = 128;

/** Draws `buckets` parts from pairs of signed bytes, of which each may fall into two parts: no extreme is lost. */
export function drawWaveform(pairs: Int8Array, buckets: number, durationMs: number): Waveform {
  const there = pairs.length / 2;
  const wanted = Math.min(buckets, there);
  const peaks = Array.from({ length: wanted }, (_, part): readonly [number, number] => {
    const first = Math.floor((part * there) / wanted);
    const end = Math.ceil(((part + 1) * there) / wanted);
    let least = FULL_SCALE;
    let most = -FULL_SCALE;
    for (let i = first; i < end; i += 1) {
      least = Math.min(least, pairs[2 * i] ?? 0);
      most = Math.max(most, pairs[2 * i + 1] ?? 0);
    }
    return [least / FULL_SCALE, most / FULL_SCALE];
  });
  return { buckets: wanted, durationMs, peaks };
}
