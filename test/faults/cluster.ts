import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startNginx } from '../support/nginx.ts';
import { freePort } from '../support/ports.ts';
import { type DatabaseServer, startDatabaseServer } from './database-server.ts';
import { newDataDir, type Service, startService } from './service.ts';

const CONFIGURATION = new URL('../../docs/examples/nginx-cluster.conf', import.meta.url);

/** Several services on one database and one folder, behind nginx. */
export interface Cluster {
  readonly database: DatabaseServer;
  /** As they are now; one that was killed has another in its place once that is ready. */
  readonly services: readonly Service[];
  /** All of them together, as clients have them. */
  readonly front: Service;
  /** `kill -9`. */
  kill(place: number): Promise<void>;
  /** Starts another one where one was killed. */
  restart(place: number): Promise<void>;
}

/** Starts one that is gone when the test ends. */
export async function startCluster(
  size: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Cluster> {
  const dataDir = await newDataDir();
  const database = await startDatabaseServer(join(dataDir, 'server'));
  const ports = await Promise.all(Array.from({ length: size }, freePort));
  const start = (port: number | undefined) =>
    startService(dataDir, { env: { DATABASE_URL: database.url, PORT: String(port), ...env } });
  const services = await Promise.all(ports.map(start));
  const frontPort = await freePort();
  const text = await readFile(CONFIGURATION, 'utf8');
  const servers = ports.map((port) => `server 127.0.0.1:${port} max_fails=1 fail_timeout=2s;`);
  const nginx = await startNginx(
    () =>
      text
        .replace(/(?<=^[^#]*)SERVICES/m, servers.join(' '))
        .replace('127.0.0.1:8080', `127.0.0.1:${frontPort}`),
    [frontPort],
  );
  onTestFinished(() => nginx.stop());
  const [first] = services;
  if (first === undefined) throw new Error('a cluster of nobody');
  return {
    database,
    services,
    front: { ...first, base: `http://127.0.0.1:${frontPort}` },
    async kill(place) {
      await services[place]?.end('SIGKILL');
    },
    async restart(place) {
      services[place] = await start(ports[place]);
    },
  };
}
