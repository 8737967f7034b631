import { sql } from 'kysely';
import { answered, type Database } from './database.ts';

/**
 * The tables that hold what cannot be made again, each after those that it refers to, with the unique column
 * that orders its rows. Of the ledger only `kept` rows: what is arriving or doomed at the moment of a dump means
 * nothing to whoever restores it, and may have become a prompt since.
 */
const TABLES = [
  // Parents come before their children.
  { name: 'org_units', key: 'path', first: '', condition: sql`true` },
  {
    name: 'blobs',
    key: 'name',
    first: '',
    // Renditions are made again.
    condition: sql`state = 'kept' and not exists (select from renditions v where v.blob_name = t.name)`,
  },
  { name: 'recordings', key: 'id', first: 0, condition: sql`true` },
  { name: 'prompts', key: 'id', first: 0, condition: sql`true` },
] as const;

/** The name of a table that is dumped. */
export type DumpedTable = (typeof TABLES)[number]['name'];

/** In the order in which they are written and loaded. */
export const DUMPED_TABLES: readonly DumpedTable[] = TABLES.map(({ name }) => name);

/** Tables that are left out of a dump: made from the others, or of no worth a minute later. */
export const DERIVED_TABLES: readonly string[] = [
  'org_unit_usage',
  'rate_counters',
  'ledger_clock',
  'renditions',
  'audio_reports',
  'rendition_jobs',
];

const NUMBERED = ['org_units', 'recordings', 'prompts'] as const;
/** Rows moved at once. */
const BATCH = 500;

/** What a dump has beside the rows. */
export interface DumpFacts {
  /** Those that the schema was made by, oldest first. */
  readonly migrations: readonly string[];
  /** The last ID that was given in each table, also of rows that are gone: none is ever given twice. */
  readonly lastIds: Readonly<Record<string, number>>;
}

/**
 * Hands every row, as a line of JSON, to `take`: all as they were at one instant, while others go on writing.
 * Nobody waits for it and it waits for nobody; memory does not grow with the rows.
 */
export async function dump(
  db: Database,
  take: (table: DumpedTable, lines: readonly string[]) => Promise<void>,
): Promise<DumpFacts> {
  return await answered(
    db
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute(async (snapshot) => {
        for (const table of TABLES) {
          for await (const lines of linesOf(snapshot, table)) await take(table.name, lines);
        }
        return { migrations: await migrationsOf(snapshot), lastIds: await lastIdsOf(snapshot) };
      }),
  );
}

/** Is there nothing but what the migrations put there? */
export async function isBlank(db: Database): Promise<boolean> {
  const { rows } = await answered(
    sql<{ blank: boolean }>`select not (
      exists (select from prompts) or exists (select from recordings) or exists (select from blobs)
      or exists (select from org_units where id <> 1)) as blank`.execute(db),
  );
  return rows[0]?.blank === true;
}

/** How many rows there are of each table. */
export async function countRows(db: Database): Promise<Readonly<Record<DumpedTable, number>>> {
  const counts = { org_units: 0, blobs: 0, recordings: 0, prompts: 0 };
  for (const table of DUMPED_TABLES) {
    const { rows } = await answered(
      sql<{ rows: number }>`select count(*) as rows from ${sql.table(table)}`.execute(db),
    );
    counts[table] = rows[0]?.rows ?? 0;
  }
  return counts;
}

/**
 * Fills a blank database of the dump's schema, without the recordings named in `without` and their prompts. In one
 * transaction: all of it or nothing. To be called on a patient database.
 */
export async function load(
  db: Database,
  linesOfTable: (table: DumpedTable) => AsyncIterable<string>,
  { lastIds }: Pick<DumpFacts, 'lastIds'>,
  without: readonly string[],
): Promise<void> {
  await answered(
    db.transaction().execute(async (trx) => {
      await sql`delete from org_units`.execute(trx);
      for (const table of DUMPED_TABLES) await insertAll(trx, table, linesOfTable(table));
      await leaveOut(trx, without);
      for (const table of NUMBERED) {
        const last = lastIds[table];
        if (last !== undefined) {
          await sql`select setval(pg_get_serial_sequence(${table}, 'id'), ${last}::bigint)`.execute(trx);
        }
      }
      await count(trx);
    }),
  );
}

async function* linesOf(
  db: Database,
  { name, key, first, condition }: (typeof TABLES)[number],
): AsyncGenerator<readonly string[]> {
  for (let after: string | number = first; ; ) {
    const { rows } = await sql<{ key: string | number; line: string }>`
      select t.${sql.ref(key)} as key, to_json(t)::text as line from (
        select * from ${sql.table(name)} t where ${sql.ref(key)} > ${after} and ${condition}
        order by ${sql.ref(key)} limit ${sql.lit(BATCH)}
      ) t order by 1`.execute(db);
    if (rows.length > 0) yield rows.map(({ line }) => line);
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return;
    after = last.key;
  }
}

async function migrationsOf(db: Database): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return rows.map(({ name }) => name);
}

async function lastIdsOf(db: Database): Promise<Readonly<Record<string, number>>> {
  const lastIds: Record<string, number> = {};
  for (const table of NUMBERED) {
    const { rows } = await sql<{ last: number | null }>`
      select pg_sequence_last_value(pg_get_serial_sequence(${table}, 'id')::regclass) as last`.execute(db);
    const last = rows[0]?.last;
    // Null as long as none was given.
    if (typeof last === 'number') lastIds[table] = last;
  }
  return lastIds;
}

async function insertAll(db: Database, table: DumpedTable, lines: AsyncIterable<string>): Promise<void> {
  const insert = async (batch: readonly string[]) => {
    const rows = `[${batch.join(',')}]`;
    await sql`insert into ${sql.table(table)}
      select * from json_populate_recordset(null::${sql.table(table)}, ${rows}::json)`.execute(db);
  };
  const batch: string[] = [];
  for await (const line of lines) {
    batch.push(line);
    if (batch.length === BATCH) await insert(batch.splice(0));
  }
  if (batch.length > 0) await insert(batch);
}

async function leaveOut(db: Database, names: readonly string[]): Promise<void> {
  await sql`delete from prompts using recordings r
    where r.id = recording_id and r.blob_name = any(${names}::text[])`.execute(db);
  await sql`delete from recordings where blob_name = any(${names}::text[])`.execute(db);
  await sql`delete from blobs where name = any(${names}::text[])`.execute(db);
}

/** A schema older than the counters is counted by the migration that brings them. */
async function count(db: Database): Promise<void> {
  const { rows } = await sql<{ there: boolean }>`
    select to_regclass('org_unit_usage') is not null as there`.execute(db);
  if (rows[0]?.there !== true) return;
  await sql`
    insert into org_unit_usage (org_unit_id, message_type, slot, prompts, bytes)
    select p.org_unit_id, p.message_type, 0, count(*), sum(r.file_size)
    from prompts p join recordings r on r.id = p.recording_id
    group by p.org_unit_id, p.message_type`.execute(db);
}
