import { type Kysely, sql } from 'kysely';

/** Counters of what org units keep, a quota for each, and indexes for every order of a list. */
export async function up(db: Kysely<never>): Promise<void> {
  // Null is the quota that the service is configured with, 0 none.
  await sql`alter table org_units add column quota_bytes bigint check (quota_bytes >= 0)`.execute(db);

  // What a unit keeps of a type is the sum over its slots; one by itself means nothing and may be negative.
  // Half of each page is left free, so that a counter changes in its place.
  await sql`
    create table org_unit_usage (
      org_unit_id bigint not null references org_units (id) on delete cascade,
      message_type text not null,
      slot smallint not null,
      prompts bigint not null,
      bytes bigint not null,
      primary key (org_unit_id, message_type, slot)
    ) with (fillfactor = 50)`.execute(db);
  await sql`
    insert into org_unit_usage (org_unit_id, message_type, slot, prompts, bytes)
    select p.org_unit_id, p.message_type, 0, count(*), sum(r.file_size)
    from prompts p join recordings r on r.id = p.recording_id
    group by p.org_unit_id, p.message_type`.execute(db);

  // Without these a list in such an order sorts everything there is. What they include lets it skip the
  // prompts that it does not show.
  await sql`create index prompts_by_name on prompts (name_key, id) include (org_unit_id, message_type)`.execute(
    db,
  );
  await sql`create index prompts_by_type on prompts (message_type, id) include (org_unit_id)`.execute(db);
  await sql`create index recordings_by_size on recordings (file_size)`.execute(db);
  await sql`create index recordings_by_duration on recordings (coalesce(duration_ms, -1))`.execute(db);
}
