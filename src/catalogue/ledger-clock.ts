import { sql } from 'kysely';
import { type Database, inTransaction } from './database.ts';

/** What moving the clock on showed. */
export interface Reading {
  /** For the blob store to keep. */
  readonly reading: number;
  /** Uploads that an older ledger was made to forget; undefined when it is not older. */
  readonly forgotten: number | undefined;
}

/**
 * Moves the ledger's clock on. `mark` is what the store kept last. It is never ahead of the clock, unless the
 * database was set back to an older state, or another database works on the same store, which must not be: then a row that says
 * `arriving` may be that of an upload which was acknowledged since, so all of those are struck out, and their bytes
 * stay for whoever knows what they are. In one transaction, so that a crash does not come between.
 */
export async function advanceClock(db: Database, mark: number): Promise<Reading> {
  return await inTransaction(db, async (trx) => {
    const { reading } = await trx
      .selectFrom('ledger_clock')
      .select('reading')
      .forUpdate()
      .executeTakeFirstOrThrow();
    const struck =
      reading < mark
        ? await trx.deleteFrom('blobs').where('state', '=', 'arriving').executeTakeFirstOrThrow()
        : undefined;
    const next = await trx
      .updateTable('ledger_clock')
      .set({ reading: sql<number>`${Math.max(reading, mark) + 1}::bigint` })
      .returning('reading')
      .executeTakeFirstOrThrow();
    return { reading: next.reading, forgotten: struck && Number(struck.numDeletedRows) };
  });
}
