import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { UNPRIVILEGED } from './unprivileged.ts';

const PROGRAM = '/usr/sbin/pgbouncer';
const PORT = 6432;
/** Sessions to each database that all clients of it share: fewer than they are, and more than tests have wait in locks. */
const SESSIONS = 6;
const READY_WITHIN = 10_000;

/** A PgBouncer that pools by transactions. */
export interface Pooler {
  /** Of every database of the server behind it, as a url without a database. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts one in front of a server; it ends with this process at the latest. */
export async function startPgBouncer(serverUrl: string): Promise<Pooler> {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-pgbouncer-'));
  await writeFile(join(folder, 'pgbouncer.ini'), configuration(serverUrl, folder));
  // As whom it runs may be another user.
  await chmod(folder, 0o777);
  const [program = '', ...args] = [
    ...UNPRIVILEGED,
    ...['setpriv', '--pdeathsig', 'KILL', PROGRAM, join(folder, 'pgbouncer.ini')],
  ];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000);
  });
  const ended = once(child, 'exit').catch((error: unknown) => [error]);
  const url = `postgres://postgres@localhost:${PORT}/postgres?host=${encodeURIComponent(folder)}`;
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const failed = ended.then(() => Promise.reject(new Error(`PgBouncer ended: ${said}`)));
  try {
    await Promise.race([failed, answers(url)]);
  } catch (error) {
    await stop();
    throw error;
  }
  failed.catch(() => undefined);
  return { url, stop };
}

function configuration(serverUrl: string, folder: string): string {
  const { hostname, port, username, searchParams } = new URL(serverUrl);
  const host = searchParams.get('host') ?? hostname;
  return `
[databases]
* = host=${host} port=${port || '5432'} user=${username}

[pgbouncer]
listen_addr =
listen_port = ${PORT}
unix_socket_dir = ${folder}
auth_type = any
pool_mode = transaction
default_pool_size = ${SESSIONS}
max_client_conn = 2000
; A server that refused is asked again sooner than a request gives up.
server_login_retry = 1
; Tests make a database for each file, and are done with it soon.
server_idle_timeout = 5
`;
}

async function answers(url: string): Promise<void> {
  const giveUp = performance.now() + READY_WITHIN;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      await client.query('select 1');
      return;
    } catch (error) {
      if (performance.now() > giveUp) throw error;
      await delay(50);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
