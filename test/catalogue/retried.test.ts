import { sql } from 'kysely';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import {
  answered,
  type Database,
  inTransaction,
  openDatabase,
  retriesOf,
} from '../../src/catalogue/database.ts';
import { listOrgUnits } from '../../src/catalogue/org-units.ts';
import { auditUsage, setQuota } from '../../src/catalogue/usage.ts';
import { inDatabase } from '../support/database-server.ts';
import { promptForm } from '../support/multipart.ts';
import { openUpload, statusOf } from '../support/raw-upload.ts';
import { createDatabase, startService, type TestService } from '../support/service.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

/** Longer than it takes two to wait for each other, and shorter than a statement may take. */
const DEADLOCK_AFTER = '2s';
/** All that come at once shall be at work at once; and who comes between shall be the test alone. */
const CROWD = {
  DATABASE_POOL_SIZE: '8',
  UPLOADS_AT_ONCE: '40',
  UPLOADS_AT_ONCE_PER_TOKEN: '40',
  UPLOAD_LEASE_SECONDS: '3600',
};
/** PostgreSQL's own ones for what others stood in the way of. */
const OUTDATED = ['40001', '40P01'] as const;

/** A service whose database has this setting for every session. */
async function startWith(setting: string, value: string): Promise<TestService> {
  const { url, drop } = await createDatabase();
  const name = new URL(url).pathname.slice(1);
  // Before the first session of anybody who shares sessions.
  await inDatabase(inject('databaseServer'), name, (client) =>
    client.query(`alter database ${name} set ${setting} = '${value}'`),
  );
  const service = await startService(CROWD, { databaseUrl: url });
  onTestFinished(async () => {
    await service.close();
    await drop();
  });
  return service;
}

async function open(url: string): Promise<Database> {
  const db = openDatabase({ connectionString: url }, { poolSize: 4, onIdleError: () => undefined });
  onTestFinished(() => db.destroy());
  return db;
}

async function untilOneWaits(service: TestService): Promise<void> {
  const waiting = `select count(*)::int as waiting from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`;
  await expect.poll(() => service.rows(waiting), { timeout: 10_000 }).toEqual([{ waiting: 1 }]);
}

/** Sends all but the end of an upload; `finish` sends that and resolves to the status of the answer. */
async function beginUpload(service: TestService, name: string) {
  const { socket, body, answer } = await openUpload(service, name);
  socket.write(body.subarray(0, -200));
  await expect.poll(async () => (await service.files()).arriving.length).toBe(1);
  return async () => {
    socket.write(body.subarray(-200));
    return statusOf(await answer);
  };
}

/**
 * Holds in a transaction of its own what `work` comes to, has `work` wait for that, and wants then what `work` holds, if
 * anything: one of the two has to give way, and it is `work` who notices first.
 */
async function against<T>(
  service: TestService,
  { holds, wants }: { readonly holds: string; readonly wants?: string },
  work: () => Promise<T>,
): Promise<T> {
  const name = new URL(service.databaseUrl).pathname.slice(1);
  return await inDatabase(service.databaseUrl, name, async (client) => {
    await client.query('begin');
    await client.query("set local deadlock_timeout = '1h'");
    await client.query(holds);
    const working = work();
    await untilOneWaits(service);
    if (wants !== undefined) await client.query(wants);
    await client.query('commit');
    return await working;
  });
}

/** There is one prompt with all that belongs to it, and no two of anything. */
async function expectOne(service: TestService): Promise<void> {
  expect(
    await service.rows(`select (select count(*)::int from prompts) as prompts,
      (select count(*)::int from recordings) as recordings,
      (select count(*)::int from blobs where state = 'kept') as blobs,
      (select sum(prompts)::int from org_unit_usage) as counted`),
  ).toEqual([{ prompts: 1, recordings: 1, blobs: 1, counted: 1 }]);
  expect((await service.files()).published).toHaveLength(1);
}

/** The row that an upload turns last, and the unit that it lands in. */
const LEDGER = "update blobs set lease_until = lease_until where state = 'arriving'";
const UNIT = 'update org_units set name = name where id = 1';
const PROMPTS = 'update prompts set name = name';

describe('in a deadlock with another', () => {
  test('an upload is taken all the same, once', async () => {
    const service = await startWith('deadlock_timeout', DEADLOCK_AFTER);
    const finish = await beginUpload(service, 'Upload');
    const others = { holds: 'select from org_units where id = 1 for update', wants: LEDGER };
    expect(await against(service, others, finish)).toBe(201);
    expect(retriesOf(service.db)).toBe(1);
    await expectOne(service);
  });

  test('an upload within a quota is taken all the same, once', async () => {
    const service = await startWith('deadlock_timeout', DEADLOCK_AFTER);
    await setQuota(service.db, 1, 1_000_000);
    const finish = await beginUpload(service, 'Within a quota');
    expect(await against(service, { holds: LEDGER, wants: UNIT }, finish)).toBe(201);
    expect(retriesOf(service.db)).toBe(1);
    await expectOne(service);
  });

  test('a delete is done all the same', async () => {
    const service = await startWith('deadlock_timeout', DEADLOCK_AFTER);
    const { body } = await service.upload(promptForm('Delete'));
    const remove = () => service.call('DELETE', `/v3/media-prompts/${body.data.media_prompt_id}`);
    const others = { holds: 'select from recordings for update', wants: PROMPTS };
    expect((await against(service, others, remove)).status).toBe(200);
    expect(retriesOf(service.db)).toBe(1);
    expect(await service.rows('select name from prompts')).toEqual([]);
  });
});

describe('where transactions are serialised', () => {
  test('an upload and a delete that others came before are done all the same', async () => {
    const service = await startWith('default_transaction_isolation', 'serializable');
    const finish = await beginUpload(service, 'Upload');
    expect(await against(service, { holds: LEDGER }, finish)).toBe(201);
    expect(retriesOf(service.db)).toBe(1);
    await expectOne(service);
    const [{ id } = { id: 0 }] = await service.rows<{ id: number }>('select id::int from prompts');
    const remove = () => service.call('DELETE', `/v3/media-prompts/${id}`);
    expect((await against(service, { holds: PROMPTS }, remove)).status).toBe(200);
    expect(retriesOf(service.db)).toBe(2);
    expect(await service.rows('select name from prompts')).toEqual([]);
  });

  test('uploads and deletes that come at once are all done, and counted', { timeout: 60_000 }, async () => {
    const service = await startWith('default_transaction_isolation', 'serializable');
    const client = async (number: number) => {
      for (let i = 0; i < 8; i += 1) {
        const { status, body } = await service.upload(promptForm(`${number} ${i}`));
        expect(status).toBe(201);
        if (i % 2 === 0) continue;
        const path = `/v3/media-prompts/${body.data.media_prompt_id}`;
        expect((await service.call('DELETE', path)).status).toBe(200);
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, number) => client(number)));
    const { body } = await service.get<{ total: number }>('/v3/media-prompts');
    expect(body.data.total).toBe(32);
    for await (const miscount of auditUsage(service.db)) expect(miscount).toBeUndefined();
    expect(retriesOf(service.db)).toBeGreaterThan(0);
    const figures = await (await fetch(`${service.base}/metrics`)).text();
    expect(figures).toMatch(/^media_prompts_database_retries_total [1-9]/m);
  });

  test('a commit that fails is begun anew with all before it', async () => {
    const { url, drop } = await createDatabase();
    onTestFinished(drop);
    const db = await open(url);
    const other = await open(url);
    let attempts = 0;
    const count = (trx: Database) => trx.selectFrom('org_units').select(sql`count(*)`.as('units')).execute();
    const insert = (trx: Database, name: string) =>
      trx
        .insertInto('org_units')
        .values({ name, parent_id: 1, path: `/1/${name}/` })
        .execute();
    await inTransaction(
      db,
      async (trx) => {
        attempts += 1;
        await count(trx);
        await insert(trx, 'ours');
        if (attempts > 1) return;
        // Neither has seen what the other did, so no order of the two explains both.
        await other
          .transaction()
          .setIsolationLevel('serializable')
          .execute(async (theirs) => {
            await count(theirs);
            await insert(theirs, 'theirs');
          });
      },
      'serializable',
    );
    expect(attempts).toBe(2);
    expect((await listOrgUnits(db)).map(({ name }) => name).toSorted()).toEqual([
      'Default',
      'ours',
      'theirs',
    ]);
  });
});

describe('what others always stand in the way of', () => {
  test.each(OUTDATED)('is given up in time, as a statement and as a transaction: %s', async (state) => {
    const { url, drop } = await createDatabase();
    onTestFinished(drop);
    const db = await open(url);
    const fail = sql.raw(`do $$ begin raise exception using errcode = '${state}'; end $$`);
    const since = performance.now();
    await expect(answered(fail.execute(db))).rejects.toMatchObject({ code: 'outdated' });
    const ofStatement = retriesOf(db);
    await expect(inTransaction(db, (trx) => fail.execute(trx))).rejects.toMatchObject({ code: 'outdated' });
    expect(performance.now() - since).toBeLessThan(10_000);
    for (const retries of [ofStatement, retriesOf(db) - ofStatement]) {
      expect(retries).toBeGreaterThan(1);
      expect(retries).toBeLessThan(10);
    }
  });

  test('is 503 at the front door, and leaves nothing of an upload', async () => {
    const service = await startWith('deadlock_timeout', '1s');
    await service.rows(`create function refuse() returns trigger language plpgsql as
      $$ begin raise exception using errcode = '40001'; end $$`);
    await service.rows(
      'create trigger refuse before insert on prompts for each row execute function refuse()',
    );
    const { status, headers } = await service.upload(promptForm('Refused'));
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('2');
    // The server took it back each time, so nothing has to wait for the sweeper.
    expect(await service.files()).toEqual({ published: [], arriving: [] });
    await expect.poll(() => service.rows('select name from blobs')).toEqual([]);
  });
});

test('a commit whose answer is lost is not sent again', async () => {
  const { url, drop } = await createDatabase();
  const proxy = await startTcpProxy(url);
  onTestFinished(async () => {
    await proxy.close();
    await drop();
  });
  const db = await open(proxy.url);
  let attempts = 0;
  const lost = proxy.lose('commit', 'answer-cut');
  const working = inTransaction(db, async (trx) => {
    attempts += 1;
    await trx.insertInto('org_units').values({ name: 'ours', parent_id: 1, path: '/1/7/' }).execute();
  });
  await expect(working).rejects.toMatchObject({ code: 'unavailable' });
  await lost;
  expect(attempts).toBe(1);
  expect((await listOrgUnits(db)).map(({ name }) => name)).toEqual(['Default', 'ours']);
});
