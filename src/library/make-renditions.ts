import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { AudioFacts } from '../audio/facts.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import { CatalogueError } from '../catalogue/catalogue-error.ts';
import { finishJob, type JobOutcome } from '../catalogue/finish-rendition-job.ts';
import type { RenditionJob } from '../catalogue/rendition-jobs.ts';
import { analyse } from '../conversion/analyse.ts';
import { ConversionError, type Converter } from '../conversion/converter.ts';
import { render } from '../conversion/render.ts';
import { passed } from '../steps.ts';
import { type KeepDeps, keepRenditions } from './keep-renditions.ts';
import { isContainer } from './prompt-row.ts';
import { RECIPE } from './recipe.ts';
import { RENDITION_KINDS } from './track.ts';
import { keyOfRow } from './verify-recordings.ts';
import { onWorkbench } from './workbench.ts';

export interface MakeDeps extends KeepDeps {
  readonly converter: Converter;
  /** What renditions are brought to, LUFS. */
  readonly loudnessLufs: number | 'off';
}

/** A recording that lasts longer gets no renditions, ms: one in 16 kHz PCM would have 115 MB. */
const LONGEST = 3600 * 1000;
/** What a conversion may take, ms: so much, and so much for each second of audio. */
const DEADLINE = 60_000;
const DEADLINE_PER_SECOND = 100;

const INPUT = 'original';

/**
 * Makes what a recording lacks, and commits it. Resolves with false when the job is somebody else's by now, or its
 * recording is gone: then nothing stays.
 *
 * @throws ConversionError, BlobError, CatalogueError; after `unavailable` of the catalogue nobody knows, and the ledger decides
 */
export async function makeRenditions(
  deps: MakeDeps,
  job: RenditionJob,
  holder: string,
  signal: AbortSignal,
): Promise<boolean> {
  const kinds = RENDITION_KINDS.filter((kind) => !job.settledKinds.includes(kind));
  if (kinds.length === 0) return await giveUp(deps, job, holder, '');
  if ((job.durationMs ?? 0) > LONGEST) throw tooLong();
  return await onWorkbench(async (folder) => {
    await copyOut(deps.blobs, job, join(folder, INPUT), signal);
    const { converter, loudnessLufs } = deps;
    const limits = { deadlineMs: deadlineFor(job), signal };
    const analysis = await analyse(converter, folder, INPUT, factsOf(job), limits);
    if (analysis.decodedDurationMs > LONGEST) throw tooLong();
    const made = await render(converter, folder, INPUT, analysis, kinds, { ...limits, loudnessLufs });
    passed('renditions-made');
    const kept = await keepRenditions(deps, made, signal);
    passed('renditions-published');
    const outcome = {
      ...of(job, holder),
      made: kept.rows,
      failed: [],
      report: analysis,
      peaks: analysis.peaks,
    };
    const isDone = await finishJob(deps.db, outcome).catch(async (error: unknown) => {
      const isUnknown = error instanceof CatalogueError && error.code === 'unavailable';
      if (!isUnknown) await kept.discard();
      throw error;
    });
    if (isDone) passed('renditions-committed');
    else await kept.discard();
    return isDone;
  });
}

/** Commits that what a recording lacks cannot be made, and why; for a person. */
export async function giveUp(
  { db }: Pick<MakeDeps, 'db'>,
  job: RenditionJob,
  holder: string,
  reason: string,
): Promise<boolean> {
  const kinds = RENDITION_KINDS.filter((kind) => !job.settledKinds.includes(kind));
  return await finishJob(db, {
    ...of(job, holder),
    made: [],
    failed: kinds.map((kind) => ({ kind, reason })),
    report: NOTHING_MEASURED,
    peaks: null,
  });
}

const of = (
  { recordingId }: RenditionJob,
  holder: string,
): Pick<JobOutcome, 'recordingId' | 'holder' | 'recipe'> => ({
  recordingId,
  holder,
  recipe: RECIPE,
});

const NOTHING_MEASURED = {
  loudnessLufs: null,
  truePeakDbtp: null,
  leadingSilenceMs: null,
  trailingSilenceMs: null,
  decodedDurationMs: null,
  warnings: [],
} as const;

const tooLong = () =>
  new ConversionError(
    'unusable-audio',
    'The recording is longer than an hour, the most that renditions are made of.',
  );

const deadlineFor = ({ durationMs }: RenditionJob) =>
  DEADLINE + (Math.min(durationMs ?? 0, LONGEST) / 1000) * DEADLINE_PER_SECOND;

function factsOf({ container, codec, sampleRate, channels, durationMs }: RenditionJob): AudioFacts {
  if (!isContainer(container)) throw new Error(`a recording has the unknown container ${container}`);
  return { container, codec, sampleRate, channels, durationMs };
}

/** The converter sees a copy in its own folder and nothing of the store. */
async function copyOut(
  blobs: BlobStore,
  job: RenditionJob,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const blob = await blobs.open(keyOfRow({ blobName: job.recordingName, container: job.container }));
  try {
    if (blob.size !== job.fileSize)
      throw new Error(`the recording has ${blob.size} bytes and not the ${job.fileSize} of its row`);
    const file = await open(path, 'wx', 0o600);
    try {
      await blob.transfer(0, blob.size, async (bytes) => {
        signal.throwIfAborted();
        await file.writeFile(bytes);
      });
    } finally {
      await file.close();
    }
  } finally {
    await blob.close();
  }
}
