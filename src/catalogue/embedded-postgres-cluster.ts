import { execFile } from 'node:child_process';
import {
  chown,
  lchown,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import {
  childEnvironment,
  EmbeddedPostgresError,
  hasCode,
  type Launcher,
} from './embedded-postgres-launcher.ts';

const run = promisify(execFile);
const socketFolderPrefix = 'media-prompts-';
const longestSocketPath = 107;
const emptyLockIsStaleAfter = 2_000;
const unfinished = new Set<string>();

/** The one user of an embedded cluster. */
export const superuser = 'postgres';
/** The port only names the socket, nothing listens on the network. */
export const socketPort = 5432;

/**
 * Makes sure that `directory` holds a whole cluster of the launcher's version. A new one appears there at once and
 * complete, or not at all. Throws `EmbeddedPostgresError` (`unusable-directory`).
 */
export async function ensureCluster(directory: string, launcher: Launcher, durable: boolean): Promise<void> {
  await removeLeftovers(directory);
  if (await holdsCluster(directory, launcher.majorVersion)) return takeOver(directory, launcher);
  const draft = join(dirname(directory), `${draftPrefix(directory)}${process.pid}`);
  unfinished.add(draft);
  try {
    await initialise(draft, launcher, durable);
    await publish(draft, directory);
  } catch (cause) {
    throw new EmbeddedPostgresError(
      'unusable-directory',
      `No database could be made in ${directory}${accountNote(launcher)}: ${reasonIn(messageOf(cause).split('\n'))}`,
      { cause },
    );
  } finally {
    await rm(draft, { recursive: true, force: true });
    unfinished.delete(draft);
  }
}

/**
 * To be called when the server has refused to start because of `postmaster.pid`. After a reboot, or in a new
 * container, the process id in there may belong to something else, and the server would refuse for ever. Such a file
 * is given our own process id, which the server knows for its parent's and so for stale. It is not removed, because
 * the server needs the rest of it to find survivors of a killed one.
 */
export async function disownStaleLock(directory: string): Promise<void> {
  const path = join(directory, 'postmaster.pid');
  const [text, facts] = await Promise.all([readFile(path, 'utf8'), stat(path)]).catch(
    () => ['', undefined] as const,
  );
  if (facts === undefined) return;
  // A server killed between making the file and filling it; a living one takes no time for that.
  if (text === '' && Date.now() - facts.mtimeMs > emptyLockIsStaleAfter) return rm(path, { force: true });
  const [pid = '', ...rest] = text.split('\n');
  if (!/^\d+$/.test(pid) || !(await isStranger(pid, directory))) return;
  await writeFile(`${path}.stale`, [process.pid, ...rest].join('\n'), { mode: 0o600 });
  await chown(`${path}.stale`, facts.uid, facts.gid);
  await rename(`${path}.stale`, path);
}

/** What `postmaster.pid` says of the server that holds the directory: its process id and whether it is going down. */
export async function readLock(directory: string): Promise<{ pid: string; isStopping: boolean }> {
  const text = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  return { pid: lines[0] ?? '', isStopping: lines[7]?.trim() === 'stopping' };
}

/** Makes a private folder for the server's socket, with a path short enough for one. */
export async function createSocketFolder(directory: string, launcher: Launcher): Promise<string> {
  const { account } = launcher;
  // Another account may have no way into our temporary folder, everyone has one into /tmp.
  const parents = [...(account === undefined ? [tmpdir()] : []), '/tmp', dirname(directory)];
  const socket = join(`${socketFolderPrefix}XXXXXX`, `.s.PGSQL.${socketPort}`);
  let reason: unknown;
  for (const parent of parents) {
    if (Buffer.byteLength(join(parent, socket)) > longestSocketPath) continue;
    try {
      const folder = await mkdtemp(join(parent, socketFolderPrefix));
      if (account !== undefined) await chown(folder, account.uid, account.gid);
      return folder;
    } catch (cause) {
      reason = cause;
    }
  }
  throw new EmbeddedPostgresError(
    'unusable-directory',
    `No folder for the database's socket could be made in any of ${parents.join(', ')}: make one of them writable, or set TMPDIR.`,
    { cause: reason },
  );
}

/**
 * Notes the socket folder in the cluster and removes the one noted before, which a killed process has left.
 * To be called only once the server runs: then no other one uses this directory.
 */
export async function replaceSocketFolder(directory: string, folder: string): Promise<void> {
  const note = join(directory, 'media-prompts-socket');
  const previous = await readFile(note, 'utf8').catch(() => '');
  if (previous !== folder && basename(previous).startsWith(socketFolderPrefix))
    await removeSocketFolder(previous);
  // On a full disk it is better to run and to leave an empty folder one day.
  await writeFile(note, folder).catch(() => undefined);
}

/** Removes a socket folder, and leaves one that holds anything else. Never throws. */
export async function removeSocketFolder(folder: string): Promise<void> {
  await clearSocketFolder(folder);
  await rmdir(folder).catch(() => undefined);
}

/** Removes what a killed server left in its socket folder: its lock there may name a process id in use again. */
export async function clearSocketFolder(folder: string): Promise<void> {
  const socket = join(folder, `.s.PGSQL.${socketPort}`);
  await Promise.all([rm(socket, { force: true }), rm(`${socket}.lock`, { force: true })]).catch(
    () => undefined,
  );
}

/** For an error message: where the server runs as somebody else, that one has to be able to reach the files. */
export function accountNote(launcher: Launcher): string {
  return launcher.account === undefined
    ? ''
    : ` (by user ${launcher.account.uid}, who must be able to reach it)`;
}

/** The line that tells best why a program of PostgreSQL failed. */
export function reasonIn(lines: readonly string[]): string {
  const reason = lines.findLast((line) => /FATAL|PANIC|error|could not/i.test(line));
  return reason ?? lines.findLast((line) => line.trim() !== '') ?? 'it said nothing';
}

function draftPrefix(directory: string): string {
  return `${basename(directory)}.initdb-`;
}

async function removeLeftovers(directory: string): Promise<void> {
  const parent = dirname(directory);
  const prefix = draftPrefix(directory);
  for (const name of await readdir(parent).catch(() => [])) {
    if (!name.startsWith(prefix) || unfinished.has(join(parent, name))) continue;
    const maker = Number(name.slice(prefix.length));
    // Containers give the same process id again and again, so a draft with ours is a dead process's too.
    if (maker !== process.pid && isAlive(maker)) continue;
    await rm(join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    return Number.isInteger(pid) && process.kill(pid, 0);
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}

async function holdsCluster(directory: string, majorVersion: string): Promise<boolean> {
  const names = await readdir(directory).catch((cause: unknown) => {
    if (hasCode(cause, 'ENOENT')) return [];
    throw new EmbeddedPostgresError('unusable-directory', `The database in ${directory} cannot be read.`, {
      cause,
    });
  });
  if (names.length === 0) return false;
  const version = await readFile(join(directory, 'PG_VERSION'), 'utf8').catch(() => '');
  if (version.trim() === majorVersion) return true;
  const what = version === '' ? 'holds no database' : `holds a database of PostgreSQL ${version.trim()}`;
  throw new EmbeddedPostgresError(
    'unusable-directory',
    `${directory} ${what}, and is not touched: it has to be empty or hold one of PostgreSQL ${majorVersion}.`,
  );
}

async function initialise(draft: string, launcher: Launcher, durable: boolean): Promise<void> {
  await mkdir(draft, { mode: 0o700 });
  if (launcher.account !== undefined) await chown(draft, launcher.account.uid, launcher.account.gid);
  const [file = '', ...rest] = [
    ...launcher.prefix,
    launcher.program('initdb'),
    `--pgdata=${draft}`,
    `--username=${superuser}`,
    '--auth=trust',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    // The C library's locale is plain C, which every system has; texts are compared by PostgreSQL's own.
    '--locale=C',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
    '--no-instructions',
    ...(durable ? [] : ['--no-sync']),
  ];
  await run(file, rest, { env: childEnvironment, cwd: '/', timeout: 120_000 });
}

async function publish(draft: string, directory: string): Promise<void> {
  await sync(draft);
  try {
    await rename(draft, directory);
  } catch (error) {
    // Another process was first: its cluster stays, and the server's own lock decides between us.
    if (!hasCode(error, 'ENOTEMPTY') && !hasCode(error, 'EEXIST')) throw error;
  }
  await sync(dirname(directory));
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}

/** A cluster made by root in a user namespace is handed over where those are forbidden; itself last, as the sign. */
async function takeOver(directory: string, { account }: Launcher): Promise<void> {
  if (account === undefined || (await stat(directory)).uid === account.uid) return;
  for (const name of await readdir(directory, { recursive: true })) {
    await lchown(join(directory, name), account.uid, account.gid);
  }
  await chown(directory, account.uid, account.gid);
}

/** Whether a living process is surely not the server of this directory. A server's working folder is its cluster. */
async function isStranger(pid: string, directory: string): Promise<boolean> {
  try {
    const [program, home, cluster] = await Promise.all([
      readlink(`/proc/${pid}/exe`),
      stat(`/proc/${pid}/cwd`),
      stat(directory),
    ]);
    const isServer = basename(program).startsWith('postgres');
    return !isServer || home.ino !== cluster.ino || home.dev !== cluster.dev;
  } catch {
    return false;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
