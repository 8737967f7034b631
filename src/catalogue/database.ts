import { Kysely, PostgresDialect, type RawBuilder, sql } from 'kysely';
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
  const answerTimeout = options.isPatient === true ? undefined : ANSWER_TIMEOUT;
  const pool = new pg.Pool({
    ...address,
    // A Unix socket has no TLS, whatever PGSSLMODE says for other servers.
    ...('host' in address && { ssl: false }),
    max: options.poolSize,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    keepAlive: true,
    application_name: 'media-prompts',
    types: { getTypeParser: typeParser },
    // As a statement, since poolers refuse it as a start-up parameter.
    onConnect: async (client) => {
      const bound = options.isPatient === true ? 0 : STATEMENT_TIMEOUT;
      const setting = { text: `set statement_timeout = ${bound}`, query_timeout: answerTimeout };
      await client.query(setting);
    },
  });
  pool.on('error', options.onIdleError);
  const queue: WaitingRoom = new Set();
  const asking = { answerTimeout, keepsPlans: options.keepsPlans ?? false };
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: withoutLostConnections(pool, queue, asking) }),
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
function withoutLostConnections(pool: pg.Pool, queue: WaitingRoom, asking: Asking) {
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
      const stopWatching = watchQueries(client, onLost, asking);
      const release = () => {
        stopWatching();
        giveBack(lost);
        client.off('error', onLost);
      };
      return Object.assign(client, { release });
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

/** How queries are asked. */
interface Asking {
  /** How long an answer may take, ms; undefined = as long as it takes. */
  readonly answerTimeout: number | undefined;
  readonly keepsPlans: boolean;
}

/**
 * Kysely asks for a promise, with a text and its values. For one, or for a bound on time, pg would assign a function to
 * the query, and such a function V8 makes among what lives long: each would hold its answer, and so the page of a list,
 * until the whole heap is collected. So pg is given a callback, and time is taken here.
 */
function watchQueries(client: pg.PoolClient, onLost: (error: Error) => void, asking: Asking): () => void {
  const { answerTimeout, keepsPlans } = asking;
  const { query } = client;
  const watched = (text: string, values: readonly unknown[]) =>
    new Promise<unknown>((resolve, reject) => {
      const fail = (error: Error) => {
        clearTimeout(timer);
        if (!isSqlState(error)) onLost(error);
        reject(error);
      };
      const isLate = () => fail(new CatalogueError('unavailable', 'The database did not answer in time.'));
      const timer = answerTimeout === undefined ? undefined : setTimeout(isLate, answerTimeout);
      const onAnswer = (error: Error | null, result: unknown) => {
        if (error) return fail(error);
        clearTimeout(timer);
        resolve(result);
      };
      const name = keepsPlans ? nameOf(text) : undefined;
      Reflect.apply(query, client, [{ name, text, values }, onAnswer]);
    });
  Object.assign(client, { query: watched });
  return () => Object.assign(client, { query });
}

function typeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === INT8) return Number;
  if (oid === TIMESTAMPTZ) return instant;
  return pg.types.getTypeParser(oid, format === 'binary' ? 'text' : format);
}

/**
 * A moment of whole milliseconds as the JSON of what `instant` makes of it, whatever the session's time zone. With a
 * microsecond more it has all its digits, of which some are cut off: `to_char` takes twice as long.
 */
export const instantAsJson = (moment: RawBuilder<unknown>): RawBuilder<string> =>
  sql`(left(to_json(${moment} at time zone interval '0' + interval '1 microsecond')::text, 24) || 'Z"')`;

/** A moment as PostgreSQL says it in a column. In UTC, the common case, it is cut and padded. */
function instant(text: string): string {
  const [, seconds, fraction = ''] = /^(.{19})\.?(\d*)\+00(?::00)?$/.exec(text) ?? [];
  if (seconds === undefined) return new Date(text).toISOString();
  return `${seconds.replace(' ', 'T')}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
}
