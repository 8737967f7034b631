import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { sql } from 'kysely';
import { expect, inject, onTestFinished, test } from 'vitest';
import { checkDatabase, inTransaction, openDatabase } from '../../src/catalogue/database.ts';
import { inDatabase } from '../support/database-server.ts';
import { createDatabase } from '../support/service.ts';

/** Takes connections and says nothing, as a server that hangs. */
async function startMuteServer() {
  let taken = 0;
  const server = createServer((socket) => {
    taken += 1;
    socket.on('error', () => undefined).resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `postgres://nobody@127.0.0.1:${port}/nothing?sslmode=disable`, taken: () => taken };
}

test('a server that hangs is asked by one at a time, and all are told', { timeout: 20_000 }, async () => {
  const server = await startMuteServer();
  const db = openDatabase({ connectionString: server.url }, { poolSize: 10, onIdleError: () => undefined });
  onTestFinished(() => db.destroy());
  const askers = () => Promise.allSettled(Array.from({ length: 10 }, () => checkDatabase(db)));
  const unavailable = Array.from({ length: 10 }, () => ({
    status: 'rejected',
    reason: expect.objectContaining({ code: 'unavailable' }),
  }));
  expect(await askers()).toEqual(unavailable);
  const before = server.taken();
  expect(await askers()).toEqual(unavailable);
  expect(await askers()).toEqual(unavailable);
  expect(server.taken() - before).toBe(2);
});

test('an answer that was given is gone with the next collection of what is young', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;
  const { url, drop } = await createDatabase();
  onTestFinished(drop);
  const db = openDatabase({ connectionString: url }, { poolSize: 1, onIdleError: () => undefined });
  onTestFinished(() => db.destroy());
  const text = sql<{ text: string }>`select repeat('x', 100000) as text`;
  await text.execute(db);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 30; i += 1) {
    await text.execute(db);
    collect({ type: 'minor' });
  }
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000);
});

test('who is patient waits as long as it takes, whatever a session was told before', async () => {
  const { url, drop } = await createDatabase();
  onTestFinished(drop);
  const name = new URL(url).pathname.slice(1);
  await inDatabase(inject('databaseServer'), name, (client) =>
    client.query(`alter database ${name} set statement_timeout = '200ms'`),
  );
  const db = openDatabase(
    { connectionString: url },
    { poolSize: 1, isPatient: true, onIdleError: () => undefined },
  );
  onTestFinished(() => db.destroy());
  const wait = sql`select pg_sleep(0.5)`;
  await wait.execute(db);
  await inTransaction(db, (trx) => wait.execute(trx));
  await inTransaction(db, (trx) => wait.execute(trx), 'repeatable read');
  const wrong = sql`select 1 / 0`.execute(db);
  await expect(wrong).rejects.toMatchObject({ code: '22012' });
});
