import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SignJWT } from 'jose';
import { onTestFinished, vi } from 'vitest';
import { descendants, ended, signalAll } from './processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PRELOAD = fileURLToPath(new URL('kill-at-step.ts', import.meta.url));
const SECRET = 'a secret for faults that is long enough';

/** As these tests run the service, s: what a crash leaves is swept soon, and a busy machine keeps its uploads. */
const LEASE = '2';

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** What goes before the program; it must end in exec, so that the pid is the program's. */
  readonly prefix?: readonly string[];
  /** A small file system for this process alone, which goes with it: where, and mount's options for a tmpfs. */
  readonly tmpfs?: { readonly at: string; readonly options: string };
  /** Dies by `kill -9` when it passes this step, `<step>` or `<step>:<n>`. */
  readonly killAtStep?: string;
}

/** The service as `npm start` runs it, its output and its end. */
export interface Service {
  readonly pid: number;
  readonly base: string;
  readonly dataDir: string;
  /** Where the root of the file system that it sees is seen from here. */
  readonly root: string;
  readonly databaseUrl: string | undefined;
  /** How long one of its uploads may be silent, ms. */
  readonly lease: number;
  /** From the start of the process to its ready line, ms. */
  readonly readyMs: number;
  readonly output: readonly string[];
  /** Its exit code, or the signal that ended it. */
  readonly exit: Promise<number | string>;
  /** Sends a signal to the service alone and waits for its end. */
  end(signal: NodeJS.Signals): Promise<number | string>;
  /** Kills the service and everything it started, its PostgreSQL included, at once. */
  killEverything(): Promise<void>;
}

/** Starts the service on a folder and resolves at its ready line. Rejects with its output when it ends before. */
export async function startService(dataDir: string, options: StartOptions = {}): Promise<Service> {
  const since = performance.now();
  const { child, output, exit } = launch(dataDir, options);
  const base = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
      output.push(line);
      const [, address] = /"msg":"ready at ([^"]+)"/.exec(line) ?? [];
      if (address !== undefined) resolve(address);
    });
    void exit.then((code) => reject(new Error(`ended with ${code}:\n${output.slice(-20).join('\n')}`)));
  });
  const readyMs = Math.round(performance.now() - since);
  const pid = pidOf(child);
  return {
    pid,
    base,
    dataDir,
    root: options.tmpfs === undefined ? '' : `/proc/${pid}/root`,
    databaseUrl: options.env?.['DATABASE_URL'],
    lease: Number(options.env?.['UPLOAD_LEASE_SECONDS'] ?? LEASE) * 1000,
    readyMs,
    output,
    exit,
    async end(signal) {
      child.kill(signal);
      return await exit;
    },
    async killEverything() {
      const all = [pid, ...descendants(pid)];
      signalAll(all, 'SIGKILL');
      await ended(all);
    },
  };
}

/** Starts the service and kills it after so many ms, wherever it is by then. */
export async function killWhileStarting(
  dataDir: string,
  options: StartOptions,
  after: number,
): Promise<void> {
  const { child, exit } = launch(dataDir, options);
  child.stdout?.resume();
  const timer = setTimeout(() => child.kill('SIGKILL'), after);
  await exit;
  clearTimeout(timer);
}

/** Runs the service until it ends, which `killAtStep` should make it do. Rejects when it does not. */
export async function runUntilKilled(
  dataDir: string,
  options: StartOptions & { readonly killAtStep: string },
  work: (service: Service) => Promise<unknown>,
): Promise<void> {
  const service = await startService(dataDir, options).catch((error: unknown) => {
    // What happens at the start may already have come to the step.
    if (error instanceof Error && error.message.startsWith('ended with SIGKILL')) return undefined;
    throw error;
  });
  if (service === undefined) return;
  const working = work(service).catch(() => undefined);
  const patience = setTimeout(() => signalAll([service.pid], 'SIGTERM'), 20_000);
  const code = await service.exit;
  clearTimeout(patience);
  await working;
  if (code !== 'SIGKILL') throw new Error(`the step ${options.killAtStep} never came`);
}

export const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'media-prompts-faults-'));

/** A folder for a service; it goes when the test ends. */
export async function newDataDir(): Promise<string> {
  const dataDir = await makeFolder();
  onTestFinished(() => rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 }));
  return dataDir;
}

/** Mounts in a namespace of its own need no root where users may have namespaces, and cannot be left behind. */
const withMounts = [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  ...['--mount', 'sh', '-c'],
] as const;
const MOUNT = 'mount -t tmpfs -o "$0" tmpfs "$1" && shift && exec "$@"';

/** Can a process of this user have a file system of its own? */
export function canMount(): boolean {
  const [program, ...args] = withMounts;
  return spawnSync(program, [...args, MOUNT, 'size=1m', tmpdir(), 'true']).status === 0;
}

/** A token that may do everything in org unit 1. */
export const TOKEN = await new SignJWT({ org_unit_id: 1, role: 'admin' })
  .setProtectedHeader({ alg: 'HS256' })
  .setSubject('7')
  .setExpirationTime('12h')
  .sign(new TextEncoder().encode(SECRET));

/** Where the database of a service answers: its own one's lock file says it, which comes and goes with its server. */
export async function databaseOf({ root, dataDir, databaseUrl }: Service): Promise<string> {
  if (databaseUrl !== undefined) return databaseUrl;
  const lockFile = join(root, dataDir, 'database', 'postmaster.pid');
  const socket = await vi.waitFor(
    async () => {
      const [, , , , folder = ''] = (await readFile(lockFile, 'utf8')).split('\n');
      if (folder === '') throw new Error(`the server is not there yet: ${lockFile}`);
      return folder;
    },
    { timeout: 20_000, interval: 20 },
  );
  return `postgres://postgres@localhost/media_prompts?host=${encodeURIComponent(socket)}`;
}

function launch(dataDir: string, { env = {}, prefix = [], tmpfs, killAtStep }: StartOptions) {
  const command = [
    // Also when the test run itself is killed.
    ...['setpriv', '--pdeathsig', 'KILL'],
    ...(tmpfs === undefined ? [] : [...withMounts, MOUNT, tmpfs.options, tmpfs.at]),
    ...prefix,
    process.execPath,
    ...(killAtStep === undefined ? [] : ['--import', PRELOAD]),
    ...startArguments(),
  ];
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      DATA_DIR: dataDir,
      PORT: '0',
      JWT_SECRET: SECRET,
      RATE_LIMIT_PER_MINUTE: '0',
      RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '0',
      UPLOAD_LEASE_SECONDS: LEASE,
      // Converting takes the processor that times are measured on; who tests it says so.
      RENDITION_ENGINE: 'off',
      ...(killAtStep !== undefined && { KILL_AT_STEP: killAtStep }),
      ...env,
    },
  });
  const output: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => output.push(line));
  const exit = new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? code ?? 'unknown'));
  });
  onTestFinished(async () => {
    // The number of one that has ended may be anybody's by now.
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const all = [child.pid, ...descendants(child.pid)];
    signalAll(all, 'SIGKILL');
    await ended(all);
  });
  return { child, output, exit };
}

/** What `npm start` hands to node once it has built. */
function startArguments(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: { start: string };
  };
  const [, started] = /exec node (.+)$/.exec(scripts.start) ?? [];
  if (started === undefined) throw new Error(`npm start is not understood: ${scripts.start}`);
  return started.split(' ');
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('no process');
  return pid;
}
