import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type pg from 'pg';
import { test as base, expect, inject } from 'vitest';
import { openCatalogue } from '../../src/catalogue/open-catalogue.ts';
import { compose, type Overrides, type Service } from '../../src/compose.ts';
import { type Config, configFrom } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { signToken, type TokenRequest } from '../../src/token.ts';
import { watchConformance } from './conformance.ts';
import { databaseUrl, inDatabase, isPooled } from './database-server.ts';
import { multipart, type Part } from './multipart.ts';

export const SECRET = 'a secret for tests that is long enough';

export interface Envelope<T = Record<string, unknown>> {
  readonly code: number;
  readonly message: string;
  readonly data: T;
  readonly errors?: readonly { field: string; code: string; message: string }[];
  readonly request_id: string;
  readonly timestamp: string;
}

export interface WirePrompt {
  readonly media_prompt_id: number;
  readonly url: string;
  readonly filename: string;
  readonly recording_name: string;
  readonly [member: string]: unknown;
}

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Envelope<T>;
}

/** A database of its own on the test server, copied from the migrated template. `directUrl` is past any pooler. */
export async function createDatabase(): Promise<{ url: string; directUrl: string; drop(): Promise<void> }> {
  const server = inject('databaseServer');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await inDatabase(server, 'postgres', async (client) => {
    await client.query(`create database ${name} template ${inject('databaseTemplate')}`);
  });
  return {
    url: databaseUrl(inject('databaseDoor'), name),
    directUrl: databaseUrl(server, name),
    drop: () =>
      inDatabase(server, 'postgres', async (client) => {
        await client.query(`drop database if exists ${name} with (force)`);
      }),
  };
}

/** A running service on a port, a database and a folder of its own. */
export async function startService(
  env: Readonly<Record<string, string>> = {},
  overrides: Pick<Overrides, 'blobs' | 'consoleFolder'> & {
    readonly dataDir?: string;
    readonly databaseUrl?: string;
    /** Past the bounds of the environment. */
    readonly replica?: Config['replica'];
  } = {},
) {
  const dataDir = overrides.dataDir ?? (await mkdtemp(join(tmpdir(), 'media-prompts-test-')));
  const database =
    overrides.databaseUrl === undefined
      ? await createDatabase()
      : { url: overrides.databaseUrl, drop: () => Promise.resolve() };
  const given: Config = configFrom({
    DATABASE_URL: database.url,
    DATA_DIR: dataDir,
    JWT_SECRET: SECRET,
    DATABASE_POOL_SIZE: process.env['TEST_DATABASE_POOL_SIZE'],
    // As with the embedded server, and on a server of one's own as without a word.
    DATABASE_PREPARED_STATEMENTS:
      process.env['TEST_DATABASE_URL'] === undefined && !isPooled ? 'on' : undefined,
    // What a test's own process does beside the service is no load of the service.
    MAX_EVENT_LOOP_DELAY_MS: '0',
    MAX_RSS_BYTES: '0',
    // Converting takes a processor for itself; who tests it says so.
    RENDITION_ENGINE: 'off',
    ...env,
  });
  const config = { ...given, replica: overrides.replica ?? given.replica };
  const logLines: string[] = [];
  const log = createLog('debug', { write: (line: string) => void logLines.push(line) });
  const catalogue = await openCatalogue({
    choice: config.database,
    poolSize: config.databasePoolSize,
    keepsPlans: config.databasePreparedStatements,
    log,
  });
  let contradictions: readonly string[] = [];
  const service: Service = await compose(config, log, {
    ...overrides,
    catalogue,
    observe: (app) => {
      contradictions = watchConformance(app);
    },
  });
  const base = await service.app.listen({ host: '127.0.0.1', port: 0 });

  async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<Answer<T>> {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        ...(options.token !== null && { authorization: `Bearer ${options.token ?? token()}` }),
        ...options.headers,
      },
      ...(options.body !== undefined && {
        body: options.body as NonNullable<RequestInit['body']>,
        duplex: 'half',
      }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parse(text) as Envelope<T> };
  }

  return {
    base,
    dataDir,
    config,
    service,
    library: service.library,
    db: catalogue.db,
    databaseUrl: database.url,
    logLines,
    call,
    get: <T>(path: string, options?: CallOptions) => call<T>('GET', path, options),
    /** Uploads parts in the order given. */
    upload: (parts: readonly Part[], options: CallOptions = {}) => {
      const { body, contentType } = multipart(parts);
      return call<WirePrompt>('POST', '/v3/media-prompts', {
        ...options,
        body,
        headers: { 'content-type': contentType, ...options.headers },
      });
    },
    /** Rows of a query on the service's database. */
    rows: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> => {
      const { pathname } = new URL(database.url);
      return await inDatabase(database.url, pathname.slice(1), async (client) => {
        const { rows } = await client.query<Row>(text, values);
        return rows;
      });
    },
    /** What lies in the blob folders: published and arriving. */
    files: async () => ({
      published: (await readdir(join(dataDir, 'uploads/call-flow-recordings'))).sort(),
      arriving: (await readdir(join(dataDir, 'uploads/.arriving'))).sort(),
    }),
    async close(keep: { readonly data?: boolean } = {}) {
      await service.close(1_000);
      if (!keep.data) {
        await database.drop();
        await rm(dataDir, { recursive: true, force: true });
      }
      // Every answer that any test got is held against the API document.
      expect(contradictions).toEqual([]);
    },
  };
}

export interface CallOptions {
  /** A token; null for none; the default is one that may do everything in org unit 1. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export type TestService = Awaited<ReturnType<typeof startService>>;

export function token(request: Partial<TokenRequest> = {}): string {
  return signToken(SECRET, { userId: 7, orgUnitId: 1, role: 'admin', expiresIn: '1h', ...request });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** `service` is one for the whole file; tests share it and use names of their own. */
export const test = base.extend<{ service: TestService }>({
  service: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await startService();
      await use(service);
      await service.close();
    },
    { scope: 'file' },
  ],
});
