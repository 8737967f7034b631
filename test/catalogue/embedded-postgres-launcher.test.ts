import { type ChildProcess, execFile, execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { chooseLauncher, findPackage } from '../../src/catalogue/embedded-postgres-launcher.ts';
import {
  connectionOf,
  createLog,
  expectToEnd,
  isRootOnLinux,
  packageFolder,
  query,
  type Service,
  serverPid,
  start,
  startService,
  temporaryDirectory,
} from './embedded-postgres-support.ts';

const run = promisify(execFile);
const asRoot = test.runIf(isRootOnLinux);
const userOf = async (directory: string) => {
  const status = await readFile(`/proc/${serverPid(directory)}/status`, 'utf8');
  return Number(/^Uid:\t(\d+)/m.exec(status)?.[1]);
};

/** Below a folder that everybody may pass, as /tmp is. */
function openDirectory(): string {
  const directory = temporaryDirectory();
  chmodSync(dirname(dirname(directory)), 0o711);
  return directory;
}

test.each([
  ['sunos', 'x64', /^No embedded PostgreSQL is installed for sunos-x64: set DATABASE_URL/],
  ['linux', 'riscv64', /^No embedded PostgreSQL is installed for linux-riscv64: set DATABASE_URL/],
  ['win32', 'x64', /WSL, or set DATABASE_URL/],
])('on %s-%s, where no binary works, the error names the way out', (platform, arch, message) => {
  const refusal = {
    name: 'EmbeddedPostgresError',
    code: 'no-binary',
    message: expect.stringMatching(message),
  };
  expect(() => findPackage(platform, arch)).toThrow(expect.objectContaining(refusal));
});

test.runIf(process.platform === 'linux')(
  'binaries installed without install scripts run all the same',
  async () => {
    const copy = join(dirname(temporaryDirectory()), 'package');
    await mkdir(dirname(copy), { recursive: true });
    await run('cp', ['-a', packageFolder, copy]);
    const library = join(copy, 'native', 'lib');
    for (const name of await readdir(library)) {
      if (lstatSync(join(library, name)).isSymbolicLink()) await unlink(join(library, name));
    }
    const version = () => run(join(copy, 'native', 'bin', 'initdb'), ['--version'], { env: {} });
    await expect(version()).rejects.toThrow(/libpq|libicu/);
    const parent = dirname(dirname(copy));
    await Promise.all([chooseLauncher(parent, copy), chooseLauncher(parent, copy)]);
    expect((await version()).stdout).toMatch(/^initdb \(PostgreSQL\) 18/);
  },
);

asRoot('root runs the server in a user namespace, also below a folder of its own', async () => {
  const directory = temporaryDirectory();
  expect(statSync(dirname(dirname(directory))).mode & 0o777).toBe(0o700);
  const { connection } = await start(directory);
  expect(await query(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
  expect((await readFile(`/proc/${serverPid(directory)}/uid_map`, 'utf8')).trim().split(/ +/)).toEqual([
    '65534',
    '0',
    '1',
  ]);
});

asRoot.each([1, 1234])(
  'an ordinary user, in /etc/passwd or not (%i), runs the server as itself',
  async (uid) => {
    const directory = openDirectory();
    chownSync(dirname(dirname(directory)), uid, uid);
    const prefix = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
    for (let starts = 0; starts < 2; starts += 1) {
      const service = startService(directory, { prefix });
      const connection = await connectionOf(service);
      expect(await query(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
      expect(await userOf(directory)).toBe(uid);
      await kill(service, directory);
    }
  },
);

asRoot('root runs the server as the user who owns the cluster, and it still ends with us', async () => {
  const directory = openDirectory();
  chownSync(dirname(dirname(directory)), 1, 1);
  const prefix = ['setpriv', '--reuid=1', '--regid=1', '--clear-groups'];
  for (const options of [{ prefix }, {}]) {
    const service = startService(directory, options);
    const connection = await connectionOf(service);
    expect(await query(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(await userOf(directory)).toBe(1);
    await kill(service, directory);
  }
});

asRoot('root starts a cluster in a folder that only another user can pass', async () => {
  const directory = openDirectory();
  await mkdir(dirname(directory), { mode: 0o700 });
  chownSync(dirname(directory), 1, 1);
  const { connection } = await start(directory);
  expect(await query(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
  expect(await userOf(directory)).toBe(1);
});

asRoot(
  'where namespaces are forbidden root runs the server as nobody, also one it had made before',
  async () => {
    const directory = openDirectory();
    const first = await start(directory);
    await query(first.connection, 'create table kept as select 42 as answer');
    await first.stop();
    expect(statSync(directory).uid).toBe(0);
    const connection = await connectionOf(startService(directory, withoutNamespaces('0 0 100000')));
    expect(await query(connection, 'select answer from kept')).toEqual([{ answer: 42 }]);
    expect(await userOf(directory)).toBe(65534);
  },
);

asRoot('where namespaces are forbidden a first start works as nobody, too', async () => {
  const directory = openDirectory();
  const connection = await connectionOf(startService(directory, withoutNamespaces('0 0 100000')));
  expect(await query(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
  expect(await userOf(directory)).toBe(65534);
});

asRoot('where root can become nobody else the error names the way out', async () => {
  const said = await startService(openDirectory(), withoutNamespaces('0 0 1')).said;
  const message = expect.stringMatching(/refuses to run as root.*, or set DATABASE_URL/);
  expect(said).toMatchObject({ code: 'not-runnable', message });
});

asRoot('where nobody cannot reach the folder the error says so', async () => {
  const said = await startService(temporaryDirectory(), withoutNamespaces('0 0 100000')).said;
  const message = expect.stringMatching(/nor as the user nobody can it reach .*, or set DATABASE_URL/);
  expect(said).toMatchObject({ code: 'not-runnable', message });
});

asRoot('without setpriv the server runs, and the log says once what is missing', async () => {
  const hide = [
    'unshare',
    '--mount',
    'sh',
    '-c',
    'mount --bind /bin/false "$(command -v setpriv)"; exec "$0" "$@"',
  ];
  const directory = temporaryDirectory();
  const service = startService(directory, { prefix: hide });
  const connection = await connectionOf(service);
  expect(await query(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
  service.child.stdin?.write('stop\n');
  const warnings = (await service.logged()).filter(({ level }) => level >= 40);
  expect(warnings).toMatchObject([{ level: 40, msg: expect.stringMatching(/setpriv/) }]);
});

test.runIf(process.platform === 'linux')(
  'what was started by a process that is gone does not run',
  async () => {
    const { prefix } = await chooseLauncher(dirname(dirname(temporaryDirectory())));
    const command = [...prefix, 'echo', 'ran'];
    const [file = '', ...rest] = command;
    expect(spawnSync(file, rest, { encoding: 'utf8' }).stdout).toBe('ran\n');
    const byAnother = spawnSync('sh', ['-c', '"$@"; :', 'sh', ...command], { encoding: 'utf8' });
    expect(byAnother).toMatchObject({ stdout: '', stderr: '' });
  },
);

test('with setpriv there is nothing to warn of', async () => {
  const { entries, log } = createLog();
  await start(temporaryDirectory(), log);
  expect(entries.filter(({ level }) => level >= 40)).toEqual([]);
});

async function kill({ child }: Service, directory: string): Promise<void> {
  const pid = serverPid(directory);
  child.kill('SIGKILL');
  await expectToEnd(pid);
}

/** Root of a namespace with these users and without the right to make another. */
function withoutNamespaces(map: string) {
  const script = `read -r go; exec sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" "$@"' "$0" "$@"`;
  return {
    prefix: ['unshare', '--user', 'sh', '-c', script],
    prepare: ({ pid, stdin }: ChildProcess) => {
      const own = execFileSync('readlink', ['/proc/self/ns/user'], { encoding: 'utf8' });
      const there = () => execFileSync('readlink', [`/proc/${pid}/ns/user`], { encoding: 'utf8' });
      while (there() === own);
      writeFileSync(`/proc/${pid}/uid_map`, map);
      writeFileSync(`/proc/${pid}/gid_map`, map);
      stdin?.write('go\n');
    },
  };
}
