import { sql } from 'kysely';
import { answered, type Database } from './database.ts';
import { statement } from './statement.ts';

/**
 * The blob ledger: which bytes exist or may exist. A row is `arriving` from before the first byte until the
 * prompt is committed, `kept` as long as a recording names it, and `doomed` from the delete until the bytes
 * are gone. Times are the database's, since the clocks of many machines differ.
 */

/** What the sweeper took: bytes that nobody will come back for. */
export interface Abandoned {
  readonly name: string;
  /** Null when the upload ended before its format was settled. */
  readonly extension: string | null;
}

const inMs = (ms: number) => sql<string>`now() + make_interval(secs => ${ms / 1000}::double precision)`;

/** Commits the rows that must precede the bytes of `names`. */
export async function announce(db: Database, names: readonly string[], leaseMs: number): Promise<void> {
  await answered(insertArriving(db, { names, seconds: leaseMs / 1000 }));
}

const insertArriving = statement(
  (db, { names, seconds }: { readonly names: readonly string[]; readonly seconds: number }) =>
    db
      .insertInto('blobs')
      .columns(['name', 'state', 'lease_until'])
      .expression(
        sql`select name, 'arriving', now() + make_interval(secs => ${seconds}::double precision)
          from unnest(${names}::text[]) arriving (name)`,
      ),
);

/** Prolongs the lease of an arriving blob; false when the sweeper already took it. */
export async function renewLease(db: Database, name: string, leaseMs: number): Promise<boolean> {
  const { numUpdatedRows } = await answered(
    db
      .updateTable('blobs')
      .set({ lease_until: inMs(leaseMs) })
      .where('name', '=', name)
      .where('state', '=', 'arriving')
      .executeTakeFirstOrThrow(),
  );
  return numUpdatedRows === 1n;
}

/** The same for several at once; false when the sweeper already took one of them. */
export async function renewLeases(db: Database, names: readonly string[], leaseMs: number): Promise<boolean> {
  const { numUpdatedRows } = await answered(
    db
      .updateTable('blobs')
      .set({ lease_until: inMs(leaseMs) })
      .where(sql<boolean>`name = any(${names}::text[])`)
      .where('state', '=', 'arriving')
      .executeTakeFirstOrThrow(),
  );
  return Number(numUpdatedRows) === names.length;
}

/** Strikes out blobs whose bytes are gone. Kept ones stay, whatever is asked. */
export async function strike(db: Database, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await answered(db.deleteFrom('blobs').where('name', 'in', names).where('state', '<>', 'kept').execute());
}

/**
 * Takes up to `limit` blobs whose lease ran out, arriving or doomed, and holds them for `leaseMs`; no other
 * process gets the same ones meanwhile. They are `doomed` from here on, so that a late commit finds no
 * arriving row and fails.
 */
export async function takeAbandoned(
  db: Database,
  limit: number,
  leaseMs: number,
): Promise<readonly Abandoned[]> {
  return await answered(
    db
      .updateTable('blobs')
      .set({ state: 'doomed', lease_until: inMs(leaseMs) })
      .where('name', 'in', (due) =>
        due
          .selectFrom('blobs')
          .where('state', '<>', 'kept')
          .where('lease_until', '<', sql<string>`now()`)
          .orderBy('lease_until')
          .limit(limit)
          .forUpdate()
          .skipLocked()
          .select('name'),
      )
      .returning(['name', 'extension'])
      .execute(),
  );
}
