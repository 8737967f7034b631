import { type Kysely, sql } from 'kysely';

/**
 * Counts of requests by who sent them. Not logged: a minute's counts that a crash takes are no loss, and nobody
 * has to wait for the disk.
 */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create unlogged table rate_counters (
      key text collate "C" primary key,
      hits integer not null,
      ends_at timestamptz(3) not null
    )`.execute(db);
}
