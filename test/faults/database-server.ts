import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import pino from 'pino';
import { onTestFinished } from 'vitest';
import {
  createSocketFolder,
  ensureCluster,
  removeSocketFolder,
} from '../../src/catalogue/embedded-postgres-cluster.ts';
import { chooseLauncher } from '../../src/catalogue/embedded-postgres-launcher.ts';
import { answers, launch, type Server, terminate } from '../../src/catalogue/embedded-postgres-server.ts';
import { descendants, ended, signalAll, stopped } from './processes.ts';

const log = pino({ level: 'silent' });
const READY_WITHIN = 30_000;

/** A PostgreSQL for the service that a test can stop, kill and freeze, and start again at the same place. */
export interface DatabaseServer {
  readonly url: string;
  /** Every process of it. */
  pids(): number[];
  start(): Promise<void>;
  /** Fast shutdown, as an operator does. */
  stop(): Promise<void>;
  /** `kill -9` of the server and all of its processes, as a machine that goes down. */
  kill(): Promise<void>;
  /** Resolves when all of its processes stand still; the kernel still takes connections for them. */
  freeze(): Promise<void>;
  thaw(): void;
}

/** Starts one that is gone when the test ends. Its folder's parent must exist. */
export async function startDatabaseServer(directory: string): Promise<DatabaseServer> {
  const launcher = await chooseLauncher(directory);
  await ensureCluster(directory, launcher, true);
  const socketFolder = await createSocketFolder(directory, launcher);
  const settings = { directory, socketFolder, durable: true, maxConnections: 100 };
  let server: Server | undefined;

  const pids = () => {
    const { pid, exitCode, signalCode } = server?.child ?? {};
    const isOver = exitCode !== null || signalCode !== null;
    // The number of one that has ended may be anybody's by now.
    return pid === undefined || isOver ? [] : [pid, ...descendants(pid)];
  };
  const kill = async () => {
    const all = pids();
    signalAll(all, 'SIGKILL');
    await ended(all);
  };
  const start = async () => {
    // A server killed in the middle of everything refuses until its last process has let go.
    for (let attempt = 1; attempt <= 20; attempt += 1) {
      server = launch(launcher, settings, log);
      if (await answers(server, socketFolder, READY_WITHIN, log)) return;
      await server.ended;
    }
    throw new Error(`no database: ${server?.lastLines().join('\n')}`);
  };
  onTestFinished(async () => {
    await kill();
    await removeSocketFolder(socketFolder);
  });
  await start();
  return {
    url: `postgres://postgres@localhost/postgres?host=${encodeURIComponent(socketFolder)}`,
    pids,
    start,
    async stop() {
      if (server !== undefined) await terminate(server, log);
    },
    kill,
    async freeze() {
      const [first] = pids();
      // It must not be in the middle of starting another, which nobody would stop.
      if (first !== undefined) await stopped([first]);
      await stopped(pids());
    },
    thaw: () => signalAll(pids(), 'SIGCONT'),
  };
}

const AWAY = /^(?:57P0[123]|ECONNREFUSED|ECONNRESET|EPIPE|ENOENT)$/;

/** Says an error that there is no database at the moment? */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return AWAY.test(code) || /^(?:Connection terminated|the server is not there yet)/.test(error.message);
}

const PROBE_PAUSE = 20;

/** Asks a database again and again, as if it had clients of its own; `stop` says since when it answers again. */
export function watchDatabase(url: string) {
  let isStopped = false;
  let since: number | undefined;
  const first = Promise.withResolvers<void>();
  const probe = async () => {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 500, query_timeout: 500 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('select 1');
      since ??= performance.now();
      first.resolve();
    } catch {
      since = undefined;
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  const watch = async () => {
    while (!isStopped) {
      await probe();
      await delay(PROBE_PAUSE);
    }
  };
  const watching = watch();
  return {
    /** Resolves at the first answer. */
    answered: first.promise,
    /** `performance.now()` of the first answer after the last failure. */
    async stop(): Promise<number> {
      isStopped = true;
      await watching;
      return since ?? performance.now();
    },
  };
}
