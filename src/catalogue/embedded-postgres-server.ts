import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import type { Logger } from 'pino';
import { socketPort, superuser } from './embedded-postgres-cluster.ts';
import { childEnvironment, type Launcher } from './embedded-postgres-launcher.ts';

export type ServerLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

export interface Settings {
  readonly directory: string;
  readonly socketFolder: string;
  readonly durable: boolean;
  readonly maxConnections: number;
}

/** One run of the server program. */
export interface Server {
  readonly child: ChildProcess;
  /** Resolves when the program and, as a rule, all of its helpers have ended. Never rejects. */
  readonly ended: Promise<string>;
  /** The last lines it logged. */
  readonly lastLines: () => readonly string[];
}

interface LogLine {
  readonly backend: string;
  readonly severity: string;
  readonly message: string;
}

const folderIsLocked = 'another server holds the lock on the folder';
const fileIsLocked = /lock file .* (already exists|is empty)|pre-existing shared memory block/;
const linePrefix = /^[a-z /-]*\|/;
const longestLine = 8192;
const linesKept = 20;
const afterLife = 2_000;
const progressEvery = 5_000;
const stopSteps = [
  ['SIGINT', 20_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
] as const satisfies [NodeJS.Signals, number][];

/** Starts the server program; it is not ready yet. It has a process group of its own: Ctrl-C is for us alone. */
export function launch(launcher: Launcher, settings: Settings, log: ServerLog): Server {
  const [file = '', ...rest] = [
    ...launcher.prefix,
    ...(launcher.endsWithUs ? lockFolder(settings.directory) : []),
    launcher.program('postgres'),
    ...serverArguments(settings),
  ];
  const child = spawn(file, rest, {
    cwd: '/',
    detached: true,
    env: childEnvironment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const kept: string[] = [];
  const write = createLogWriter(log);
  const split = createLineSplitter((line) => {
    kept.push(line.replace(linePrefix, ''));
    if (kept.length > linesKept) kept.shift();
    write(line);
  });
  child.stderr?.setEncoding('utf8').on('data', split);
  return { child, ended: endOf(child), lastLines: () => kept };
}

/** Waits until the server answers a query: false when it ended before, or has not answered after `patience` ms. */
export async function answers(
  server: Server,
  socketFolder: string,
  patience: number,
  log: ServerLog,
): Promise<boolean> {
  const started = Date.now();
  const hasEnded = server.ended.then(() => 'ended' as const);
  let nextReport = progressEvery;
  for (;;) {
    const outcome = await Promise.race([probe(socketFolder), hasEnded]);
    if (outcome === 'ready') return true;
    const waited = Date.now() - started;
    if (outcome === 'ended' || waited > patience) return false;
    if (waited > nextReport) {
      nextReport += progressEvery;
      log.info({ seconds: Math.round(waited / 1000) }, 'the embedded PostgreSQL is still starting');
    }
    await delay(20);
  }
}

/**
 * Ends the server: fast shutdown, and what is harsher once the patience (milliseconds) with a signal has run out.
 * Resolves when it has ended.
 */
export async function terminate(
  server: Server,
  log: ServerLog,
  steps: readonly (readonly [NodeJS.Signals, number])[] = stopSteps,
): Promise<void> {
  for (const [signal, patience] of steps) {
    server.child.kill(signal);
    const timer = new AbortController();
    const isLate = delay(patience, true, { signal: timer.signal }).catch(() => true);
    const late = await Promise.race([isLate, server.ended.then(() => false)]);
    timer.abort();
    if (!late) return;
    log.warn({ signal, milliseconds: patience }, 'the embedded PostgreSQL did not end when told to');
  }
}

/** Makes the function that passes on one line of the server's log. It keeps nothing but the previous line's fate. */
export function createLogWriter(log: ServerLog): (line: string) => void {
  let previous: LogLine | undefined;
  return (line) => {
    const parsed = line.startsWith('\t') && previous ? { ...previous, message: line.trim() } : parse(line);
    previous = parsed;
    const level = levelOf(parsed);
    if (level !== undefined) log[level]({ backend: parsed.backend }, parsed.message);
  };
}

/** Which lock a server's last lines blame for its end: PostgreSQL's own file, ours on the folder, or none. */
export function refusedBy(lines: readonly string[]): 'file' | 'folder' | undefined {
  if (lines.includes(folderIsLocked)) return 'folder';
  return lines.some((line) => fileIsLocked.test(line)) ? 'file' : undefined;
}

/**
 * PostgreSQL's own lock is a process id, which means nothing in another container that shares the volume. So the
 * server and all of its helpers also inherit a lock of the kernel's on the folder. Where there is no flock, or the
 * file system has no such locks, the server starts without.
 */
function lockFolder(directory: string): string[] {
  const script = `exec 9<"$0"; flock -n -E 75 9 2>/dev/null
    if [ $? = 75 ]; then echo '${folderIsLocked}' >&2; exit 75; fi
    exec "$@"`;
  return ['sh', '-c', script, directory];
}

function serverArguments({ directory, socketFolder, durable, maxConnections }: Settings): string[] {
  const safety = durable ? 'on' : 'off';
  const settings = {
    listen_addresses: '',
    unix_socket_directories: `"${socketFolder.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    port: socketPort,
    max_connections: maxConnections,
    fsync: safety,
    full_page_writes: safety,
    synchronous_commit: 'on',
    shared_buffers: '64MB',
    // Bounds the log that has to be replayed after a crash, and so the time of a start.
    max_wal_size: '512MB',
    // A container's /dev/shm is small, and no query here is worth several processes.
    max_parallel_workers_per_gather: 0,
    io_method: 'sync',
    // We start it again ourselves. When PostgreSQL 18 restarts in place on a full disk, and recovery fails at once,
    // its postmaster can miss that and wait for ever for a process that is gone (seen with 18.4).
    restart_after_crash: 'off',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_destination: 'stderr',
    logging_collector: 'off',
    log_line_prefix: '%b|',
    // No statement and no value of a row may reach the log.
    log_statement: 'none',
    log_min_duration_statement: -1,
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
  };
  return [
    '-D',
    directory,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(String(signal ?? code)));
    // Its helpers hold the other end of the pipe. One that hangs must not keep us from starting again.
    child.once('exit', (code, signal) => setTimeout(resolve, afterLife, String(signal ?? code)).unref());
  });
}

/** Makes the function that takes text as it comes and gives away whole lines; what is too long of one is dropped. */
export function createLineSplitter(take: (line: string) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = (lines.pop() ?? '').slice(0, longestLine);
    for (const line of lines) take(line.slice(0, longestLine));
  };
}

function parse(line: string): LogLine {
  const [, backend = '', severity = '', message = line] =
    /^([a-z /-]*)\|([A-Z0-9]+): +(.*)$/.exec(line) ?? [];
  return { backend, severity, message };
}

/** What a client did wrong is answered to the client, and may hold its data: such a line is not for the log. */
function levelOf({ backend, severity, message }: LogLine): 'debug' | 'warn' | 'error' | undefined {
  if (severity === 'PANIC') return 'error';
  if (severity === 'WARNING') return 'warn';
  if (backend.endsWith('client backend') && severity !== 'LOG') return undefined;
  if (severity === 'FATAL') return fileIsLocked.test(message) ? 'debug' : 'error';
  return severity === 'ERROR' ? 'warn' : 'debug';
}

async function probe(socketFolder: string): Promise<'ready' | 'not-yet'> {
  const client = createClient(socketFolder, 5_000);
  try {
    await client.connect();
    await client.query('select 1');
    return 'ready';
  } catch {
    return 'not-yet';
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A client for one errand, for which there are `patience` milliseconds. */
export function createClient(socketFolder: string, patience: number): Client {
  const client = new Client({
    host: socketFolder,
    port: socketPort,
    user: superuser,
    database: 'postgres',
    ssl: false,
    connectionTimeoutMillis: patience,
    query_timeout: patience,
  });
  // Without a listener a connection that breaks while idle would end the process.
  client.on('error', () => undefined);
  return client;
}
