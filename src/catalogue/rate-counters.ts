import { sql } from 'kysely';
import { answered, type Database } from './database.ts';

/** How often a key was counted in its window, and how long that window still lasts. */
export interface RateCount {
  readonly hits: number;
  readonly msLeft: number;
}

/** Counters removed by one statement. */
const BATCH = 10_000;

/**
 * Counts one more for `key` and tells the new count; a window of `windowMs` begins with its first. One statement,
 * right for any number of processes at once. Times are the database's.
 */
export async function countHit(db: Database, key: string, windowMs: number): Promise<RateCount> {
  const isOver = sql<boolean>`rate_counters.ends_at <= now()`;
  const row = await answered(
    db
      .insertInto('rate_counters')
      .values({
        key,
        hits: 1,
        ends_at: sql<string>`now() + make_interval(secs => ${windowMs / 1000}::double precision)`,
      })
      .onConflict((conflict) =>
        conflict.column('key').doUpdateSet({
          hits: sql<number>`case when ${isOver} then 1 else rate_counters.hits + 1 end`,
          ends_at: sql<string>`case when ${isOver} then excluded.ends_at else rate_counters.ends_at end`,
        }),
      )
      .returning([
        'hits',
        sql<number>`(extract(epoch from ends_at - now()) * 1000)::double precision`.as('ms_left'),
      ])
      .executeTakeFirstOrThrow(),
  );
  return { hits: row.hits, msLeft: row.ms_left };
}

/** Removes counters whose window is over. Any number of processes may do so at the same time. */
export async function sweepRateCounters(db: Database): Promise<void> {
  await answered(
    db
      .deleteFrom('rate_counters')
      .where('key', 'in', (over) =>
        over
          .selectFrom('rate_counters')
          .where('ends_at', '<=', sql<string>`now()`)
          .limit(BATCH)
          .forUpdate()
          .skipLocked()
          .select('key'),
      )
      .execute(),
  );
}
