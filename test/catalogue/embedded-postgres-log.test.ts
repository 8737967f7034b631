import { expect, test } from 'vitest';
import { createLineSplitter, createLogWriter } from '../../src/catalogue/embedded-postgres-server.ts';
import { createLog, query, start, temporaryDirectory } from './embedded-postgres-support.ts';

test.each([
  ['postmaster|LOG:  ready', [[20, 'ready']]],
  ['autovacuum worker|WARNING:  soon', [[40, 'soon']]],
  ['client backend|WARNING:  soon', [[40, 'soon']]],
  ['checkpointer|ERROR:  broken', [[40, 'broken']]],
  ['startup|FATAL:  no way', [[50, 'no way']]],
  ['client backend|PANIC:  disk', [[50, 'disk']]],
  ['client backend|ERROR:  invalid input: "secret"', []],
  ['dead-end client backend|FATAL:  the database system is starting up', []],
  [
    'postmaster|FATAL:  lock file "postmaster.pid" already exists',
    [[20, 'lock file "postmaster.pid" already exists']],
  ],
  ['sh: something odd', [[20, 'sh: something odd']]],
  [
    'checkpointer|ERROR:  two\n\tlines',
    [
      [40, 'two'],
      [40, 'lines'],
    ],
  ],
  ['client backend|ERROR:  a "secret\n\tand more"', []],
])('of the line %j this reaches the log: %j', (text, expected) => {
  const { entries, log } = createLog();
  const write = createLogWriter(log);
  for (const line of text.split('\n')) write(line);
  expect(entries.map(({ level, msg }) => [level, msg])).toEqual(expected);
});

test('nothing of what clients send reaches the log, also when it is refused', async () => {
  const { entries, log } = createLog();
  const { connection } = await start(temporaryDirectory(), log);
  await query(connection, `create table names (name text unique); insert into names values ('Tell-Nobody')`);
  const refused = [
    `insert into names values ('Tell-Nobody')`,
    `select 'Tell-Nobody'::int`,
    `select 'Tell-Nobody' from nowhere`,
    `select '\n\nTell-Nobody'::int`,
    `select pg_terminate_backend(pg_backend_pid()), 'Tell-Nobody'`,
  ];
  for (const text of refused) await expect(query(connection, text)).rejects.toThrow();
  await query(connection, `do $$ begin raise log 'the end'; end $$`);
  await expect.poll(() => entries.some(({ msg }) => msg === 'the end')).toBe(true);
  expect(JSON.stringify(entries)).not.toMatch(/Tell-Nobody/i);
});

test('a line without end is cut, not gathered', () => {
  const lines: string[] = [];
  const split = createLineSplitter((line) => lines.push(line));
  const chunk = 'x'.repeat(65_536);
  for (let chunks = 0; chunks < 1_000; chunks += 1) split(chunk);
  split('\nthe next\n');
  expect(lines).toEqual(['x'.repeat(8192), 'the next']);
}, 5_000);

test('a line of any length costs little', async () => {
  const { entries, log } = createLog();
  const { connection } = await start(temporaryDirectory(), log);
  await query(connection, `do $$ begin raise log '%', repeat('x', 20000000); raise log 'the end'; end $$`);
  await expect.poll(() => entries.some(({ msg }) => msg.endsWith('the end'))).toBe(true);
  expect(Math.max(...entries.map(({ msg }) => msg.length))).toBeLessThanOrEqual(8192);
});
