import pg from 'pg';

/** A tree of units, unit 1 at its top, and how many prompts in all. */
export interface Size {
  /** At most 10,000. */
  readonly units: number;
  readonly prompts: number;
}

/** Of the tree's units this one alone holds a tenth of all prompts, for lists of a single unit. */
export const BIG_UNIT = 2;

/** In a tree of one unit there is no other. */
export const bigUnit = (units: number) => Math.min(BIG_UNIT, units);

const TYPES = "(array['prompt','whisper','voicemail','survey'])[1 + n / 10 % 4]";

/**
 * Fills an empty, migrated database with prompts as years of uploads would leave them; without bytes, so their
 * recordings cannot be played. Names are words and a number, moments a second apart, sizes and durations spread.
 */
export async function fill(connectionString: string, { units, prompts }: Size): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const run = (text: string, values: readonly unknown[] = []) => client.query(text, [...values]);
  try {
    await run('begin');
    // A broad tree of three levels: each unit hangs below the one with a hundredth of its number. Nothing hangs below
    // the big unit, so that its list is that of its own prompts.
    await run(
      `insert into org_units (id, parent_id, name, path)
       select id, parent, 'Unit ' || id, case when parent = 1 then '/1/' || id || '/' else '/1/' || parent || '/' || id || '/' end
       from (select n as id, greatest(1, n / 100 + (n / 100 = ${BIG_UNIT})::int) as parent
             from generate_series(2, $1::bigint) n) as tree`,
      [units],
    );
    await run("select setval(pg_get_serial_sequence('org_units', 'id'), $1::bigint + 1)", [units]);
    await run(
      `insert into blobs (name, state, extension)
       select 'file-1700000000000-' || lpad(n::text, 39, '0'), 'kept', 'wav' from generate_series(1, $1::bigint) n`,
      [prompts],
    );
    await run(
      `insert into recordings (id, blob_name, original_filename, file_size, sha256, container, codec, sample_rate, channels, duration_ms)
       select n, 'file-1700000000000-' || lpad(n::text, 39, '0'), n || '.wav', 1000 + n * 7919 % 5000000,
         lpad(to_hex(n), 64, '0'), 'wav', 'pcm_s16le', 8000, 1, n * 104729 % 600000
       from generate_series(1, $1::bigint) n`,
      [prompts],
    );
    await run(
      `insert into prompts (id, uuid, org_unit_id, name, name_key, message_type, recording_id, recording_file_type, created_on, modified_on)
       select n, gen_random_uuid(), case when n % 10 = 0 then $2::bigint else 1 + n * 31 % $3::bigint end,
         'Menu greeting ' || n, 'menu greeting ' || n, ${TYPES}, n, 'uploaded',
         timestamptz '2020-01-01' + n * interval '1 s', timestamptz '2020-01-01' + n * interval '1 s'
       from generate_series(1, $1::bigint) n`,
      [prompts, bigUnit(units), units],
    );
    for (const table of ['recordings', 'prompts']) {
      await run(`select setval(pg_get_serial_sequence('${table}', 'id'), $1::bigint + 1)`, [prompts]);
    }
    await run(
      `insert into org_unit_usage (org_unit_id, message_type, slot, prompts, bytes)
       select p.org_unit_id, p.message_type, 0, count(*), sum(r.file_size)
       from prompts p join recordings r on r.id = p.recording_id group by 1, 2`,
    );
    await run('commit');
    await run('vacuum analyze');
  } finally {
    await client.end();
  }
}
