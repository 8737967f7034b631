import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { answers, terminate } from '../../src/catalogue/embedded-postgres-server.ts';
import {
  connectionOf,
  createLog,
  eventually,
  expectToEnd,
  isAlive,
  isRootOnLinux,
  query,
  serverPid,
  start,
  startService,
  temporaryDirectory,
} from './embedded-postgres-support.ts';

const isLinux = process.platform === 'linux';

test.runIf(isLinux)(
  'a service killed with -9 takes its server along, and the next start finds every row',
  async () => {
    const directory = temporaryDirectory();
    const service = startService(directory);
    const connection = await connectionOf(service);
    await query(connection, 'create table kept as select 42 as answer');
    const pid = serverPid(directory);
    service.child.kill('SIGKILL');
    await expectToEnd(pid);
    expect(existsSync(connection.host)).toBe(true);
    const next = await start(directory);
    expect(await query(next.connection, 'select answer from kept')).toEqual([{ answer: 42 }]);
    expect(existsSync(connection.host)).toBe(false);
  },
);

test.runIf(isLinux)('a start right after kill -9 waits for the old server to end', async () => {
  const directory = temporaryDirectory();
  const service = startService(directory);
  await query(await connectionOf(service), 'create table kept as select 42 as answer');
  const pid = serverPid(directory);
  process.kill(pid, 'SIGSTOP');
  onTestFinished(() => void (isAlive(pid) && process.kill(pid, 'SIGCONT')));
  service.child.kill('SIGKILL');
  const { entries, log } = createLog();
  const next = start(directory, log);
  await expect.poll(() => entries.filter(({ msg }) => msg.includes('lock')).length).toBeGreaterThan(2);
  process.kill(pid, 'SIGCONT');
  expect(await query((await next).connection, 'select answer from kept')).toEqual([{ answer: 42 }]);
});

test.runIf(isLinux)(
  'whenever a service is killed during a start, no server is left and the next start works',
  async () => {
    const directory = temporaryDirectory();
    await (await start(directory)).stop();
    for (let milliseconds = 0; milliseconds < 400; milliseconds += 25) {
      const service = startService(directory);
      await delay(milliseconds);
      service.child.kill('SIGKILL');
      await once(service.child, 'exit');
    }
    const next = await start(directory);
    await next.stop();
    await expect.poll(() => existsSync(join(directory, 'postmaster.pid'))).toBe(false);
  },
);

test('a server killed with -9 comes back on the same connection with every row', async () => {
  const directory = temporaryDirectory();
  const { entries, log } = createLog();
  const { connection } = await start(directory, log);
  await query(connection, 'create table kept as select 42 as answer');
  for (const round of [1, 2]) {
    const pid = serverPid(directory);
    process.kill(pid, 'SIGKILL');
    await expectToEnd(pid);
    await eventually(connection, 'select answer from kept').toEqual([{ answer: 42 }]);
    await expect.poll(() => entries.filter(({ msg }) => msg.endsWith('answers again'))).toHaveLength(round);
  }
  const complaints = entries.filter(({ level }) => level >= 50).map(({ msg }) => msg);
  expect(complaints).toEqual(Array(2).fill('the embedded PostgreSQL ended by itself and is started again'));
});

test('a stop while the server is being started again leaves no server', async () => {
  const directory = temporaryDirectory();
  const { entries, log } = createLog();
  const postgres = await start(directory, log);
  process.kill(serverPid(directory), 'SIGKILL');
  await expect
    .poll(() => entries.some(({ msg }) => msg.includes('ended by itself')), { interval: 1 })
    .toBe(true);
  await postgres.stop();
  const { pid } = { pid: existsSync(join(directory, 'postmaster.pid')) ? serverPid(directory) : 0 };
  if (pid > 0) await expectToEnd(pid);
  expect(existsSync(postgres.connection.host)).toBe(false);
});

test('a second service on the same directory is refused, and the first one goes on', async () => {
  const directory = temporaryDirectory();
  const { connection } = await start(directory);
  const { entries, log } = createLog();
  const message = expect.stringMatching(/^DATA_DIR is in use by another process/);
  await expect(start(directory, log)).rejects.toMatchObject({ code: 'in-use', message });
  expect(entries.filter(({ level }) => level >= 40)).toEqual([]);
  expect(await query(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test.runIf(isRootOnLinux)(
  'a second service in another container with the same volume is refused',
  async () => {
    const directory = temporaryDirectory();
    const { connection } = await start(directory);
    const pid = serverPid(directory);
    const container = ['unshare', '--pid', '--ipc', '--fork', '--kill-child', '--mount-proc'];
    const said = await startService(directory, { prefix: container }).said;
    expect(said).toMatchObject({ code: 'in-use', message: expect.stringMatching(/^DATA_DIR is in use/) });
    expect(serverPid(directory)).toBe(pid);
    expect(await query(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
  },
);

test('two first starts at once make one cluster, and one of them is refused', async () => {
  const directory = temporaryDirectory();
  const services = [startService(directory), startService(directory)];
  const said = await Promise.all(services.map((service) => service.said));
  const refused = said.filter((answer) => 'code' in answer);
  expect(refused).toMatchObject([{ code: 'in-use' }]);
  expect(await readdir(dirname(directory))).toEqual(['database']);
});

test.runIf(isLinux).each([
  ['no PostgreSQL', () => sleepIn('/')],
  ['a shell in that very folder', sleepIn],
  ['the PostgreSQL of another directory', startAnother],
])(
  'the stale lock of a killed server whose process id now belongs to %s is overcome',
  async (_what, makePid) => {
    const directory = temporaryDirectory();
    const service = startService(directory);
    await connectionOf(service);
    const lock = join(directory, 'postmaster.pid');
    const pid = serverPid(directory);
    process.kill(pid, 'SIGKILL');
    service.child.kill('SIGKILL');
    await expectToEnd(pid);
    const stranger = await makePid(directory);
    const [, ...rest] = (await readFile(lock, 'utf8')).split('\n');
    await writeFile(lock, [stranger, ...rest].join('\n'));
    const next = await start(directory);
    expect(await query(next.connection, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(serverPid(directory)).not.toBe(stranger);
  },
);

test('an empty lock file, left by a server killed as it started, is overcome', async () => {
  const directory = temporaryDirectory();
  await (await start(directory)).stop();
  const lock = join(directory, 'postmaster.pid');
  await writeFile(lock, '', { mode: 0o600 });
  await utimes(lock, 1, 1);
  const { connection } = await start(directory);
  expect(await query(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('an initdb that was killed leaves no half cluster, and the next start clears it away', async () => {
  const directory = temporaryDirectory();
  const parent = dirname(directory);
  const service = startService(directory);
  const drafts = async () =>
    (await readdir(parent).catch(() => [])).filter((name) => name.includes('initdb'));
  await expect.poll(drafts, { interval: 1 }).toHaveLength(1);
  service.child.kill('SIGKILL');
  await once(service.child, 'exit');
  expect(existsSync(directory)).toBe(false);
  await mkdir(join(parent, `database.initdb-${service.child.pid}`, 'base'), { recursive: true });
  await mkdir(join(parent, `database.initdb-${process.pid}`, 'base'), { recursive: true });
  const { connection } = await start(directory);
  expect(await query(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
  expect(await readdir(parent)).toEqual(['database']);
});

test('the initdb of a living process is left alone', async () => {
  const directory = temporaryDirectory();
  const draft = `${directory}.initdb-${process.ppid}`;
  await mkdir(draft, { recursive: true });
  await start(directory);
  expect(existsSync(draft)).toBe(true);
});

test('a server that ignores a polite end is ended all the same', async () => {
  const child = spawn('sh', ['-c', 'trap "" INT QUIT; echo ready; while :; do sleep 1; done'], {
    detached: true,
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const ended = once(child, 'exit').then(([, signal]) => String(signal));
  const { entries, log } = createLog();
  const steps = [
    ['SIGINT', 100],
    ['SIGQUIT', 100],
    ['SIGKILL', 10_000],
  ] as const;
  await terminate({ child, ended, lastLines: () => [] }, log, steps);
  expect(await ended).toBe('SIGKILL');
  expect(entries).toHaveLength(2);
});

test('a server that runs and never answers is not waited for without end', async () => {
  const child = spawn('sleep', ['600']);
  onTestFinished(() => void child.kill('SIGKILL'));
  const server = { child, ended: new Promise<string>(() => undefined), lastLines: () => [] };
  expect(await answers(server, '/nowhere', 200, createLog().log)).toBe(false);
});

function sleepIn(cwd: string): number | undefined {
  const child = spawn('sleep', ['600'], { cwd });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child.pid;
}

async function startAnother(): Promise<number> {
  const directory = temporaryDirectory();
  await start(directory);
  return serverPid(directory);
}
