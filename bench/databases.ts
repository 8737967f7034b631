import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../src/catalogue/embedded-postgres.ts';

/** A PostgreSQL for a peer: the same binaries and settings as the service's own. */
export interface PeerDatabase {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export async function startDatabase(directory: string): Promise<PeerDatabase> {
  const server = await startEmbeddedPostgres({ directory, log: silent });
  const { host, port, user, database } = server.connection;
  return {
    url: `postgres://${user}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`,
    pid: Number(readFileSync(join(directory, 'postmaster.pid'), 'utf8').split('\n')[0]),
    stop: () => server.stop(),
  };
}
