import { mkdir, realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  accountNote,
  clearSocketFolder,
  createSocketFolder,
  disownStaleLock,
  ensureCluster,
  readLock,
  reasonIn,
  removeSocketFolder,
  replaceSocketFolder,
  socketPort,
  superuser,
} from './embedded-postgres-cluster.ts';
import {
  chooseLauncher,
  EmbeddedPostgresError,
  hasCode,
  type Launcher,
} from './embedded-postgres-launcher.ts';
import {
  answers,
  createClient,
  launch,
  refusedBy,
  type Server,
  type ServerLog,
  type Settings,
  terminate,
} from './embedded-postgres-server.ts';

export interface EmbeddedPostgres {
  /** What a `pg.Pool` needs to reach it; stays the same when the server is started again after a crash. */
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database: string;
  };
  /** Stops the server (fast shutdown) and waits for its exit. Idempotent, never rejects. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** The cluster's own folder; made if missing. Its parent must be writable. */
  readonly directory: string;
  readonly log: ServerLog;
  /** Whether a commit survives a loss of power. False is for tests only. */
  readonly durable?: boolean;
  readonly maxConnections?: number;
}

/** The database that the service uses in the embedded server. */
export const databaseName = 'media_prompts';
const readyWithin = 60_000;
const lockPatience = 5_000;
const stopPatience = 60_000;
const retryPause = 50;
/** A server that ended for want of room is to be back soon after there is some. */
const longestBackOff = 1_000;
const calmAfter = 30_000;

/**
 * Runs a PostgreSQL of our own in `directory` and keeps it running until `stop()`; resolves when it answers queries.
 * It is told to end when our process dies, which Linux takes to be the thread that called this: call it in the main
 * thread. Throws `EmbeddedPostgresError`, whose message is meant for the operator.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log, durable = true, maxConnections = 100 } = options;
  // A new cluster is made beside its place, which has to be on the same disk.
  const directory = await realpath(options.directory).catch(() => resolve(options.directory));
  await mkdir(dirname(directory), { recursive: true }).catch((cause: unknown) => {
    throw new EmbeddedPostgresError(
      'unusable-directory',
      `${dirname(directory)} cannot be made or is no folder.`,
      { cause },
    );
  });
  const launcher = await chooseLauncher(directory);
  if (!launcher.endsWithUs) {
    log.warn('without util-linux (setpriv) the embedded PostgreSQL outlives this process if it is killed');
  }
  await ensureCluster(directory, launcher, durable);
  const socketFolder = await createSocketFolder(directory, launcher);
  const settings = { directory, socketFolder, durable, maxConnections };
  const supervisor = createSupervisor(launcher, settings, log);
  try {
    await supervisor.start();
    await createDatabase(socketFolder);
    await replaceSocketFolder(directory, socketFolder);
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
  return {
    connection: { host: socketFolder, port: socketPort, user: superuser, database: databaseName },
    stop: supervisor.stop,
  };
}

function createSupervisor(launcher: Launcher, settings: Settings, log: ServerLog) {
  const stopping = new AbortController();
  let server: Server | undefined;
  let watching: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;

  async function startOnce(): Promise<void> {
    const giveUp = Date.now() + lockPatience;
    for (;;) {
      await clearSocketFolder(settings.socketFolder);
      if (stopping.signal.aborted) return;
      server = launch(launcher, settings, log);
      if (await answers(server, settings.socketFolder, readyWithin, log)) return;
      await terminate(server, log);
      await mayTryAgain(server, giveUp);
      await delay(retryPause);
    }
  }

  async function mayTryAgain(failed: Server, giveUp: number): Promise<void> {
    if (stopping.signal.aborted) return;
    const lines = failed.lastLines();
    const lock = refusedBy(lines);
    if (lock === undefined) {
      throw new EmbeddedPostgresError(
        'start-failed',
        `The embedded PostgreSQL in ${settings.directory} could not be started${accountNote(launcher)}: ${reasonIn(lines)}`,
      );
    }
    if (lock === 'file') await disownStaleLock(settings.directory);
    const holder = await readLock(settings.directory);
    if (Date.now() < giveUp + (holder.isStopping ? stopPatience : 0)) return;
    throw new EmbeddedPostgresError(
      'in-use',
      `DATA_DIR is in use by another process, whose PostgreSQL runs in ${settings.directory}${holder.pid && ` as process ${holder.pid}`}: stop that one first, or choose another DATA_DIR.`,
    );
  }

  async function keepRunning(): Promise<void> {
    let backOff = 0;
    while (!stopping.signal.aborted) {
      const since = Date.now();
      const end = await server?.ended;
      if (stopping.signal.aborted) return;
      log.error({ end }, 'the embedded PostgreSQL ended by itself and is started again');
      if (Date.now() - since > calmAfter) backOff = 0;
      await delay(backOff, undefined, { signal: stopping.signal }).catch(() => undefined);
      backOff = Math.min(longestBackOff, Math.max(100, backOff * 2));
      await startOnce().then(
        () => stopping.signal.aborted || log.info('the embedded PostgreSQL answers again'),
        (err: unknown) => log.error({ err }, 'the embedded PostgreSQL could not be started again'),
      );
    }
  }

  async function shutDown(): Promise<void> {
    stopping.abort();
    if (server) await terminate(server, log);
    await watching;
    await removeSocketFolder(settings.socketFolder);
  }

  return {
    async start(): Promise<void> {
      await startOnce();
      watching = keepRunning();
    },
    stop(): Promise<void> {
      stopped ??= shutDown();
      return stopped;
    },
  };
}

async function createDatabase(socketFolder: string): Promise<void> {
  const client = createClient(socketFolder, readyWithin);
  try {
    await client.connect();
    await client.query(`create database ${databaseName}`);
  } catch (error) {
    const duplicateDatabase = '42P04';
    if (hasCode(error, duplicateDatabase)) return;
    const reason = error instanceof Error ? error.message : String(error);
    throw new EmbeddedPostgresError(
      'start-failed',
      `The database ${databaseName} could not be made: ${reason}`,
      {
        cause: error,
      },
    );
  } finally {
    await client.end();
  }
}
