import { type Kysely, sql } from 'kysely';

/** The type in the index that lists of a unit are read from, so that a filter by it need not look at each row. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`drop index prompts_by_unit_and_age`.execute(db);
  await sql`
    create index prompts_by_unit_and_age on prompts (org_unit_id, created_on, id) include (message_type)`.execute(
    db,
  );
}
