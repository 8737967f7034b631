import { sql } from 'kysely';
import { answered, type Database } from './database.ts';

/**
 * Moves the ledger's clock on and returns its new reading, for the blob store to keep. `mark` is what the store kept
 * last. It is never ahead of the clock, unless the database was set back to an older state: then a row that says
 * `arriving` may be that of an upload which was acknowledged since, so all of those are struck out, and their bytes
 * stay for whoever knows what they are. In one transaction, so that a crash does not come between.
 */
export async function advanceClock(db: Database, mark: number): Promise<number> {
  return await answered(
    db.transaction().execute(async (trx) => {
      const { reading } = await trx
        .selectFrom('ledger_clock')
        .select('reading')
        .forUpdate()
        .executeTakeFirstOrThrow();
      if (reading < mark) await trx.deleteFrom('blobs').where('state', '=', 'arriving').execute();
      const next = await trx
        .updateTable('ledger_clock')
        .set({ reading: sql<number>`${Math.max(reading, mark) + 1}::bigint` })
        .returning('reading')
        .executeTakeFirstOrThrow();
      return next.reading;
    }),
  );
}
