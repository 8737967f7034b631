import { type IsolationLevel, Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { catalogueErrorFrom } from './catalogue-error.ts';
import { type WaitingRoom, withoutLostConnections } from './pool.ts';
import { retried } from './retried.ts';
import type { Tables } from './tables.ts';
import { typeParser } from './values.ts';

/** Where a PostgreSQL answers: a url, or the folder of its Unix socket. */
export type DatabaseAddress =
  | { readonly connectionString: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly database: string;
    };

export type Database = Kysely<Tables>;

/** How long a query may take, ms. */
export interface QueryBounds {
  /** Until it has a connection. */
  readonly connectMs: number;
  /** How long the server may work at it. */
  readonly statementMs: number;
  /** How long we wait for its answer: longer than the server's own bound, so that it is the one to give up. */
  readonly answerMs: number;
}

/** Short enough for a request to be refused in ten seconds. */
const BOUNDS: QueryBounds = { connectMs: 2_000, statementMs: 4_000, answerMs: 5_000 };

/**
 * Opens a pool of at most `poolSize` connections. Nothing is sent before the first query; a server that is
 * away shows as a CatalogueError `unavailable` from each query, and the pool finds it again by itself.
 * A statement that is no part of a transaction is one itself, and is begun anew when others stood in its way.
 */
export function openDatabase(
  address: DatabaseAddress,
  options: {
    readonly poolSize: number;
    readonly onIdleError: (error: Error) => void;
    /** Waits for an answer as long as it takes: for migrations, and for those of other processes. */
    readonly isPatient?: boolean;
    /** Lets connections keep the plans of what is asked often: not for poolers that share them between clients. */
    readonly keepsPlans?: boolean;
    readonly bounds?: QueryBounds;
  },
): Database {
  const { isPatient = false, keepsPlans = false, bounds = BOUNDS } = options;
  const answerTimeout = isPatient ? undefined : bounds.answerMs;
  const pool = new pg.Pool({
    ...address,
    // A Unix socket has no TLS, whatever PGSSLMODE says for other servers.
    ...('host' in address && { ssl: false }),
    max: options.poolSize,
    connectionTimeoutMillis: bounds.connectMs,
    keepAlive: true,
    application_name: 'media-prompts',
    types: { getTypeParser: typeParser },
    // As a statement, since poolers refuse it as a start-up parameter. Who is patient says so in each transaction: as a
    // setting of the session it would become that of others, where a pooler shares sessions.
    onConnect: async (client) => {
      if (isPatient) return;
      const text = `set statement_timeout = ${bounds.statementMs}`;
      const setting = { text, query_timeout: answerTimeout };
      await client.query(setting);
    },
  });
  pool.on('error', options.onIdleError);
  const inside: Inside = { queue: new Set(), retries: 0 };
  const onRetry = () => {
    inside.retries += 1;
  };
  const asking = { answerTimeout, isPatient, keepsPlans, onRetry };
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: withoutLostConnections(pool, inside.queue, asking) }),
  });
  insides.set(db, inside);
  return db;
}

/** What a database has beside what Kysely shows of it. */
interface Inside {
  readonly queue: WaitingRoom;
  retries: number;
}

const insides = new WeakMap<Database, Inside>();

/** Who waits for a connection. */
export interface DatabaseQueue {
  readonly length: number;
  /** How long the first has waited, ms; 0 when nobody does. */
  readonly waitMs: number;
}

/** Who waits for a connection of this database now. */
export function queueOf(db: Database): DatabaseQueue {
  const queue: WaitingRoom = insides.get(db)?.queue ?? new Set();
  for (const { since } of queue) return { length: queue.size, waitMs: performance.now() - since };
  return { length: 0, waitMs: 0 };
}

/** How often a transaction was begun anew since this database was opened, because others stood in its way. */
export const retriesOf = (db: Database): number => insides.get(db)?.retries ?? 0;

/** Resolves when the database answers a query. @throws CatalogueError */
export async function checkDatabase(db: Database): Promise<void> {
  await answered(sql`select 1`.execute(db));
}

/** The rows of a query, or its failure as a CatalogueError where the database is to blame. */
export async function answered<T>(query: Promise<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    throw catalogueErrorFrom(error);
  }
}

/**
 * Commits all that `work` does with `trx`, or nothing of it. May call `work` several times, when others stood in its
 * way: so it does nothing that is not taken back with the transaction.
 *
 * @throws CatalogueError, and what `work` throws
 */
export async function inTransaction<T>(
  db: Database,
  work: (trx: Database) => Promise<T>,
  isolation?: IsolationLevel,
): Promise<T> {
  const begin = isolation === undefined ? db.transaction() : db.transaction().setIsolationLevel(isolation);
  const onRetry = () => {
    const inside = insides.get(db);
    if (inside !== undefined) inside.retries += 1;
  };
  return await answered(retried(() => begin.execute(work), onRetry));
}
