import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { CatalogueError, catalogueErrorFrom, isSqlState } from './catalogue-error.ts';
import { nameOf } from './statement.ts';
import type { Tables } from './tables.ts';

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

/** How long the server may work at one statement, ms. */
const STATEMENT_TIMEOUT = 4_000;
/** How long we wait for its answer, ms. Longer than the server's own bound, so that it is the one to give up. */
const ANSWER_TIMEOUT = 5_000;
/** How long a query waits for a connection, ms. With the answer's, short enough for a request to be refused in ten seconds. */
const CONNECT_TIMEOUT = 2_000;

const INT8 = 20;
const TIMESTAMPTZ = 1184;

/**
 * Opens a pool of at most `poolSize` connections. Nothing is sent before the first query; a server that is
 * away shows as a CatalogueError `unavailable` from each query, and the pool finds it again by itself.
 * bigint arrives as a number (our ids stay below 2^53), timestamptz as ISO text.
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
  },
): Database {
  const pool = new pg.Pool({
    ...address,
    // A Unix socket has no TLS, whatever PGSSLMODE says for other servers.
    ...('host' in address && { ssl: false }),
    max: options.poolSize,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    ...(options.isPatient !== true && { query_timeout: ANSWER_TIMEOUT }),
    keepAlive: true,
    application_name: 'media-prompts',
    types: { getTypeParser: typeParser },
    // As a statement, since poolers refuse it as a start-up parameter.
    onConnect: async (client) => {
      await client.query(`set statement_timeout = ${options.isPatient === true ? 0 : STATEMENT_TIMEOUT}`);
    },
  });
  pool.on('error', options.onIdleError);
  const queue: WaitingRoom = new Set();
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: withoutLostConnections(pool, queue, options.keepsPlans ?? false) }),
  });
  queues.set(db, queue);
  return db;
}

/** Those who want a connection and have none yet, in the order in which they came. */
type WaitingRoom = Set<{ readonly since: number }>;

/** Kysely shows nothing of the pool that it was given. */
const queues = new WeakMap<Database, WaitingRoom>();

/** Who waits for a connection. */
export interface DatabaseQueue {
  readonly length: number;
  /** How long the first has waited, ms; 0 when nobody does. */
  readonly waitMs: number;
}

/** Who waits for a connection of this database now. */
export function queueOf(db: Database): DatabaseQueue {
  const queue = queues.get(db) ?? new Set();
  for (const { since } of queue) return { length: queue.size, waitMs: performance.now() - since };
  return { length: 0, waitMs: 0 };
}

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
 * pg gives a connection whose query timed out back to the pool, where the next user would wait behind a query
 * that may never be answered. A connection that failed with anything but an answer of the server is closed.
 */
function withoutLostConnections(pool: pg.Pool, queue: WaitingRoom, keepsPlans: boolean) {
  const connect = oneWhileAway(pool);
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect(): Promise<pg.PoolClient> {
      const place = { since: performance.now() };
      queue.add(place);
      const client = await connect()
        .catch((cause: unknown) => {
          throw new CatalogueError('unavailable', 'No connection to the database.', { cause });
        })
        .finally(() => queue.delete(place));
      const giveBack = client.release.bind(client);
      let lost: Error | undefined;
      const onLost = (error: Error) => {
        lost = error;
      };
      // The pool listens to idle connections alone; from one in use an error that nobody hears ends the process.
      client.on('error', onLost);
      const stopWatching = watchQueries(client, onLost, keepsPlans);
      client.release = () => {
        stopWatching();
        giveBack(lost);
        client.off('error', onLost);
      };
      return client;
    },
  };
}

/**
 * While new connections fail, one asks at a time, and who comes meanwhile waits for what that one hears. A server
 * that hangs would otherwise find all that were given up before it when it is back, and greet each of them first.
 */
function oneWhileAway(pool: pg.Pool): () => Promise<pg.PoolClient> {
  let isAway = false;
  let asking: Promise<pg.PoolClient> | undefined;
  const ask = async () => {
    // Who only waits for others to be done learns nothing of the server.
    const isNew = pool.idleCount === 0 && pool.totalCount < pool.options.max;
    try {
      const client = await pool.connect();
      isAway = false;
      return client;
    } catch (error) {
      if (isNew) isAway = true;
      throw error;
    }
  };
  return async () => {
    if (!isAway) return await ask();
    if (asking !== undefined) {
      await asking;
      return await ask();
    }
    asking = ask().finally(() => {
      asking = undefined;
    });
    return await asking;
  };
}

function watchQueries(
  client: pg.PoolClient,
  onLost: (error: Error) => void,
  keepsPlans: boolean,
): () => void {
  const query = client.query;
  const watched = (...args: unknown[]): unknown => {
    const outcome: unknown = Reflect.apply(query, client, keepsPlans ? named(args) : args);
    if (outcome instanceof Promise) {
      outcome.catch((error: unknown) => {
        if (error instanceof Error && !isSqlState(error)) onLost(error);
      });
    }
    return outcome;
  };
  Object.assign(client, { query: watched });
  return () => Object.assign(client, { query });
}

/** Kysely hands over a text and its values. */
function named(args: readonly unknown[]): readonly unknown[] {
  const [text, values] = args;
  const name = typeof text === 'string' ? nameOf(text) : undefined;
  return name === undefined ? args : [{ name, text, values }];
}

function typeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === INT8) return Number;
  if (oid === TIMESTAMPTZ) return instant;
  return pg.types.getTypeParser(oid, format === 'binary' ? 'text' : format);
}

/** A moment as PostgreSQL says it, in a column or in JSON. In UTC, the common case, it is cut and padded. */
export function instant(text: string): string {
  const [, seconds, fraction = ''] = /^(.{19})\.?(\d*)\+00(?::00)?$/.exec(text) ?? [];
  if (seconds === undefined) return new Date(text).toISOString();
  return `${seconds.replace(' ', 'T')}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
}
