import { open } from 'node:fs/promises';

/** What can be seen in the samples themselves. */
export interface SampleScan {
  readonly durationMs: number;
  readonly leadingSilenceMs: number;
  readonly trailingSilenceMs: number;
  /** The longest one between sounds. */
  readonly innerSilenceMs: number;
  /** The least and the greatest sample of each bucket, in turns. */
  readonly peaks: Int8Array;
}

export interface ScanOptions {
  /** Hz. */
  readonly sampleRate: number;
  /** Ten milliseconds whose mean power is below count as silent. */
  readonly silenceDbfs: number;
  readonly buckets: number;
}

const CHUNK_BYTES = 65_536;
const BYTES_PER_SAMPLE = 2;
const WINDOW_MS = 10;
const FULL_SCALE = 32_768;

/** Reads a file of bare 16-bit samples, little-endian and mono, piece by piece. */
export async function scanSamples(path: string, options: ScanOptions): Promise<SampleScan> {
  const { sampleRate, silenceDbfs, buckets } = options;
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const total = Math.floor(size / BYTES_PER_SAMPLE);
    const waveform = collectPeaks(total, Math.min(buckets, total));
    const silence = collectSilence(sampleRate, silenceDbfs);
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let position = 0; position < total * BYTES_PER_SAMPLE; ) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, position);
      const usable = bytesRead - (bytesRead % BYTES_PER_SAMPLE);
      if (usable === 0) break;
      const samples = new Int16Array(chunk.buffer, chunk.byteOffset, usable / BYTES_PER_SAMPLE);
      waveform.add(samples);
      silence.add(samples);
      position += usable;
    }
    const durationMs = Math.round((total / sampleRate) * 1000);
    return { durationMs, peaks: waveform.peaks, ...silence.end(durationMs) };
  } finally {
    await file.close();
  }
}

function collectPeaks(total: number, buckets: number) {
  const peaks = new Int8Array(buckets * 2);
  let seen = 0;
  let bucket = 0;
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  const endOfBucket = () => Math.floor(((bucket + 1) * total) / buckets);
  let end = endOfBucket();
  return {
    peaks,
    add(samples: Int16Array): void {
      for (const sample of samples) {
        if (sample < least) least = sample;
        if (sample > greatest) greatest = sample;
        seen += 1;
        if (seen < end) continue;
        peaks[bucket * 2] = toEightBits(least);
        peaks[bucket * 2 + 1] = toEightBits(greatest);
        bucket += 1;
        end = endOfBucket();
        least = Number.POSITIVE_INFINITY;
        greatest = Number.NEGATIVE_INFINITY;
      }
    },
  };
}

function toEightBits(sample: number): number {
  return Math.min(127, Math.round(sample / 256));
}

function collectSilence(sampleRate: number, silenceDbfs: number) {
  const windowSamples = Math.round((sampleRate * WINDOW_MS) / 1000);
  const quietEnergy = windowSamples * FULL_SCALE ** 2 * 10 ** (silenceDbfs / 10);
  let windows = 0;
  let first = -1;
  let last = -1;
  let longest = 0;
  let energy = 0;
  let filled = 0;
  const closeWindow = () => {
    if (energy > (quietEnergy * filled) / windowSamples) {
      if (first < 0) first = windows;
      else longest = Math.max(longest, windows - last - 1);
      last = windows;
    }
    windows += 1;
    energy = 0;
    filled = 0;
  };
  return {
    add(samples: Int16Array): void {
      for (const sample of samples) {
        energy += sample * sample;
        filled += 1;
        if (filled === windowSamples) closeWindow();
      }
    },
    /** Of a file that is silent throughout, all is leading silence. */
    end(durationMs: number): Omit<SampleScan, 'durationMs' | 'peaks'> {
      if (filled > 0) closeWindow();
      if (first < 0) return { leadingSilenceMs: durationMs, trailingSilenceMs: 0, innerSilenceMs: 0 };
      return {
        leadingSilenceMs: first * WINDOW_MS,
        trailingSilenceMs: Math.max(0, durationMs - (last + 1) * WINDOW_MS),
        innerSilenceMs: longest * WINDOW_MS,
      };
    },
  };
}
