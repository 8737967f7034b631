import { join } from 'node:path';
import { RENDITIONS, type RenditionKind } from '../audio/renditions.ts';
import { type Analysis, DEMUXERS, type RunOptions } from './analyse.ts';
import { atLevel, CONTINUOUS, type Level, LOUDNESS_BLOCK_MS, meter, mono, toRate } from './chains.ts';
import type { Converter } from './converter.ts';
import { ENCODINGS } from './encodings.ts';
import { type Reading, readMeter } from './meters.ts';

export interface RenderOptions extends RunOptions {
  /** What renditions are brought to (EBU R128); `off` leaves the level, and only limits peaks. */
  readonly loudnessLufs: number | 'off';
}

/** A file that was made. */
export interface MadeRendition {
  readonly kind: RenditionKind;
  readonly path: string;
  readonly codec: string;
  readonly sampleRate: number;
  readonly channels: number;
}

/** The true peak that no rendition exceeds. */
const MAX_PEAK_DBTP = -2;
/** Meters say tenths; a peak that they say is at the bound may be above it. */
const METER_STEP_DB = 0.1;
/** Below it there is no speech, and making it louder would make noise of it. */
const QUIETEST_LUFS = -50;
/** How far off a rendition may be before it is made anew; the promise is 1 LU. */
const TOLERANCE_LU = 0.7;
const MAX_CORRECTION_DB = 6;
/** The first of them included. A codec is no linear thing: what it does to a peak is known only behind it. */
const MAX_ROUNDS = 4;
/** A limiter takes some of what it is given more. */
const GAIN_PER_LACKING_LU = 1.3;
/** What a peak that came out too high is brought down by beyond its excess. */
const MARGIN_DB = 0.2;

/** Where one rendition stands. */
interface Draft {
  readonly kind: RenditionKind;
  readonly level: Level;
}

/**
 * Makes the renditions asked for with one decoding, as files named by their kind in the folder. Those whose level
 * cannot be foreseen, since they pass a limiter or a lossy codec, are measured, and the few that are off are made
 * again. Rejects with a ConversionError, and then there is none.
 */
export async function render(
  converter: Converter,
  folder: string,
  input: string,
  analysis: Analysis,
  kinds: readonly RenditionKind[],
  options: RenderOptions,
): Promise<readonly MadeRendition[]> {
  const target = targetOf(analysis, options.loudnessLufs);
  let drafts: readonly Draft[] = [...new Set(kinds)].map((kind) => ({
    kind,
    level: foreseenLevel(kind, analysis.bands[RENDITIONS[kind].band], target),
  }));
  const made = drafts.map(({ kind }) => madeRendition(folder, kind));
  for (let round = 1; drafts.length > 0; round += 1) {
    await make(converter, { folder, input, analysis, drafts, options });
    const uncertain = drafts.filter(isUncertain);
    if (round === MAX_ROUNDS || uncertain.length === 0) break;
    const readings = await measureFiles(converter, folder, uncertain, options);
    drafts = uncertain.flatMap((draft, place) => corrected(draft, readings[place], { target, analysis }));
  }
  return made;
}

function targetOf(analysis: Analysis, wanted: number | 'off'): number | null {
  const { loudnessLufs } = analysis;
  if (wanted === 'off' || loudnessLufs === null || loudnessLufs < QUIETEST_LUFS) return null;
  return wanted;
}

function foreseenLevel(
  kind: RenditionKind,
  { loudnessLufs, truePeakDbtp }: Reading,
  target: number | null,
): Level {
  const gainDb = target === null || loudnessLufs === null ? 0 : target - loudnessLufs;
  const highest = ceilingOf(kind);
  const fits = truePeakDbtp === null || truePeakDbtp + gainDb <= highest;
  return { gainDb, ceilingDbtp: fits ? null : highest };
}

function isUncertain({ kind, level }: Draft): boolean {
  return level.ceilingDbtp !== null || ENCODINGS[kind].isLossy;
}

interface Making {
  readonly folder: string;
  readonly input: string;
  readonly analysis: Analysis;
  readonly drafts: readonly Draft[];
  readonly options: RenderOptions;
}

async function make(
  converter: Converter,
  { folder, input, analysis, drafts, options }: Making,
): Promise<void> {
  const chains = Map.groupBy(drafts, ({ kind, level }) => {
    const { sampleRate } = RENDITIONS[kind];
    return `${toRate(sampleRate)},${atLevel(sampleRate, level)}`;
  });
  const trunks = [...chains.keys()].map((_, place) => `[chain${place}]`);
  const graph = [
    `[0:a:0]${CONTINUOUS},${mono(analysis.mix)},asplit=${trunks.length}${trunks.join('')}`,
    ...[...chains].map(([chain, users], place) => {
      const ends = users.map(({ kind }) => `[${kind}]`);
      return `[chain${place}]${chain},asplit=${ends.length}${ends.join('')}`;
    }),
  ].join(';');
  await converter.run({
    folder,
    inputs: [{ file: input, demuxer: DEMUXERS[analysis.container] }],
    args: [
      ...['-filter_complex', graph],
      ...drafts.flatMap(({ kind }) => [
        ...['-map', `[${kind}]`, '-map_metadata', '-1', '-fflags', '+bitexact', '-flags:a', '+bitexact'],
        ...[...ENCODINGS[kind].encoder, `file:${fileOf(kind)}`],
      ]),
    ],
    outputs: drafts.map(({ kind }) => fileOf(kind)),
    deadlineMs: options.deadlineMs,
    signal: options.signal,
  });
}

async function measureFiles(
  converter: Converter,
  folder: string,
  drafts: readonly Draft[],
  { deadlineMs, signal }: RunOptions,
): Promise<readonly Reading[]> {
  const { stderr } = await converter.run({
    folder,
    inputs: drafts.map(({ kind }) => ({ file: fileOf(kind), ...ENCODINGS[kind].input })),
    args: drafts.flatMap(({ kind }, place) => [
      '-map',
      `${place}:a:0`,
      '-af',
      meter(kind),
      '-f',
      'null',
      '-',
    ]),
    outputs: [],
    deadlineMs,
    signal,
  });
  return drafts.map(({ kind }) => readMeter(kind, stderr));
}

interface Aim {
  readonly target: number | null;
  readonly analysis: Analysis;
}

/** The draft to make next, or none when the file that was measured is as it should be. */
function corrected(draft: Draft, reading: Reading | undefined, { target, analysis }: Aim): readonly Draft[] {
  const { kind, level } = draft;
  const excess = (reading?.truePeakDbtp ?? Number.NEGATIVE_INFINITY) - (MAX_PEAK_DBTP - METER_STEP_DB);
  // Of less than a block, no meter says more than an estimate.
  const isMeasurable = analysis.decodedDurationMs >= LOUDNESS_BLOCK_MS;
  const loudness = reading?.loudnessLufs ?? null;
  const lacking = target === null || loudness === null || !isMeasurable ? 0 : target - loudness;
  const isTooLoud = excess > METER_STEP_DB / 2;
  const isOff = Math.abs(lacking) > TOLERANCE_LU;
  if (!isTooLoud && !isOff) return [];
  const gainDb =
    level.gainDb +
    Math.max(-MAX_CORRECTION_DB, Math.min(MAX_CORRECTION_DB, isOff ? lacking * GAIN_PER_LACKING_LU : 0));
  const ceiling = level.ceilingDbtp ?? ceilingOf(kind);
  return [{ kind, level: { gainDb, ceilingDbtp: isTooLoud ? ceiling - excess - MARGIN_DB : ceiling } }];
}

function ceilingOf(kind: RenditionKind): number {
  return MAX_PEAK_DBTP - ENCODINGS[kind].headroomDb;
}

function fileOf(kind: RenditionKind): string {
  return `${kind}.${RENDITIONS[kind].extension}`;
}

function madeRendition(folder: string, kind: RenditionKind): MadeRendition {
  const { codec, sampleRate, channels } = RENDITIONS[kind];
  return { kind, path: join(folder, fileOf(kind)), codec, sampleRate, channels };
}
