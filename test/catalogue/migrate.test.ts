import { randomUUID } from 'node:crypto';
import pg from 'pg';
import pino from 'pino';
import { expect, inject, test } from 'vitest';
import { openCatalogue } from '../../src/catalogue/open-catalogue.ts';
import { databaseUrl, inDatabase } from '../support/database-server.ts';

/** Longer than any other question to the database is waited for, ms. */
const LONG = 8_000;
const MIGRATION_LOCK = 7_330_114_209;

async function withNewDatabase(work: (url: string) => Promise<void>): Promise<void> {
  const server = inject('databaseServer');
  const name = `migrate_${randomUUID().replaceAll('-', '')}`;
  await inDatabase(server, 'postgres', (client) => client.query(`create database ${name}`));
  try {
    await work(databaseUrl(inject('databaseDoor'), name));
  } finally {
    await inDatabase(server, 'postgres', (client) => client.query(`drop database ${name} with (force)`));
  }
}

const open = (url: string) => {
  const applied: unknown[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void applied.push(JSON.parse(line)) });
  return openCatalogue({ choice: { kind: 'server', url }, poolSize: 2, log }).then((catalogue) => ({
    catalogue,
    applied,
  }));
};

test('of many that open a new database at once, one migrates it and all can use it', async () => {
  await withNewDatabase(async (url) => {
    const opened = await Promise.all(Array.from({ length: 8 }, () => open(url)));
    expect(opened.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
    for (const { catalogue } of opened) {
      const units = await catalogue.db.selectFrom('org_units').select(['id', 'path']).execute();
      expect(units).toEqual([{ id: 1, path: '/1/' }]);
      await catalogue.close();
    }
  });
});

test('a process waits for the migration of another for longer than for anything else', async () => {
  await withNewDatabase(async (url) => {
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    await other.query('begin');
    await other.query(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    const opening = open(url);
    await other.query(`select pg_sleep(${LONG / 1000})`);
    await other.query('commit');
    await other.end();
    const { catalogue } = await opening;
    expect(await catalogue.db.selectFrom('prompts').select('id').execute()).toEqual([]);
    await catalogue.close();
  });
});
