import { answered, type Database } from './database.ts';

/** Rows fetched at once. */
const BATCH = 500;

export interface RecordingRow {
  readonly id: number;
  readonly blobName: string;
  readonly container: string;
  readonly fileSize: number;
}

/** Every recording by its id, a batch at a time: no cursor stays open and memory does not grow. */
export async function* walkRecordings(db: Database): AsyncGenerator<RecordingRow> {
  for (let after = 0; ; ) {
    const rows = await answered(
      db
        .selectFrom('recordings')
        .where('id', '>', after)
        .orderBy('id')
        .limit(BATCH)
        .select(['id', 'blob_name as blobName', 'container', 'file_size as fileSize'])
        .execute(),
    );
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return;
    after = last.id;
  }
}
