import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import pg from 'pg';
import { test as base, describe, expect, inject, vi } from 'vitest';
import { migrations } from '../../migrations/index.ts';
import { addPrompt, type NewPrompt } from '../../src/catalogue/add-prompt.ts';
import { answered, type Database, openDatabase } from '../../src/catalogue/database.ts';
import { announce } from '../../src/catalogue/ledger.ts';
import { migrate } from '../../src/catalogue/migrate.ts';
import { addOrgUnit } from '../../src/catalogue/org-units.ts';
import { removePrompt } from '../../src/catalogue/prompts.ts';
import { auditUsage, listUsage, lockRoom, rebuildUsage, setQuota } from '../../src/catalogue/usage.ts';
import { databaseUrl, inDatabase } from '../support/database-server.ts';
import { createDatabase } from '../support/service.ts';

const HOUR = 3_600_000;

const open = (url: string, poolSize = 8) =>
  openDatabase({ connectionString: url }, { poolSize, onIdleError: () => undefined });

const test = base.extend<{ url: string; db: Database }>({
  // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
  url: async ({}, use) => {
    const { url, drop } = await createDatabase();
    await use(url);
    await drop();
  },
  db: async ({ url }, use) => {
    const db = open(url);
    await use(db);
    await db.destroy();
  },
});

async function add(db: Database, change: Partial<NewPrompt> = {}, standardQuota = 0): Promise<number> {
  const name = randomUUID();
  await announce(db, [name], HOUR);
  const row = await addPrompt(
    db,
    {
      uuid: randomUUID(),
      orgUnitId: 1,
      name,
      nameKey: name,
      messageType: 'prompt',
      recordingFileType: 'uploaded',
      recordingCreatedBy: null,
      description: null,
      blobName: name,
      originalFilename: null,
      fileSize: 1000,
      sha256: '0',
      container: 'wav',
      codec: 'pcm_s16le',
      sampleRate: 8000,
      channels: 1,
      durationMs: 100,
      extension: 'wav',
      wantsRenditions: false,
      ...change,
    },
    standardQuota,
  );
  if (row === undefined) throw new Error('the ledger row is gone');
  return row.id;
}

const remove = (db: Database, id: number) => removePrompt(db, 1, { id }, HOUR);

async function miscounts(db: Database) {
  const found = [];
  for await (const miscount of auditUsage(db)) found.push(miscount);
  return found;
}

const counters = (db: Database) => db.selectFrom('org_unit_usage').selectAll().orderBy('slot').execute();

describe('the counters', () => {
  test('are filled with what an older database holds', async () => {
    const server = inject('databaseServer');
    const name = `usage_${randomUUID().replaceAll('-', '')}`;
    await inDatabase(server, 'postgres', (client) => client.query(`create database ${name}`));
    const db = open(databaseUrl(server, name));
    const migrator = new Migrator({
      db,
      provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
    });
    expect((await migrator.migrateTo('0001-initial')).error).toBeUndefined();
    await sql`insert into org_units (id, parent_id, name, path) values (2, 1, 'below', '/1/2/')`.execute(db);
    await sql`
      with numbers as (select n, 'old-' || n as blob from generate_series(1, 40) n),
      ledger as (insert into blobs (name, state, extension) select blob, 'kept', 'wav' from numbers),
      recorded as (
        insert into recordings (blob_name, file_size, sha256, container, codec)
        select blob, n * 100, '', 'wav', 'pcm_s16le' from numbers returning id, file_size / 100 as n
      )
      insert into prompts (uuid, org_unit_id, name, name_key, message_type, recording_id, recording_file_type)
      select gen_random_uuid(), 1 + n % 2, n::text, n::text, case when n % 4 < 2 then 'prompt' else 'survey' end,
        id, 'uploaded' from recorded`.execute(db);
    await migrate(db);
    expect(await miscounts(db)).toEqual([]);
    expect(await listUsage(db, 0, undefined)).toEqual([
      { id: 1, name: 'Default', prompts: 20, bytes: 42_000, quota: 0 },
      { id: 2, name: 'below', prompts: 20, bytes: 40_000, quota: 0 },
    ]);
    await db.destroy();
    await inDatabase(server, 'postgres', (client) => client.query(`drop database ${name} with (force)`));
  });

  test('take one slot where nobody is in a hurry', async ({ db }) => {
    const ids = [];
    for (let i = 0; i < 20; i += 1) ids.push(await add(db));
    for (const id of ids.slice(5)) await remove(db, id);
    expect(await counters(db)).toMatchObject([{ org_unit_id: 1, prompts: 5, bytes: 5000 }]);
  });

  test('make nobody wait for the commit of another', async ({ db, url }) => {
    const kept = await add(db);
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    await other.query('begin');
    await other.query('select from org_unit_usage for update');
    // Were they to wait, both would end with the server's bound on a statement.
    await add(db);
    await remove(db, kept);
    await other.query('rollback');
    await other.end();
    const rows = await counters(db);
    expect(rows.length).toBeGreaterThan(1);
    expect(rows.reduce((sum, { prompts }) => sum + prompts, 0)).toBe(1);
    expect(await miscounts(db)).toEqual([]);
  });

  test('go with the statement that was refused', async ({ db }) => {
    await add(db, { nameKey: 'taken' });
    await expect(add(db, { nameKey: 'taken' })).rejects.toMatchObject({ code: 'name-taken' });
    await expect(add(db, { orgUnitId: 999 })).rejects.toMatchObject({ code: 'unit-gone' });
    expect(await counters(db)).toMatchObject([{ org_unit_id: 1, prompts: 1, bytes: 1000 }]);
  });
});

describe('counters that somebody spoilt', () => {
  const spoil = async (db: Database) => {
    const below = await addOrgUnit(db, { name: 'below', parentId: 1 });
    if (below === undefined) throw new Error('no unit');
    await add(db);
    await add(db, { messageType: 'survey' });
    await add(db, { orgUnitId: below.id });
    await sql`update org_unit_usage set prompts = prompts + 7 where message_type = 'survey'`.execute(db);
    await sql`delete from org_unit_usage where org_unit_id = ${below.id}`.execute(db);
    await sql`insert into org_unit_usage values (${below.id}, 'whisper', 3, 2, 10)`.execute(db);
    return below.id;
  };

  test('are named, each with what it should be', async ({ db }) => {
    const below = await spoil(db);
    const found = await miscounts(db);
    expect(found).toHaveLength(3);
    expect(found).toEqual(
      expect.arrayContaining([
        {
          orgUnitId: 1,
          messageType: 'survey',
          counted: { prompts: 8, bytes: 1000 },
          actual: { prompts: 1, bytes: 1000 },
        },
        {
          orgUnitId: below,
          messageType: 'prompt',
          counted: { prompts: 0, bytes: 0 },
          actual: { prompts: 1, bytes: 1000 },
        },
        {
          orgUnitId: below,
          messageType: 'whisper',
          counted: { prompts: 2, bytes: 10 },
          actual: { prompts: 0, bytes: 0 },
        },
      ]),
    );
  });

  test('are set right once, however many set them right at once', async ({ db, url }) => {
    await spoil(db);
    await sql`insert into org_unit_usage values (1, 'voicemail', 0, 5, 50)`.execute(db);
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    await other.query('begin');
    await other.query(`select from org_unit_usage where message_type = 'voicemail' for update`);
    const rebuilding = Promise.all(Array.from({ length: 4 }, () => rebuildUsage(db)));
    const areWaiting = async () => {
      const { rows } = await sql`
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
        db,
      );
      return rows.length === 4;
    };
    await vi.waitUntil(areWaiting, { timeout: 20_000 });
    await other.query('commit');
    await other.end();
    expect((await rebuilding).toSorted()).toEqual([0, 0, 0, 4]);
    expect(await miscounts(db)).toEqual([]);
  });

  test('are set right while others add and remove', async ({ db }) => {
    await spoil(db);
    let isRunning = true;
    const churn = async () => {
      while (isRunning) await remove(db, await add(db));
    };
    const churning = [churn(), churn(), churn(), churn()];
    for (let round = 0; round < 10; round += 1) {
      await sql`insert into org_unit_usage values (1, 'prompt', 15, 3, 30)
        on conflict (org_unit_id, message_type, slot) do update set prompts = org_unit_usage.prompts + 3`.execute(
        db,
      );
      expect(await miscounts(db)).not.toEqual([]);
      expect(await rebuildUsage(db)).toBeGreaterThan(0);
      expect(await miscounts(db)).toEqual([]);
    }
    isRunning = false;
    await Promise.all(churning);
    expect(await miscounts(db)).toEqual([]);
  });
});

test('a process that freezes in the middle of a commit under a quota does not hold up the unit', async ({
  db,
  url,
}) => {
  await setQuota(db, 1, 10_000);
  const frozen = open(url, 1);
  const stalled = answered(
    frozen.transaction().execute(async (trx) => {
      await lockRoom(trx, 1, 0);
      // Nothing of this process moves, as under SIGSTOP, for longer than the server puts up with it.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6_000);
      await trx.selectFrom('prompts').select('id').execute();
    }),
  );
  await expect(stalled).rejects.toMatchObject({ code: 'unavailable' });
  // Its connection is not used again, and the next commit gets the lock.
  expect(await frozen.selectFrom('prompts').select('id').execute()).toEqual([]);
  await add(db);
  await frozen.destroy();
});
