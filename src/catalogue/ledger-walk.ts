import { sql } from 'kysely';
import { answered, type Database } from './database.ts';
import type { BlobsTable } from './tables.ts';

/** Rows fetched at once. */
const BATCH = 1000;

/** A row of the ledger that stands for no recording and for no rendition. */
export interface LooseEntry {
  readonly name: string;
  readonly state: BlobsTable['state'];
  /** How long ago its lease ran out, seconds; negative while it lasts, null for a kept row, which has none. */
  readonly overdueSeconds: number | null;
}

/**
 * Walks the whole ledger in the order of the names, a batch at a time, and yields of each batch how many rows it
 * had and which of them neither a recording nor a rendition stands behind. Each batch is one statement and so one moment: an upload that
 * commits or a prompt that is deleted meanwhile is seen before or after, never in between.
 */
export async function* walkLedger(
  db: Database,
): AsyncGenerator<{ readonly rows: number; readonly loose: readonly LooseEntry[] }> {
  for (let after = ''; ; ) {
    const rows = await answered(
      db
        .selectFrom('blobs as b')
        .where('b.name', '>', after)
        .orderBy('b.name')
        .limit(BATCH)
        .select((q) => [
          'b.name',
          'b.state',
          // A lookup for each row: a join may begin at the first recording again with every batch.
          q
            .selectFrom('recordings as r')
            .whereRef('r.blob_name', '=', 'b.name')
            .select('r.id')
            .as('recordingId'),
          q
            .selectFrom('renditions as v')
            .whereRef('v.blob_name', '=', 'b.name')
            .select('v.recording_id')
            .as('renditionOf'),
          sql<number | null>`extract(epoch from now() - b.lease_until)::float8`.as('overdueSeconds'),
        ])
        .execute(),
    );
    const loose = rows.filter(({ recordingId, renditionOf }) => recordingId === null && renditionOf === null);
    if (rows.length > 0) yield { rows: rows.length, loose };
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return;
    after = last.name;
  }
}

/** Which of these blobs the ledger knows, by name, and with which extension (null: not settled yet). */
export async function lookUp(
  db: Database,
  names: readonly string[],
): Promise<ReadonlyMap<string, string | null>> {
  const rows = await answered(
    db
      .selectFrom('blobs')
      // One parameter however many names: the statement's text stays the same.
      .where(sql<boolean>`name = any(${names}::text[])`)
      .select(['name', 'extension'])
      .execute(),
  );
  return new Map(rows.map(({ name, extension }) => [name, extension]));
}
