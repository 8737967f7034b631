/** What a meter read; null where there was nothing to read, as in silence. */
export interface Reading {
  /** Integrated loudness (EBU R128). */
  readonly loudnessLufs: number | null;
  readonly truePeakDbtp: number | null;
}

const NOTHING: Reading = { loudnessLufs: null, truePeakDbtp: null };
/** Below it, a block of sound does not count; what ffmpeg says when none did. */
const ABSOLUTE_GATE_LUFS = -70;

/** What ffmpeg's filter of this name said at the end of its run. */
function wordsOf(filter: string, stderr: string): string {
  const start = stderr.lastIndexOf(`[ebur128@${filter} @`);
  if (start < 0) return '';
  const next = stderr.indexOf('\n[', start + 1);
  return stderr.slice(start, next < 0 ? undefined : next);
}

/** Reads `meter(name)` out of what ffmpeg said. */
export function readMeter(name: string, stderr: string): Reading {
  const words = wordsOf(name, stderr);
  const loudness = numberAfter(/\bI:\s+(\S+) LUFS/, words);
  if (loudness === null) return NOTHING;
  return {
    loudnessLufs: loudness > ABSOLUTE_GATE_LUFS ? loudness : null,
    truePeakDbtp: numberAfter(/\bPeak:\s+(\S+) dBFS/, words),
  };
}

/** The last number that a filter named, or null when it named none or no finite one. */
export function readFigure(filter: string, figure: string, stderr: string): number | null {
  const found = [...stderr.matchAll(new RegExp(`^\\[${filter} @ \\S+\\] ${figure}: (\\S+)`, 'gm'))].at(
    -1,
  )?.[1];
  return found === undefined ? null : finite(found);
}

function numberAfter(pattern: RegExp, text: string): number | null {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? null : finite(found);
}

function finite(text: string): number | null {
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}
