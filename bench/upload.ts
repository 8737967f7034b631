import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { noise } from '../test/support/wav.ts';
import { startDatabase } from './databases.ts';
import { machine, type Row, say, table } from './figures.ts';
import type { Load, LoadReport } from './load-client.ts';
import { startService } from './our-service.ts';
import { type Aim, inPairs } from './pairs.ts';
import { cpuSeconds, output, peakMemory, start } from './processes.ts';

const PORTS = { ours: 3320, stock: 3321, nginx: 3322, raw: 3323 } as const;
const LARGE = 50 * 1024 * 1024;
const SMALL = 200 * 1024;

/** A server that takes uploads, and how what it took is removed again, so that no disk fills up. */
interface Target {
  readonly name: string;
  readonly pids: readonly number[];
  readonly load: Pick<Load, 'url' | 'how' | 'token'>;
  clear(report: LoadReport): Promise<void>;
}

interface Work extends Pick<Load, 'file' | 'connections' | 'count'> {
  /** Of the file, bytes. */
  readonly size: number;
}

interface Measured {
  readonly cpuPerByte: number;
  readonly perSecond: number;
}

const cpu = ({ cpuPerByte }: Measured) => cpuPerByte;
const rate = ({ perSecond }: Measured) => perSecond;

/**
 * Uploads of 50 MB and 200 KB against nginx's PUT, which neither hashes nor syncs nor keeps rows, and against the
 * stock server of tutorials made safe. Pairs are interleaved. A goal is judged by the median of the pairs' ratios.
 */
export async function benchUploads({ isQuick }: { readonly isQuick: boolean }): Promise<void> {
  const pairs = isQuick ? 1 : 5;
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-bench-'));
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const files = { large: join(folder, 'large.wav'), small: join(folder, 'small.wav') };
    await writeFile(files.large, noise(LARGE, 1));
    await writeFile(files.small, noise(SMALL, 1));
    const ours = await startOurs(folder, stops);
    const stock = await startStock(folder, stops);
    const nginx = await startNginx(folder, stops);
    const raw = await startRaw(folder, stops);

    say(`uploads, ${pairs} pairs`);
    const rows: Row[] = [];
    const compare = async (peer: Target, load: Work, aims: readonly Aim<Measured>[]) => {
      rows.push(...(await inPairs(pairs, [ours, peer], (target) => measure(target, load), aims)));
    };
    for (const connections of isQuick ? [1] : [1, 8, 32]) {
      const load = {
        file: files.large,
        connections,
        count: isQuick ? 2 : Math.max(8, connections),
        size: LARGE,
      };
      const at = `50 MB, c=${connections}`;
      await compare(nginx, load, [{ name: `${at}: CPU/byte ÷ nginx PUT`, most: 1.4, figure: cpu }]);
      await compare(raw, load, [{ name: `${at}: CPU/byte ÷ bare node:http PUT`, figure: cpu }]);
      await compare(stock, load, [
        { name: `${at}: CPU/byte ÷ stock Fastify`, most: 0.8, figure: cpu },
        { name: `${at}: uploads/s ÷ stock Fastify`, least: 1.2, figure: rate },
      ]);
    }
    for (const connections of isQuick ? [8] : [8, 32]) {
      const load = { file: files.small, connections, count: isQuick ? 50 : 1500, size: SMALL };
      const name = `200 KB, c=${connections}: uploads/s ÷ stock Fastify`;
      await compare(stock, load, [{ name, least: 1.15, figure: rate }]);
    }
    if (!isQuick) await reportMemory(ours, files.large);
    say(`\n${machine()}\n\n${table(rows)}\n`);
    await writeFile(
      resolve('bench/upload.json'),
      `${JSON.stringify({ machine: machine(), rows }, null, 2)}\n`,
    );
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** Not a ratio: the memory that a hundred uploads at once need. */
async function reportMemory(ours: Target, file: string): Promise<void> {
  const [pid = 0] = ours.pids;
  const mb = () => `${(peakMemory(pid) / 1024 / 1024).toFixed(0)} MB`;
  const before = mb();
  await measure(ours, { file, connections: 100, count: 100, size: LARGE });
  say(`  peak RSS after all of this: ${before}; with 100 × 50 MB at once: ${mb()}`);
}

async function measure(target: Target, { size, ...load }: Work): Promise<Measured> {
  const used = () => target.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = used();
  const client = JSON.stringify({ ...target.load, ...load } satisfies Load);
  const text = await output([process.execPath, 'bench/load-client.ts', client]);
  const seconds = used() - before;
  const report = JSON.parse(text) as LoadReport;
  await target.clear(report);
  return { cpuPerByte: seconds / (load.count * size), perSecond: load.count / report.seconds };
}

async function startOurs(folder: string, stops: (() => Promise<unknown>)[]): Promise<Target> {
  const { base, pid, token, stop } = await startService(folder, PORTS.ours);
  stops.push(stop);
  const url = `${base}/v3/media-prompts`;
  return {
    name: 'ours',
    pids: [pid],
    load: { url, how: 'form', token },
    async clear({ ids }) {
      for (const id of ids) {
        const headers = { authorization: `Bearer ${token}` };
        const { status } = await fetch(`${url}/${id}`, { method: 'DELETE', headers });
        if (status !== 200) throw new Error(`prompt ${id} could not be deleted: ${status}`);
      }
    },
  };
}

async function startStock(folder: string, stops: (() => Promise<unknown>)[]): Promise<Target> {
  const database = await startDatabase(join(folder, 'stock-database'));
  stops.push(() => database.stop());
  const files = join(folder, 'stock');
  const peer = ['bench/peers/stock-upload.ts', files, String(PORTS.stock), database.url];
  const server = await start([process.execPath, ...peer], `http://127.0.0.1:${PORTS.stock}`);
  stops.push(() => server.stop());
  return {
    name: 'stock',
    pids: [server.pid, database.pid],
    load: { url: `${server.base}/upload`, how: 'form' },
    clear: () => empty(files),
  };
}

async function startRaw(folder: string, stops: (() => Promise<unknown>)[]): Promise<Target> {
  const files = join(folder, 'raw');
  const peer = ['bench/peers/raw-put.ts', files, String(PORTS.raw)];
  const server = await start([process.execPath, ...peer], `http://127.0.0.1:${PORTS.raw}`);
  stops.push(() => server.stop());
  return {
    name: 'raw',
    pids: [server.pid],
    load: { url: server.base, how: 'put' },
    clear: () => empty(files),
  };
}

/** Its own defaults, but for the size of a body and folders on the same disk as everybody's. */
async function startNginx(folder: string, stops: (() => Promise<unknown>)[]): Promise<Target> {
  const files = join(folder, 'nginx');
  await mkdir(join(files, 'temp'), { recursive: true });
  const config = join(folder, 'nginx.conf');
  await writeFile(
    config,
    `${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log stderr crit;
     events { worker_connections 1024; }
     http { access_log off; client_body_temp_path ${files}/temp;
       server { listen 127.0.0.1:${PORTS.nginx}; root ${files}; client_max_body_size 60m; dav_methods PUT; } }`,
  );
  const server = await start(['nginx', '-c', config], `http://127.0.0.1:${PORTS.nginx}`);
  stops.push(() => server.stop());
  return {
    name: 'nginx',
    pids: [server.pid],
    load: { url: server.base, how: 'put' },
    clear: () => empty(files),
  };
}

async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name !== 'temp') await rm(join(folder, name), { recursive: true });
  }
}
