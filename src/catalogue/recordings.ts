import { sql } from 'kysely';
import { answered, type Database } from './database.ts';
import type { BlobsTable } from './tables.ts';

/** Rows fetched at once. */
const BATCH = 500;

/** A recording with what refers to it and what it refers to. */
export interface RecordingRow {
  readonly id: number;
  readonly blobName: string;
  readonly container: string;
  /** Bytes. */
  readonly fileSize: number;
  /** Hex. */
  readonly sha256: string;
  /** Null when no prompt plays it. */
  readonly promptId: number | null;
  /** Of its row in the ledger; null when there is none. */
  readonly state: BlobsTable['state'] | null;
}

/** Every recording in the order of the IDs, a batch at a time: no cursor stays open and memory does not grow. */
export async function* walkRecordings(db: Database): AsyncGenerator<readonly RecordingRow[]> {
  for (let after = 0; ; ) {
    const rows = await answered(recordings(db).where('r.id', '>', after).limit(BATCH).execute());
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return;
    after = last.id;
  }
}

/** Which of these recordings are still there, by the names of their blobs. */
export async function stillRecorded(
  db: Database,
  blobNames: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await answered(
    db
      .selectFrom('recordings')
      .where(sql<boolean>`blob_name = any(${blobNames}::text[])`)
      .select('blob_name as blobName')
      .execute(),
  );
  return new Set(rows.map(({ blobName }) => blobName));
}

/** One lookup for each row, and no join, which a planner may begin at the first row of the other table each time. */
function recordings(db: Database) {
  return db
    .selectFrom('recordings as r')
    .orderBy('r.id')
    .select((q) => [
      'r.id',
      'r.blob_name as blobName',
      'r.container',
      'r.file_size as fileSize',
      'r.sha256',
      q.selectFrom('prompts as p').whereRef('p.recording_id', '=', 'r.id').select('p.id').as('promptId'),
      q.selectFrom('blobs as b').whereRef('b.name', '=', 'r.blob_name').select('b.state').as('state'),
    ]);
}
