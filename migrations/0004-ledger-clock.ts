import { type Kysely, sql } from 'kysely';

/**
 * How often the ledger was swept. The blob store holds the number too, so that a database which was set back to an
 * older state can be told from one that goes on.
 */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table ledger_clock (
      only_row boolean primary key default true check (only_row),
      reading bigint not null
    )`.execute(db);
  await sql`insert into ledger_clock (reading) values (0)`.execute(db);
}
