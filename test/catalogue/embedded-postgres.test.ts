import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { startEmbeddedPostgres } from '../../src/catalogue/embedded-postgres.ts';
import {
  connectionOf,
  createLog,
  eventually,
  query,
  serverPid,
  start,
  startService,
  temporaryDirectory,
} from './embedded-postgres-support.ts';

const settings = (names: string[]) =>
  `select name, setting from pg_settings where name in (${names.map((name) => `'${name}'`)}) order by name`;

test('a first start makes the database, and a later one finds its rows again', async () => {
  const directory = temporaryDirectory();
  const first = await start(directory);
  expect(first.connection).toMatchObject({ user: 'postgres', database: 'media_prompts' });
  await query(first.connection, 'create table kept as select 42 as answer');
  await first.stop();
  const second = await start(directory);
  expect(await query(second.connection, 'select answer from kept')).toEqual([{ answer: 42 }]);
  expect(await readdir(dirname(directory))).toEqual(['database']);
});

test('the cluster speaks UTF-8 the same way everywhere and checks its pages', async () => {
  const { connection } = await start(temporaryDirectory());
  const sql = `select datlocprovider, datlocale, pg_encoding_to_char(encoding) as encoding, lower('ÄΩ'),
    current_setting('data_checksums') as checksums, current_setting('TimeZone') as zone,
    split_part(current_setting('server_version'), '.', 1) as version
    from pg_database where datname = current_database()`;
  expect(await query(connection, sql)).toEqual([
    {
      datlocprovider: 'b',
      datlocale: 'C.UTF-8',
      encoding: 'UTF8',
      lower: 'äω',
      checksums: 'on',
      zone: 'UTC',
      version: '18',
    },
  ]);
});

test('every commit survives a loss of power, unless a test asks for speed: then only a killed server', async () => {
  const log = createLog().log;
  const directory = temporaryDirectory();
  const names = ['fsync', 'full_page_writes', 'synchronous_commit'];
  for (const [options, fsync] of [
    [{}, 'on'],
    [{ durable: false }, 'off'],
  ] as const) {
    const postgres = await startEmbeddedPostgres({ directory, log, ...options });
    const rows = await query(postgres.connection, settings(names)).finally(() => postgres.stop());
    expect(rows.map(({ setting }) => setting)).toEqual([fsync, fsync, 'on']);
  }
});

test('the server listens on nothing but a socket in a private folder, which goes with it', async () => {
  const postgres = await start(temporaryDirectory());
  const { host } = postgres.connection;
  expect(await query(postgres.connection, settings(['listen_addresses']))).toEqual([
    { name: 'listen_addresses', setting: '' },
  ]);
  expect(statSync(host).mode & 0o777).toBe(0o700);
  await postgres.stop();
  expect(existsSync(host)).toBe(false);
});

test('stopping twice, also at once, stops it once', async () => {
  const directory = temporaryDirectory();
  const { entries, log } = createLog();
  const postgres = await start(directory, log);
  await Promise.all([postgres.stop(), postgres.stop()]);
  await postgres.stop();
  expect(entries.filter(({ msg }) => msg === 'received fast shutdown request')).toHaveLength(1);
  expect(existsSync(join(directory, 'postmaster.pid'))).toBe(false);
});

test('a stop ends open transactions and leaves a cluster that needs no recovery', async () => {
  const directory = temporaryDirectory();
  const { entries, log } = createLog();
  const postgres = await start(directory);
  const sleeping = query(postgres.connection, 'select pg_sleep(600)').catch(String);
  const sql = `select count(*)::int from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'`;
  await eventually(postgres.connection, sql).toEqual([{ count: 1 }]);
  await postgres.stop();
  expect(await sleeping).toMatch(/terminat/);
  await start(directory, log);
  expect(entries.map(({ msg }) => msg).join('\n')).not.toMatch(/recovery|not properly shut down/);
});

test('the handling of signals is left to the process', async () => {
  const count = () => process.eventNames().map((name) => [name, process.listenerCount(name)]);
  const before = count();
  await start(temporaryDirectory());
  expect(count()).toEqual(before);
});

test.runIf(process.platform === 'linux')('Ctrl-C in a terminal does not reach the server', async () => {
  const directory = temporaryDirectory();
  await start(directory);
  const pid = serverPid(directory);
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const [, , group, session] = fields.map(Number);
  expect({ group, session }).toEqual({ group: pid, session: pid });
});

test('a temporary folder with a long path does not matter', async () => {
  const directory = temporaryDirectory();
  const long = join(dirname(dirname(directory)), 'x'.repeat(100));
  await mkdir(long);
  const connection = await connectionOf(startService(directory, { env: { TMPDIR: long } }));
  expect(connection.host).toMatch(/^\/tmp\/media-prompts-/);
  expect(await query(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('settings for other PostgreSQL servers in the environment change nothing', async () => {
  const env = {
    PGSSLMODE: 'require',
    PGDATA: '/nowhere',
    PGPORT: '1',
    LC_ALL: 'xx_YY',
    TZ: 'Asia/Tokyo',
    PGHOST: 'x',
  };
  const connection = await connectionOf(startService(temporaryDirectory(), { env }));
  expect(await query(connection, settings(['log_timezone', 'port', 'TimeZone']))).toEqual([
    { name: 'TimeZone', setting: 'UTC' },
    { name: 'log_timezone', setting: 'UTC' },
    { name: 'port', setting: '5432' },
  ]);
});

test('a folder that holds something else is refused and not touched', async () => {
  const directory = temporaryDirectory();
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'holiday.jpg'), 'mine');
  const refusal = {
    code: 'unusable-directory',
    message: expect.stringContaining(`${directory} holds no database`),
  };
  await expect(start(directory)).rejects.toMatchObject(refusal);
  expect(await readdir(directory)).toEqual(['holiday.jpg']);
});

test('a cluster of another PostgreSQL version is refused and not touched', async () => {
  const directory = temporaryDirectory();
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'PG_VERSION'), '17\n');
  const refusal = {
    code: 'unusable-directory',
    message: expect.stringContaining('PostgreSQL 17, and is not touched'),
  };
  await expect(start(directory)).rejects.toMatchObject(refusal);
  expect(await readdir(directory)).toEqual(['PG_VERSION']);
});

test('an empty folder that is there already is used', async () => {
  const directory = temporaryDirectory();
  await mkdir(directory, { recursive: true });
  const { connection } = await start(directory);
  expect(await query(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('a start that fails says why in one sentence and leaves no process and no socket folder', async () => {
  const directory = temporaryDirectory();
  const postgres = await start(directory);
  await postgres.stop();
  await writeFile(join(directory, 'postgresql.conf'), 'no_such_setting = 1\n');
  const temporary = join(dirname(directory), 'tmp');
  await mkdir(temporary);
  const said = await startService(directory, { env: { TMPDIR: temporary } }).said;
  const reason = /^The embedded PostgreSQL in .* could not be started: FATAL: .*contains errors$/;
  expect(said).toEqual({ code: 'start-failed', message: expect.stringMatching(reason) });
  expect(await readdir(temporary)).toEqual([]);
  expect(existsSync(join(directory, 'postmaster.pid'))).toBe(false);
});
