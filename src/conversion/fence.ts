import { execFile } from 'node:child_process';
import process from 'node:process';
import { promisify } from 'node:util';

const run = promisify(execFile);

const TRIAL: RunBounds = { cpuSeconds: 5, fileBytes: 1e6, memoryBytes: 1e9 };
const OPEN_FILES = 64;
const NICENESS = 10;
/** For a program that only has to say that it is there, ms. */
const PATIENCE = 5_000;
/**
 * Where Linux shares the processor out by sessions first, a low priority counts only within one's own, and a process
 * of its own group has one to itself: then the session is what must be told.
 */
const GIVE_WAY = `{ echo ${NICENESS} >/proc/$$/autogroup; } 2>/dev/null`;

/** What one run may take. */
export interface RunBounds {
  readonly cpuSeconds: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
}

/** The programs around ffmpeg that this machine lets us use. */
export interface Fence {
  /** What to put before the program and its arguments. */
  prefix(bounds: RunBounds): readonly string[];
  /** For people and logs: what this machine does not let us hold it to. */
  readonly lacks: readonly string[];
}

/** Where programs are; null for those that are not there. Without a search path, that of this process is used. */
export async function locate(
  names: readonly string[],
  searchPath?: string,
): Promise<readonly (string | null)[]> {
  const script = 'for name; do command -v "$name" || echo; done';
  const env = searchPath === undefined ? undefined : { PATH: searchPath };
  const found = await run('/bin/sh', ['-c', script, 'sh', ...names], { env, timeout: PATIENCE }).catch(
    () => ({ stdout: '' }),
  );
  const lines = found.stdout.split('\n');
  return names.map((_, place) => (lines[place]?.startsWith('/') ? lines[place] : null));
}

/**
 * Finds out by trying what may be put around a program: bounds on what it takes, no network, no privileges, a low
 * priority, and the kernel's word that it ends with us. All of it is of util-linux; elsewhere only the priority is left.
 */
export async function buildFence(searchPath?: string): Promise<Fence> {
  const [prlimit, nice, unshare, setpriv, sh] = await locate(
    ['prlimit', 'nice', 'unshare', 'setpriv', 'sh'],
    searchPath,
  );
  const priority = nice ? [nice, '-n', String(NICENESS)] : [];
  const hasBounds = prlimit ? await works([prlimit, ...boundArgs(TRIAL)]) : false;
  // An administrator may leave the network as he is, everybody else as the root of a namespace of his own.
  const loneliness = unshare
    ? await firstThatWorks([
        [unshare, '--net', '--ipc'],
        [unshare, '--map-root-user', '--net', '--ipc'],
      ])
    : null;
  const poverty = setpriv
    ? await firstThatWorks([
        [setpriv, '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', '--pdeathsig', 'KILL'],
        [setpriv, '--no-new-privs', '--pdeathsig', 'KILL'],
      ])
    : null;
  const withParent = poverty !== null && sh ? [sh, '-c', `${GIVE_WAY}; [ "$PPID" = "$0" ] && exec "$@"`] : [];
  return {
    prefix: (bounds) => [
      ...(hasBounds && prlimit ? [prlimit, ...boundArgs(bounds)] : []),
      ...priority,
      ...(loneliness ?? []),
      // The kernel forgets the wish to end with the parent when credentials change, so this goes last. A parent that
      // died before the wish was uttered is noticed by the shell: it has another parent by then.
      ...(poverty ?? []),
      ...(withParent.length > 0 ? [...withParent, String(process.pid)] : []),
    ],
    lacks: [
      ...(hasBounds ? [] : ['bounds on what it takes (prlimit)']),
      ...(loneliness ? [] : ['a wall to the network (unshare)']),
      ...(poverty ? [] : ['a loss of privileges and an end with the service (setpriv)']),
    ],
  };
}

function boundArgs({ cpuSeconds, fileBytes, memoryBytes }: RunBounds): readonly string[] {
  return [
    `--cpu=${cpuSeconds}`,
    `--as=${memoryBytes}`,
    `--fsize=${fileBytes}`,
    `--nofile=${OPEN_FILES}`,
    '--core=0',
  ];
}

async function firstThatWorks(ways: readonly (readonly string[])[]): Promise<readonly string[] | null> {
  for (const way of ways) if (await works(way)) return way;
  return null;
}

async function works([program = '', ...args]: readonly string[]): Promise<boolean> {
  return await run(program, [...args, 'true'], { timeout: PATIENCE }).then(
    () => true,
    () => false,
  );
}
