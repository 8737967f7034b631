import { sql } from 'kysely';
import { DEFAULT_MIGRATION_TABLE, Migrator } from 'kysely/migration';
import { migrations } from '../../migrations/index.ts';
import { type Database, inTransaction } from './database.ts';

/** Any number that nobody else locks; all processes of the service agree on it. */
const MIGRATION_LOCK = 7_330_114_209;

/** The database has migrations beyond the last one that is asked for, or that this version knows. */
export class SchemaBeyondError extends Error {
  override readonly name = 'SchemaBeyondError';
}

/** The migrations that this version of the service knows, oldest first. */
export const knownMigrations = (): readonly string[] => Object.keys(migrations).sort();

/**
 * Brings the schema up to date, or up to the migration `upTo`, and returns the names of the migrations it ran. Any number of processes may
 * call it at the same time: each migration runs once, the others wait. All or nothing. To be called on a patient
 * database, since waiting may take longer than a query's usual bound.
 *
 * The lock lives and dies with the transaction. A session lock, which is what the migrator takes by itself,
 * stays behind on a pooler's connection.
 *
 * @throws SchemaBeyondError when the database is beyond `upTo` already, or was migrated by a newer version
 */
export async function migrate(db: Database, upTo?: string): Promise<readonly string[]> {
  const wanted = Object.entries(migrations).filter(([name]) => upTo === undefined || name <= upTo);
  return await inTransaction(db, async (trx) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)})`.execute(trx);
    assertWithin(await executedIn(trx), upTo);
    const migrator = new Migrator({
      db: trx,
      provider: { getMigrations: () => Promise.resolve(Object.fromEntries(wanted)) },
    });
    const { error, results } = await migrator.migrateToLatest();
    if (error !== undefined) throw error;
    return (results ?? []).map((result) => result.migrationName);
  });
}

function assertWithin(executed: readonly string[], upTo: string | undefined): void {
  const unknown = executed.find((name) => !knownMigrations().includes(name));
  if (unknown !== undefined) {
    throw new SchemaBeyondError(
      `The database was migrated by a newer version of media-prompts (it has ${unknown}); start that version, or restore the backup taken before.`,
    );
  }
  if (upTo !== undefined && executed.some((name) => name > upTo)) {
    throw new SchemaBeyondError(`The database has migrations beyond ${upTo}.`);
  }
}

/** Those of a newer version of the service, too, which the migrator does not list. */
async function executedIn(db: Database): Promise<readonly string[]> {
  const { rows: found } = await sql<{ is_there: boolean }>`
    select to_regclass(${DEFAULT_MIGRATION_TABLE}) is not null as is_there`.execute(db);
  if (found[0]?.is_there !== true) return [];
  const { rows } = await sql<{ name: string }>`
    select name from ${sql.table(DEFAULT_MIGRATION_TABLE)}`.execute(db);
  return rows.map(({ name }) => name);
}
