import type pg from 'pg';
import { CatalogueError, isSqlState } from './catalogue-error.ts';
import { retried } from './retried.ts';
import { nameOf } from './statement.ts';

/** Those who want a connection and have none yet, in the order in which they came. */
export type WaitingRoom = Set<{ readonly since: number }>;

/**
 * pg gives a connection whose query timed out back to the pool, where the next user would wait behind a query
 * that may never be answered. A connection that failed with anything but an answer of the server is closed.
 */
export function withoutLostConnections(pool: pg.Pool, queue: WaitingRoom, asking: Asking) {
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
export interface Asking {
  /** How long an answer may take, ms; undefined = as long as it takes. */
  readonly answerTimeout: number | undefined;
  /** Whether the server, too, may work as long as it takes. */
  readonly isPatient: boolean;
  readonly keepsPlans: boolean;
  readonly onRetry: () => void;
}

/**
 * Kysely asks for a promise, with a text and its values. For one, or for a bound on time, pg would assign a function to
 * the query, and such a function V8 makes among what lives long: each would hold its answer, and so the page of a list,
 * until the whole heap is collected. So pg is given a callback, and time is taken here.
 */
function watchQueries(client: pg.PoolClient, onLost: (error: Error) => void, asking: Asking): () => void {
  const { answerTimeout, isPatient, keepsPlans, onRetry } = asking;
  const { query } = client;
  const ask = (text: string, values: readonly unknown[] = []) =>
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
  const askAlone = isPatient ? patiently(ask) : ask;
  const watched = async (text: string, values: readonly unknown[]) => {
    // Inside a transaction and at its end, all of it would have to begin anew.
    if (client.getTransactionStatus() !== 'I') return await ask(text, values);
    return await retried(() => askAlone(text, values), onRetry);
  };
  Object.assign(client, { query: watched });
  return () => Object.assign(client, { query });
}

type Ask = (text: string, values?: readonly unknown[]) => Promise<unknown>;

/** Asks what begins a transaction, or is one by itself, and has the server take as long as it needs for it. */
function patiently(ask: Ask): Ask {
  const begin = async (text: string) => {
    const begun = await ask(text);
    await ask('set local statement_timeout = 0');
    return begun;
  };
  return async (text, values) => {
    if (/^(begin|start transaction)\b/.test(text)) return await begin(text);
    await begin('begin');
    try {
      const answer = await ask(text, values);
      await ask('commit');
      return answer;
    } catch (error) {
      await ask('rollback').catch(() => undefined);
      throw error;
    }
  };
}
