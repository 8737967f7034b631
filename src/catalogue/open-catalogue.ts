import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DatabaseChoice } from '../config.ts';
import { CatalogueError } from './catalogue-error.ts';
import { checkDatabase, type Database, type DatabaseAddress, openDatabase } from './database.ts';
import { databaseName, startEmbeddedPostgres } from './embedded-postgres.ts';
import { socketPort, superuser } from './embedded-postgres-cluster.ts';
import type { ServerLog } from './embedded-postgres-server.ts';
import { migrate } from './migrate.ts';

/** A catalogue ready for use: reachable and migrated. */
export interface Catalogue {
  readonly db: Database;
  /** Where other processes of the service reach it, until it is closed. */
  readonly address: DatabaseAddress;
  close(): Promise<void>;
}

export interface CatalogueOptions {
  readonly choice: DatabaseChoice;
  readonly poolSize: number;
  /** What other processes may have beside the pool; for an embedded server to have room for them. */
  readonly connectionsOfOthers?: number;
  readonly log: ServerLog;
  /** Waits for an answer as long as it takes: for commands that ask for much at once. */
  readonly isPatient?: boolean;
  /** Lets connections keep the plans of what is asked often. */
  readonly keepsPlans?: boolean;
  /** The migration to stop at; without it, the latest. */
  readonly upTo?: string;
}

/** Those that an embedded server has room for beside the service's: commands, migrations, its own helpers. */
const SPARE_CONNECTIONS = 20;
const LEAST_CONNECTIONS = 100;
/** How long a server that is not up yet is waited for, ms. */
const SERVER_PATIENCE = 30_000;
const RETRY_PAUSE = 500;

/**
 * Opens the database that the configuration names, starting the embedded one if that is it, and migrates it.
 *
 * @throws EmbeddedPostgresError, or CatalogueError `unavailable` when a server does not answer within 30 s
 */
export async function openCatalogue(options: CatalogueOptions): Promise<Catalogue> {
  const { choice, poolSize, log, upTo } = options;
  const { address, stop } = await addressOf(choice, log, poolSize + (options.connectionsOfOthers ?? 0));
  const { db, close: closePool } = shareCatalogue({ ...options, address });
  const close = async () => {
    await closePool();
    await stop();
  };
  try {
    await awaitServer(db, log);
    const applied = await migratePatiently(address, upTo);
    if (applied.length > 0) log.info({ applied }, 'database migrated');
    return { db, address, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * For one of several processes: a pool of its own on what another one has opened and migrated. Nothing is sent before
 * the first query, so that a process can start while the database is away.
 */
export function shareCatalogue(
  options: { readonly address: DatabaseAddress } & Pick<
    CatalogueOptions,
    'poolSize' | 'log' | 'isPatient' | 'keepsPlans'
  >,
): Catalogue {
  const { address, poolSize, log, isPatient = false, keepsPlans = false } = options;
  let isClosing = false;
  const db = openDatabase(address, {
    poolSize,
    isPatient,
    keepsPlans,
    onIdleError: ({ message }) => {
      if (!isClosing) log.warn({ reason: message }, 'an idle database connection was lost');
    },
  });
  const close = async () => {
    isClosing = true;
    await db.destroy();
  };
  return { db, address, close };
}

/** For commands beside a running service: uses the embedded server that runs already, else starts it. */
export async function joinCatalogue(options: CatalogueOptions): Promise<Catalogue> {
  const { choice, poolSize, isPatient = false, upTo } = options;
  const host = choice.kind === 'embedded' ? await runningSocket(choice.directory) : undefined;
  if (host === undefined) return await openCatalogue(options);
  const address = { host, port: socketPort, user: superuser, database: databaseName };
  const db = openDatabase(address, { poolSize, isPatient, onIdleError: () => undefined });
  try {
    await checkDatabase(db);
  } catch {
    await db.destroy();
    return await openCatalogue(options);
  }
  try {
    await migratePatiently(address, upTo);
    return { db, address, close: () => db.destroy() };
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

async function migratePatiently(address: DatabaseAddress, upTo?: string): Promise<readonly string[]> {
  const db = openDatabase(address, { poolSize: 1, onIdleError: () => undefined, isPatient: true });
  try {
    return await migrate(db, upTo);
  } finally {
    await db.destroy();
  }
}

async function addressOf(
  choice: DatabaseChoice,
  log: ServerLog,
  connections: number,
): Promise<{ address: DatabaseAddress; stop: () => Promise<void> }> {
  if (choice.kind === 'server') {
    return { address: { connectionString: choice.url }, stop: () => Promise.resolve() };
  }
  const maxConnections = Math.max(LEAST_CONNECTIONS, connections + SPARE_CONNECTIONS);
  const embedded = await startEmbeddedPostgres({ directory: choice.directory, log, maxConnections });
  return { address: embedded.connection, stop: () => embedded.stop() };
}

async function awaitServer(db: Database, log: ServerLog): Promise<void> {
  const giveUp = Date.now() + SERVER_PATIENCE;
  for (;;) {
    try {
      await checkDatabase(db);
      return;
    } catch (error) {
      const isAway = error instanceof CatalogueError && error.code === 'unavailable';
      if (!isAway || isRefused(error.cause) || Date.now() > giveUp) throw error;
      log.warn({ reason: String(error.cause) }, 'waiting for the database');
      await delay(RETRY_PAUSE);
    }
  }
}

/** A wrong password (28) or database name (3D) does not become right by waiting. */
function isRefused(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && /^(28|3D)/.test(String(cause.code));
}

/** The fifth line of a server's lock file is its socket folder. */
async function runningSocket(directory: string): Promise<string | undefined> {
  try {
    const lock = await readFile(join(directory, 'postmaster.pid'), 'utf8');
    return lock.split('\n')[4] || undefined;
  } catch {
    return undefined;
  }
}
