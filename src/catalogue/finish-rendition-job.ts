import { sql } from 'kysely';
import { type Database, inTransaction } from './database.ts';
import type { ReportRow } from './renditions.ts';

/** How long the server waits for a process that stopped in the middle of a commit, ms. */
const STALL_TIMEOUT = 3_000;

/** Bytes that are published and belong to nothing yet. */
export interface NewRendition {
  readonly kind: string;
  readonly blobName: string;
  readonly extension: string;
  readonly codec: string;
  readonly sampleRate: number;
  readonly channels: number;
  readonly fileSize: number;
  readonly sha256: string;
}

/** All that came of a job. */
export interface JobOutcome {
  readonly recordingId: number;
  readonly holder: string;
  /** The set of renditions that is complete with this. */
  readonly recipe: number;
  readonly made: readonly NewRendition[];
  readonly failed: readonly { readonly kind: string; readonly reason: string }[];
  readonly report: ReportRow;
  /** Pairs of signed bytes. */
  readonly peaks: Int8Array | null;
}

class LostJobError extends Error {
  override readonly name = 'LostJobError';
}

/**
 * Commits what came of a job and strikes it from the queue, all or nothing. False, and nothing is written, when
 * the job is somebody else's by now, the recording is gone, or the sweeper took the bytes.
 */
export async function finishJob(db: Database, outcome: JobOutcome): Promise<boolean> {
  try {
    await inTransaction(db, (trx) => commit(trx, outcome), 'read committed');
    return true;
  } catch (error) {
    if (error instanceof LostJobError) return false;
    throw error;
  }
}

async function commit(trx: Database, outcome: JobOutcome): Promise<void> {
  const { recordingId, made, failed } = outcome;
  await lockJob(trx, outcome);
  await keep(trx, made);
  if (made.length + failed.length > 0) {
    await trx
      .insertInto('renditions')
      .values([
        ...made.map(({ blobName, sampleRate, fileSize, extension: _, ...rest }) => ({
          ...rest,
          recording_id: recordingId,
          state: 'ready' as const,
          blob_name: blobName,
          sample_rate: sampleRate,
          file_size: fileSize,
          reason: null,
        })),
        ...failed.map((one) => ({ ...NOTHING_MADE, ...one, recording_id: recordingId })),
      ])
      .execute();
  }
  await report(trx, outcome);
  await trx.deleteFrom('rendition_jobs').where('recording_id', '=', recordingId).execute();
}

const NOTHING_MADE = {
  state: 'failed' as const,
  blob_name: null,
  codec: null,
  sample_rate: null,
  channels: null,
  file_size: null,
  sha256: null,
};

/** The recording first: a delete locks it before it comes to the job, and two orders would be a deadlock. */
async function lockJob(trx: Database, { recordingId, holder }: JobOutcome): Promise<void> {
  const recording = await trx
    .selectFrom('recordings')
    .where('id', '=', recordingId)
    .forKeyShare()
    .select([
      'id',
      // A process that stops in the middle of a commit shall not hold up a delete for ever.
      sql`set_config('idle_in_transaction_session_timeout', ${String(STALL_TIMEOUT)}, true)`.as('stall'),
    ])
    .executeTakeFirst();
  const job = await trx
    .selectFrom('rendition_jobs')
    .where('recording_id', '=', recordingId)
    .where('holder', '=', holder)
    .forUpdate()
    .select('recording_id')
    .executeTakeFirst();
  if (recording === undefined || job === undefined) throw new LostJobError();
}

async function keep(trx: Database, made: readonly NewRendition[]): Promise<void> {
  if (made.length === 0) return;
  const names = made.map(({ blobName }) => blobName);
  const extensions = made.map(({ extension }) => extension);
  const { numAffectedRows } = await sql`
    update blobs set state = 'kept', extension = v.extension, lease_until = null
    from unnest(${names}::text[], ${extensions}::text[]) v (name, extension)
    where blobs.name = v.name and blobs.state = 'arriving'`.execute(trx);
  if (Number(numAffectedRows ?? 0n) !== made.length) throw new LostJobError();
}

async function report(
  trx: Database,
  { recordingId, recipe, report: found, peaks }: JobOutcome,
): Promise<void> {
  const row = {
    recipe,
    loudness_lufs: found.loudnessLufs,
    true_peak_dbtp: found.truePeakDbtp,
    leading_silence_ms: found.leadingSilenceMs,
    trailing_silence_ms: found.trailingSilenceMs,
    decoded_duration_ms: found.decodedDurationMs,
    warnings: JSON.stringify(found.warnings),
    peaks: peaks && Buffer.from(peaks.buffer, peaks.byteOffset, peaks.byteLength),
  };
  await trx
    .insertInto('audio_reports')
    .values({ recording_id: recordingId, ...row })
    // What was measured once stays when another rendition turns out to be impossible later.
    .onConflict((conflict) => conflict.column('recording_id').doUpdateSet(peaks === null ? { recipe } : row))
    .execute();
}
