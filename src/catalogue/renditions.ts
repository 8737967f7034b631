import { sql } from 'kysely';
import { answered, type Database } from './database.ts';
import { COLUMNS, joined, type PromptRow } from './prompts.ts';
import { PRIORITIES } from './rendition-priorities.ts';
import type { BlobsTable } from './tables.ts';

/** A rendition that was made: what plays, and where its bytes are. */
export interface ReadyRendition {
  readonly kind: string;
  readonly state: 'ready';
  readonly blobName: string;
  readonly codec: string;
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Bytes. */
  readonly fileSize: number;
  /** Hex. */
  readonly sha256: string;
  readonly madeOn: string;
}

/** One that cannot be made, and why. */
export interface FailedRendition {
  readonly kind: string;
  readonly state: 'failed';
  readonly reason: string;
}

export type RenditionRow = ReadyRendition | FailedRendition;

/** What was measured of a recording; null where its audio could not be decoded. */
export interface ReportRow {
  readonly loudnessLufs: number | null;
  readonly truePeakDbtp: number | null;
  readonly leadingSilenceMs: number | null;
  readonly trailingSilenceMs: number | null;
  readonly decodedDurationMs: number | null;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

const RENDITION_COLUMNS = [
  'v.kind',
  'v.state',
  'v.blob_name as renditionBlobName',
  'v.codec as renditionCodec',
  'v.sample_rate as renditionSampleRate',
  'v.channels as renditionChannels',
  'v.file_size as renditionFileSize',
  'v.sha256 as renditionSha256',
  'v.reason',
  'v.made_on as madeOn',
] as const;

interface Columns {
  readonly kind: string | null;
  readonly state: 'ready' | 'failed' | null;
  readonly renditionBlobName: string | null;
  readonly renditionCodec: string | null;
  readonly renditionSampleRate: number | null;
  readonly renditionChannels: number | null;
  readonly renditionFileSize: number | null;
  readonly renditionSha256: string | null;
  readonly reason: string | null;
  readonly madeOn: string | null;
}

/** The table's checks say which columns go together; the types cannot. */
function renditionFrom(row: Columns): RenditionRow | undefined {
  if (row.kind === null || row.state === null) return undefined;
  if (row.state === 'failed') return { kind: row.kind, state: 'failed', reason: row.reason ?? '' };
  return {
    kind: row.kind,
    state: 'ready',
    blobName: row.renditionBlobName ?? '',
    codec: row.renditionCodec ?? '',
    sampleRate: row.renditionSampleRate ?? 0,
    channels: row.renditionChannels ?? 0,
    fileSize: row.renditionFileSize ?? 0,
    sha256: row.renditionSha256 ?? '',
    madeOn: row.madeOn ?? '',
  };
}

/** The prompt whose current recording has this blob name, and its rendition of a kind; undefined as long as there is none. */
export async function findRendition(
  db: Database,
  recordingName: string,
  kind: string,
): Promise<{ readonly prompt: PromptRow; readonly rendition: RenditionRow | undefined } | undefined> {
  const row = await answered(
    joined(db)
      .leftJoin('renditions as v', (join) =>
        join.onRef('v.recording_id', '=', 'r.id').on('v.kind', '=', kind),
      )
      .where('r.blob_name', '=', recordingName)
      .select([...COLUMNS, ...RENDITION_COLUMNS])
      .executeTakeFirst(),
  );
  return row && { prompt: row, rendition: renditionFrom(row) };
}

/** All that is known of the audio of a recording. */
export interface AudioRow {
  readonly renditions: readonly RenditionRow[];
  readonly report: ReportRow | undefined;
}

/** Renditions and report of the recording of this blob name. */
export async function findAudio(db: Database, recordingName: string): Promise<AudioRow> {
  const [rows, report] = await Promise.all([
    answered(
      db
        .selectFrom('renditions as v')
        .innerJoin('recordings as r', 'r.id', 'v.recording_id')
        .where('r.blob_name', '=', recordingName)
        .select(RENDITION_COLUMNS)
        .execute(),
    ),
    answered(
      db
        .selectFrom('audio_reports as a')
        .innerJoin('recordings as r', 'r.id', 'a.recording_id')
        .where('r.blob_name', '=', recordingName)
        .select([
          'a.loudness_lufs as loudnessLufs',
          'a.true_peak_dbtp as truePeakDbtp',
          'a.leading_silence_ms as leadingSilenceMs',
          'a.trailing_silence_ms as trailingSilenceMs',
          'a.decoded_duration_ms as decodedDurationMs',
          'a.warnings',
        ])
        .executeTakeFirst(),
    ),
  ]);
  return {
    renditions: rows.flatMap((row) => renditionFrom(row) ?? []),
    report,
  };
}

/** The extremes of a recording, pairs of signed bytes; undefined as long as it is not measured, null where it cannot be. */
export async function findPeaks(
  db: Database,
  recordingName: string,
): Promise<{ readonly peaks: Int8Array | null; readonly durationMs: number | null } | undefined> {
  const row = await answered(
    db
      .selectFrom('audio_reports as a')
      .innerJoin('recordings as r', 'r.id', 'a.recording_id')
      .where('r.blob_name', '=', recordingName)
      .select(['a.peaks', 'a.decoded_duration_ms as durationMs'])
      .executeTakeFirst(),
  );
  if (row === undefined) return undefined;
  const { peaks, durationMs } = row;
  return { peaks: peaks && new Int8Array(peaks.buffer, peaks.byteOffset, peaks.byteLength), durationMs };
}

/**
 * Forgets a rendition whose bytes are not as they should be, dooms what is left of them, and queues its recording, so
 * that it is made again. False when another one took its place, or a delete came first.
 */
export async function forgetRendition(db: Database, blobName: string, leaseMs: number): Promise<boolean> {
  const doomed = await answered(
    db
      .with('gone', (q) =>
        q.deleteFrom('renditions').where('blob_name', '=', blobName).returning(['blob_name', 'recording_id']),
      )
      .with('job', (q) =>
        q
          .insertInto('rendition_jobs')
          .columns(['recording_id', 'org_unit_id', 'priority'])
          .expression((found) =>
            found
              .selectFrom('gone')
              .innerJoin('prompts as p', 'p.recording_id', 'gone.recording_id')
              .select([
                'p.recording_id',
                'p.org_unit_id',
                sql<number>`${sql.lit(PRIORITIES.filling)}`.as('priority'),
              ]),
          )
          .onConflict((conflict) =>
            // Whoever is at work took this rendition for made.
            conflict.column('recording_id').doUpdateSet({ holder: null, due_at: sql<string>`now()` }),
          ),
      )
      .updateTable('blobs')
      .from('gone')
      .set({
        state: 'doomed',
        lease_until: sql<string>`now() + make_interval(secs => ${leaseMs / 1000}::double precision)`,
      })
      .whereRef('blobs.name', '=', 'gone.blob_name')
      .returning('blobs.name')
      .execute(),
  );
  return doomed.length > 0;
}

/** A rendition with its row in the ledger, for comparing rows and bytes. */
export interface RenditionEntry {
  readonly recordingId: number;
  readonly kind: string;
  readonly blobName: string;
  readonly fileSize: number;
  readonly sha256: string;
  readonly state: BlobsTable['state'] | null;
  readonly extension: string | null;
}

const BATCH = 500;

/** Every rendition that is ready, a batch at a time: no cursor stays open and memory does not grow. */
export async function* walkRenditions(db: Database): AsyncGenerator<readonly RenditionEntry[]> {
  for (let after = { recordingId: 0, kind: '' }; ; ) {
    const rows = await answered(
      db
        .selectFrom('renditions as v')
        .where(sql<boolean>`(v.recording_id, v.kind) > (${after.recordingId}, ${after.kind})`)
        .where('v.state', '=', 'ready')
        .orderBy('v.recording_id')
        .orderBy('v.kind')
        .limit(BATCH)
        .select((q) => [
          'v.recording_id as recordingId',
          'v.kind',
          sql<string>`v.blob_name`.as('blobName'),
          sql<number>`v.file_size`.as('fileSize'),
          sql<string>`v.sha256`.as('sha256'),
          q.selectFrom('blobs as b').whereRef('b.name', '=', 'v.blob_name').select('b.state').as('state'),
          q
            .selectFrom('blobs as b')
            .whereRef('b.name', '=', 'v.blob_name')
            .select('b.extension')
            .as('extension'),
        ])
        .execute(),
    );
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return;
    after = last;
  }
}

/** Which of these blobs a rendition still names. */
export async function stillRendered(
  db: Database,
  blobNames: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await answered(
    db
      .selectFrom('renditions')
      .where(sql<boolean>`blob_name = any(${blobNames}::text[])`)
      .select(sql<string>`blob_name`.as('blobName'))
      .execute(),
  );
  return new Set(rows.map(({ blobName }) => blobName));
}
