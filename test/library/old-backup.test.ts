import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';
import { openDatabase } from '../../src/catalogue/database.ts';
import { announce } from '../../src/catalogue/ledger.ts';
import { newRecordingName } from '../../src/library/recording-name.ts';
import { sweep } from '../../src/library/sweeper.ts';
import { repair, verify } from '../../src/library/verify.ts';
import { databaseUrl, inDatabase } from '../support/database-server.ts';
import { promptForm } from '../support/multipart.ts';
import { createDatabase, startService, type TestService } from '../support/service.ts';

const HOUR = 3_600_000;

/** A service whose database can be copied as it is now, and be opened as that copy. */
async function open() {
  const service = await startService({ UPLOAD_LEASE_SECONDS: '3600' });
  onTestFinished(() => service.close());
  return { service, blobs: await createDiskBlobStore(join(service.dataDir, 'uploads')) };
}

/** The rows as an older dump has them: all tables of the service's database, copied one by one. */
async function oldDump(service: TestService) {
  const server = inject('databaseServer');
  const name = `old_${randomUUID().replaceAll('-', '')}`;
  await inDatabase(server, 'postgres', (client) =>
    client.query(`create database ${name} template ${inject('databaseTemplate')}`),
  );
  onTestFinished(async () => {
    await inDatabase(server, 'postgres', (client) => client.query(`drop database ${name} with (force)`));
  });
  await inDatabase(server, name, async (client) => {
    await client.query('delete from org_units; delete from ledger_clock');
    for (const table of ['org_units', 'ledger_clock', 'blobs', 'recordings', 'prompts', 'org_unit_usage']) {
      const rows = await service.rows<{ all: string }>(
        `select coalesce(json_agg(t), '[]')::text as all from ${table} t`,
      );
      await client.query(
        `insert into ${table} select * from json_populate_recordset(null::${table}, $1::json)`,
        [rows[0]?.all],
      );
    }
  });
  const db = openDatabase(
    { connectionString: databaseUrl(inject('databaseDoor'), name) },
    { poolSize: 2, onIdleError: () => undefined },
  );
  onTestFinished(() => db.destroy());
  return db;
}

test('a database set back to an older state costs no file, by sweep or repair, and verify names what is new', async () => {
  const { service, blobs } = await open();
  await service.upload(promptForm('Old'));
  await sweep(service.db, blobs, HOUR);

  // On its way while the dump is taken, acknowledged afterwards.
  const name = newRecordingName();
  await announce(service.db, [name], 1);
  const old = await oldDump(service);
  await writeFile(join(service.dataDir, 'uploads/call-flow-recordings', `${name}.wav`), 'acknowledged');
  await service.rows(
    `update blobs set state = 'kept', extension = 'wav', lease_until = null where name = $1`,
    [name],
  );
  await service.upload(promptForm('New'));
  await sweep(service.db, blobs, HOUR);
  const { published } = await service.files();
  expect(published).toHaveLength(3);

  await sql`update blobs set lease_until = now() - interval '1 hour' where state <> 'kept'`.execute(old);
  expect(await repair(old, blobs, HOUR)).toEqual({ swept: 0, recounted: 0, forgotten: 0 });
  expect(await sweep(old, blobs, HOUR)).toBe(0);
  expect((await service.files()).published).toEqual(published);
  const kinds: string[] = [];
  for await (const { kind } of verify(old, blobs, { deep: true })) kinds.push(kind);
  expect(kinds).toEqual(['unknown', 'unknown']);
});

test('a database that goes on is swept as ever, however many processes sweep it', async () => {
  // Without a service, whose own sweeper would be one more.
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const db = openDatabase({ connectionString: database.url }, { poolSize: 4, onIdleError: () => undefined });
  onTestFinished(() => db.destroy());
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-sweep-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const blobs = await createDiskBlobStore(folder);
  for (let round = 0; round < 3; round += 1) {
    const name = newRecordingName();
    await announce(db, [name], HOUR);
    await writeFile(join(folder, '.arriving', name), 'left by a crash');
    await sql`update blobs set lease_until = now() - interval '1 second' where name = ${name}`.execute(db);
    const swept = await Promise.all(Array.from({ length: 4 }, () => sweep(db, blobs, HOUR)));
    expect(swept.reduce((sum, one) => sum + one)).toBe(1);
    expect(await readdir(join(folder, '.arriving'))).toEqual([]);
  }
});
