import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { startEmbeddedPostgres } from '../src/catalogue/embedded-postgres.ts';
import {
  createSocketFolder,
  ensureCluster,
  removeSocketFolder,
} from '../src/catalogue/embedded-postgres-cluster.ts';
import { childEnvironment, chooseLauncher } from '../src/catalogue/embedded-postgres-launcher.ts';

/** A PostgreSQL beside the service: a peer's, or one that the service is told of by url. */
export interface Database {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const START_PATIENCE = 30_000;

/** The embedded one, with the settings that the service gives it. */
export async function startDatabase(directory: string): Promise<Database> {
  const server = await startEmbeddedPostgres({ directory, log: silent });
  const { host, database } = server.connection;
  return {
    url: urlOf(host, database),
    pid: Number(readFileSync(join(directory, 'postmaster.pid'), 'utf8').split('\n')[0]),
    stop: () => server.stop(),
  };
}

/**
 * The same binaries, run as somebody would by hand: PostgreSQL's own settings, a socket and no network. `env` is
 * added to its environment, which the embedded one lets nobody do.
 */
export async function startDatabaseByHand(
  directory: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Database> {
  await mkdir(dirname(directory), { recursive: true });
  const launcher = await chooseLauncher(directory);
  await ensureCluster(directory, launcher, true);
  const socketFolder = await createSocketFolder(directory, launcher);
  const [program = '', ...args] = [
    ...launcher.prefix,
    launcher.program('postgres'),
    ...['-D', directory, '-k', socketFolder, '-c', 'listen_addresses='],
  ];
  const child = spawn(program, args, {
    cwd: '/',
    detached: true,
    env: { ...childEnvironment, ...env },
    stdio: 'ignore',
  });
  await answering(urlOf(socketFolder, 'postgres'), child);
  return {
    url: urlOf(socketFolder, 'postgres'),
    pid: child.pid ?? 0,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGINT');
        await once(child, 'exit');
      }
      await removeSocketFolder(socketFolder);
    },
  };
}

/** Asks one question of a database. */
export async function query<Row extends pg.QueryResultRow>(
  url: string,
  text: string,
): Promise<readonly Row[]> {
  const client = new pg.Client({ connectionString: url });
  // One that breaks while it is idle would end the process without a listener.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Makes a database of its own in a server and gives its url. */
export async function createDatabase({ url }: Database, name: string): Promise<string> {
  await query(url, `create database ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return own.href;
}

const urlOf = (host: string, database: string) =>
  `postgres://postgres@localhost:5432/${database}?host=${encodeURIComponent(host)}`;

async function answering(url: string, child: ChildProcess): Promise<void> {
  const giveUp = Date.now() + START_PATIENCE;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`PostgreSQL ended with ${child.exitCode}`);
    const isUp = await query(url, 'select 1').then(
      () => true,
      () => false,
    );
    if (isUp) return;
    if (Date.now() > giveUp) throw new Error('PostgreSQL does not answer');
    await delay(20);
  }
}
