import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { vi } from 'vitest';
import { databaseUrl, inDatabase } from './database-server.ts';
import { UNPRIVILEGED } from './unprivileged.ts';

/** Of Debian: what comes with the embedded server has no pg_basebackup. */
const BIN = '/usr/lib/postgresql/15/bin';
const READY_WITHIN = 20_000;
const run = promisify(execFile);

export const canReplicate = existsSync(join(BIN, 'pg_basebackup'));

/** A PostgreSQL and another one that follows it by streaming. */
export interface Replicated {
  /** Without a database, as `databaseUrl` takes them. */
  readonly primary: string;
  readonly replica: string;
  /** The replica takes what comes, and shows none of it until `resume`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  killReplica(): Promise<void>;
  startReplica(): Promise<void>;
  stop(): Promise<void>;
}

export async function startReplicated(): Promise<Replicated> {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-replicated-'));
  // As whom they run may be another user.
  await chmod(folder, 0o777);
  const [primary, replica] = [server(folder, 'primary', 5432), server(folder, 'replica', 5433)];
  await call('initdb', '-D', primary.directory, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C');
  await primary.start();
  const from = ['-h', folder, '-p', '5432', '-U', 'postgres'];
  // -R has it follow where it came from.
  await call('pg_basebackup', ...from, '-D', replica.directory, '-R', '-c', 'fast');
  await replica.start();
  const onReplica = async (statement: string) => {
    await inDatabase(replica.url, 'postgres', (client) => client.query(statement));
  };
  const isPaused = async () =>
    await inDatabase(replica.url, 'postgres', async (client) => {
      const { rows } = await client.query<{ state: string }>(
        'select pg_get_wal_replay_pause_state() as state',
      );
      return rows[0]?.state === 'paused';
    });
  return {
    primary: primary.url,
    replica: replica.url,
    async pause() {
      await onReplica('select pg_wal_replay_pause()');
      await vi.waitUntil(isPaused, { timeout: READY_WITHIN });
    },
    resume: () => onReplica('select pg_wal_replay_resume()'),
    killReplica: replica.kill,
    startReplica: replica.start,
    async stop() {
      await Promise.all([primary.kill(), replica.kill()]);
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

function server(folder: string, name: string, port: number) {
  const directory = join(folder, name);
  const url = `postgres://postgres@localhost:${port}/postgres?host=${encodeURIComponent(folder)}`;
  const settings = [
    'listen_addresses=',
    `unix_socket_directories=${folder}`,
    `port=${port}`,
    'fsync=off',
    'max_connections=100',
  ].flatMap((setting) => ['-c', setting]);
  let child: ChildProcess | undefined;

  const launch = () => {
    const [program = '', ...args] = [
      ...UNPRIVILEGED,
      'setpriv',
      '--pdeathsig',
      'KILL',
      join(BIN, 'postgres'),
    ];
    child = spawn(program, [...args, '-D', directory, ...settings], { stdio: 'ignore' });
  };
  return {
    directory,
    url,
    async start() {
      const giveUp = performance.now() + READY_WITHIN;
      launch();
      for (;;) {
        try {
          await inDatabase(url, 'postgres', (client) => client.query('select 1'));
          return;
        } catch (error) {
          if (performance.now() > giveUp) throw error;
          // One that was killed in the middle of everything refuses until its last process has let go.
          if (child?.exitCode !== null) launch();
          await delay(100);
        }
      }
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function call(program: string, ...args: string[]): Promise<void> {
  const [file = '', ...prefix] = [...UNPRIVILEGED, join(BIN, program)];
  await run(file, [...prefix, ...args]);
}

/** A new database on both. */
export async function createReplicated({ primary, replica }: Replicated, name: string) {
  await inDatabase(primary, 'postgres', (client) => client.query(`create database ${name}`));
  return { primary: databaseUrl(primary, name), replica: databaseUrl(replica, name) };
}
