import { type Kysely, sql } from 'kysely';

/** Renditions of recordings, what was measured of their audio, and the queue of what is still to be made. */
export async function up(db: Kysely<never>): Promise<void> {
  // A row for each that was made, or cannot be made; one that is still to come has none.
  await sql`
    create table renditions (
      recording_id bigint not null references recordings (id),
      kind text not null,
      state text not null check (state in ('ready', 'failed')),
      blob_name text collate "C" unique references blobs (name),
      codec text,
      sample_rate integer,
      channels integer,
      file_size bigint,
      sha256 text collate "C",
      reason text,
      made_on timestamptz(3) not null default now(),
      primary key (recording_id, kind),
      check ((state = 'ready') = (blob_name is not null)),
      check ((state = 'ready') = (sha256 is not null)),
      check ((state = 'failed') = (reason is not null))
    )`.execute(db);

  // `recipe` is the set of renditions that was complete when the recording was measured. `peaks` are pairs of
  // signed bytes. All is null where the audio could not be decoded.
  await sql`
    create table audio_reports (
      recording_id bigint primary key references recordings (id) on delete cascade,
      recipe smallint not null,
      loudness_lufs real,
      true_peak_dbtp real,
      leading_silence_ms bigint,
      trailing_silence_ms bigint,
      decoded_duration_ms bigint,
      warnings jsonb not null,
      peaks bytea
    )`.execute(db);

  // `due_at` is when the next attempt may begin: now, after a pause, or when the lease of the running one ends.
  await sql`
    create table rendition_jobs (
      recording_id bigint primary key references recordings (id) on delete cascade,
      org_unit_id bigint not null,
      priority smallint not null,
      attempts smallint not null default 0,
      holder uuid,
      due_at timestamptz(3) not null default now()
    )`.execute(db);
  await sql`create index rendition_jobs_by_turn on rendition_jobs (priority, org_unit_id, recording_id)`.execute(
    db,
  );
}
