import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { query, startDatabase } from './databases.ts';
import { say } from './figures.ts';
import type { Load, LoadReport } from './load-client.ts';
import { type OurService, type OurSettings, startService } from './our-service.ts';
import { type Command, freeAddress, type Stage, start, versionOf } from './processes.ts';

/** A server that takes uploads, and how what it took is removed again, so that no disk fills up. */
export interface UploadTarget {
  /** The server, and its database where that is no child of it. */
  readonly roots: readonly number[];
  readonly load: Pick<Load, 'url' | 'how' | 'tokens'>;
  /** Where the files come to lie. */
  readonly folder: string;
  /** How many rows it keeps; undefined where it keeps none. */
  rows(): Promise<number | undefined>;
  clear(report: LoadReport): Promise<void>;
}

export interface Peers {
  readonly targets: Readonly<Record<string, UploadTarget>>;
  /** What each is, and which are left out and why. */
  readonly notes: readonly string[];
}

const APART = 'bench/peers/apart';
const DELETES_AT_ONCE = 8;

/** Ours as a target. `databases` are the processes of a database that it was told of by url. */
export function uploadsTo(service: OurService, databases: readonly number[] = []): UploadTarget {
  const url = `${service.base}/v3/media-prompts`;
  const headers = { authorization: `Bearer ${service.token}` };
  return {
    roots: [service.pid, ...databases],
    load: { url, how: 'form', tokens: service.tokens },
    folder: join(service.dataDir, 'uploads/call-flow-recordings'),
    async rows() {
      const answer = await fetch(`${url}?limit=1`, { headers });
      const { data } = (await answer.json()) as { data: { total: number } };
      return data.total;
    },
    async clear({ ids }) {
      const left = [...ids];
      const remove = async () => {
        for (let id = left.pop(); id !== undefined; id = left.pop()) {
          const { status } = await fetch(`${url}/${id}`, { method: 'DELETE', headers });
          if (status !== 200) throw new Error(`prompt ${id} could not be deleted: ${status}`);
        }
      };
      await Promise.all(Array.from({ length: DELETES_AT_ONCE }, remove));
    },
  };
}

/** The service with the embedded database, in a folder of the stage. */
export async function startOurs(stage: Stage, name: string, settings?: OurSettings): Promise<UploadTarget> {
  return uploadsTo(await stage.keep(startService(join(stage.folder, name), settings)));
}

/** Everybody that uploads are compared with, as far as this machine has what they need. */
export async function startPeers(stage: Stage): Promise<Peers> {
  const [go, hasApart] = await Promise.all([versionOf(['go', 'version']), installApart()]);
  const starting: Record<string, Promise<UploadTarget>> = {
    'nginx PUT': startNginx(stage),
    'bare node:http PUT': startNode(stage, 'raw', 'put', 'bench/peers/raw-put.ts'),
    'stock Fastify': startWithDatabase(stage, 'stock', 'bench/peers/stock-upload.ts'),
    ...(hasApart && {
      'multer + Express': startWithDatabase(stage, 'multer', `${APART}/multer-upload.mjs`),
      '@tus/server': startNode(stage, 'tus', 'tus', `${APART}/tus-upload.mjs`),
    }),
    ...(go !== undefined && { 'Go net/http': startGo(stage) }),
  };
  const targets = await Promise.all(
    Object.entries(starting).map(async ([name, target]) => [name, await target] as const),
  );
  return {
    targets: Object.fromEntries(targets),
    notes: [
      go ?? 'Go is left out: `go` is not installed (`apt install golang-go`).',
      ...(hasApart ? [] : [`multer + Express and @tus/server are left out: \`npm ci\` in ${APART} failed.`]),
    ],
  };
}

/** Their packages are no dependencies of ours, so the first run that needs them fetches them. */
async function installApart(): Promise<boolean> {
  if (existsSync(join(APART, 'node_modules/.package-lock.json'))) return true;
  say(`npm ci in ${APART}`);
  const options = ['ci', '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund'];
  return await promisify(execFile)('npm', options, { cwd: APART }).then(
    () => true,
    () => false,
  );
}

async function startGo(stage: Stage): Promise<UploadTarget> {
  const program = join(stage.folder, 'upload-go');
  await promisify(execFile)('go', ['build', '-o', program, 'bench/peers/upload.go']);
  const command = (folder: string, port: number) => [program, folder, `127.0.0.1:${port}`] as const;
  return await startProgram(stage, 'go', 'form', command);
}

/** A program of Node's that is told a folder and a port. */
function startNode(
  stage: Stage,
  name: string,
  how: Load['how'],
  program: string,
  more: readonly string[] = [],
): Promise<UploadTarget> {
  const command = (folder: string, port: number) =>
    [process.execPath, program, folder, String(port), ...more] as const;
  return startProgram(stage, name, how, command);
}

async function startWithDatabase(stage: Stage, name: string, program: string): Promise<UploadTarget> {
  const database = await stage.keep(startDatabase(join(stage.folder, name, 'database')));
  const target = await startNode(stage, name, 'form', program, [database.url]);
  const count = async () => {
    const [row] = await query<{ rows: number }>(database.url, 'select count(*)::int as rows from uploads');
    return row?.rows;
  };
  return {
    ...target,
    roots: [...target.roots, database.pid],
    rows: count,
    async clear(report) {
      await target.clear(report);
      await query(database.url, 'delete from uploads');
    },
  };
}

async function startProgram(
  stage: Stage,
  name: string,
  how: Load['how'],
  command: (folder: string, port: number) => Command,
): Promise<UploadTarget> {
  const folder = join(stage.folder, name, 'files');
  await mkdir(folder, { recursive: true });
  const { port, base } = await freeAddress();
  const server = await stage.keep(start(command(folder, port), base));
  return {
    roots: [server.pid],
    load: { url: base + { form: '/upload', put: '', tus: '/files' }[how], how },
    folder,
    rows: async () => undefined,
    clear: () => empty(folder),
  };
}

/** Its own defaults, but for the size of a body, no access log, and folders on the same disk as everybody's. */
async function startNginx(stage: Stage): Promise<UploadTarget> {
  const at = resolve(stage.folder, 'nginx');
  await mkdir(join(at, 'temp'), { recursive: true });
  return await startProgram(stage, 'nginx', 'put', (folder, port) => {
    const config = join(at, 'nginx.conf');
    // Its worker would drop to an account that cannot enter our folder.
    const text = `${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; daemon off;
     pid ${at}/nginx.pid; error_log stderr crit;
     events { worker_connections 1024; }
     http { access_log off; client_body_temp_path ${at}/temp;
       server { listen 127.0.0.1:${port}; root ${folder}; client_max_body_size 60m; dav_methods PUT; } }`;
    writeFileSync(config, text);
    return ['nginx', '-c', config];
  });
}

async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
}
