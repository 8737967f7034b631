import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import pg from 'pg';
import pino from 'pino';
import type { TestProject } from 'vitest/node';
import { openDatabase } from '../../src/catalogue/database.ts';
import { startEmbeddedPostgres } from '../../src/catalogue/embedded-postgres.ts';
import { migrate } from '../../src/catalogue/migrate.ts';
import { startPgBouncer } from './pgbouncer.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the test server answers, as a url without a database: for making databases and looking after sessions. */
    databaseServer: string;
    /** Where its databases are used: the same, or a PgBouncer in front of it. */
    databaseDoor: string;
    /** The migrated database that each test file copies. */
    databaseTemplate: string;
  }
}

/** Whether clients share sessions, so that nothing that they say of one outlives a transaction. */
export const isPooled = process.env['TEST_PGBOUNCER'] === '1';

const TEMPLATE = `media_prompts_template_${process.pid}`;

/**
 * One real PostgreSQL for the whole run: the embedded one, or the server that TEST_DATABASE_URL names. A
 * template database is migrated once; copying it takes milliseconds. With TEST_PGBOUNCER=1 services reach their
 * databases through a PgBouncer that pools by transactions.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { url, stop } = await startServer(process.env['TEST_DATABASE_URL']);
  await inDatabase(url, 'postgres', async (client) => {
    await client.query(`drop database if exists ${TEMPLATE}`);
    await client.query(`create database ${TEMPLATE}`);
  });
  const db = openDatabase(
    { connectionString: databaseUrl(url, TEMPLATE) },
    { poolSize: 1, onIdleError: () => undefined },
  );
  await migrate(db);
  await db.destroy();
  const pooler = isPooled ? await startPgBouncer(url) : undefined;
  project.provide('databaseServer', url);
  project.provide('databaseDoor', pooler?.url ?? url);
  project.provide('databaseTemplate', TEMPLATE);
  return async () => {
    await pooler?.stop();
    await inDatabase(url, 'postgres', async (client) => {
      await client.query(`drop database if exists ${TEMPLATE}`);
    });
    await stop();
  };
}

/** The url of a database on the test server. */
export function databaseUrl(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}

/** Runs `work` with a connection of its own. */
export async function inDatabase<T>(
  server: string,
  database: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl(server, database) });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function startServer(given: string | undefined): Promise<{ url: string; stop(): Promise<void> }> {
  if (given !== undefined) return { url: given, stop: () => Promise.resolve() };
  const directory = await mkdtemp(join(tmpdir(), 'media-prompts-test-'));
  const server = await startEmbeddedPostgres({
    directory: join(directory, 'database'),
    log: pino({ level: 'silent' }),
    durable: false,
  });
  const { host, port, user } = server.connection;
  return {
    url: `postgres://${user}@localhost:${port}/postgres?host=${encodeURIComponent(host)}`,
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
