import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { noise } from '../test/support/wav.ts';
import { machine, type Row, say, table } from './figures.ts';
import { cpuSeconds, output, type Running, start } from './processes.ts';

const OURS = 3310;
const NGINX = 3311;
const STATIC = 3312;
const SMALL = 200 * 1024;
const LARGE = 50 * 1024 * 1024;
const RANGE = 'Range: bytes=1000-50999';

interface Target {
  readonly server: Running;
  readonly path: string;
  readonly etag: string;
}

interface Measured {
  readonly perSecond: number;
  readonly bytesPerSecond: number;
  readonly cpuPerByte: number;
}

/**
 * GET of a small hot and of a large recording, whole, in part and revalidated, against nginx with sendfile and one
 * worker, and @fastify/static. Pairs are interleaved, A B … B A, so that a slow minute of the machine hits both.
 */
export async function benchServing({ isQuick }: { readonly isQuick: boolean }): Promise<void> {
  const pairs = isQuick ? 1 : 9;
  const seconds = isQuick ? 1 : 3;
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-bench-'));
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    await writeFile(join(folder, 'small.wav'), noise(SMALL, 1));
    await writeFile(join(folder, 'large.wav'), noise(LARGE, 1));
    const nginx = await startNginx(folder, stops);
    const peer = await startStatic(folder, stops);
    const ours = await startOurs(folder, stops);
    const small = {
      ours: await target(ours, ours.small),
      nginx: await target(nginx, '/small.wav'),
      static: await target(peer, '/small.wav'),
    };
    const large = { ours: await target(ours, ours.large), nginx: await target(nginx, '/large.wav') };

    const rows: Row[] = [];
    const ratio = async (
      goal: Row['goal'],
      a: Target,
      b: Target,
      figure: (measured: Measured) => number,
      load: (at: Target) => readonly string[],
    ) => {
      const ratios: number[] = [];
      for (let pair = 0; pair < pairs; pair += 1) {
        const order = pair % 2 === 0 ? [a, b] : [b, a];
        const first = await measure(order[0] as Target, seconds, load);
        const second = await measure(order[1] as Target, seconds, load);
        const [ofA, ofB] = pair % 2 === 0 ? [first, second] : [second, first];
        ratios.push(figure(ofA) / figure(ofB));
      }
      rows.push({ goal, ratios });
      say(`  ${goal.name}: ${ratios.map((value) => value.toFixed(2)).join(' ')}`);
    };
    const many = () => ['-c16'];
    const few = () => ['-c4'];
    const perSecond = ({ perSecond: value }: Measured) => value;

    say(`serving, ${pairs} pairs of ${seconds} s`);
    await ratio(
      { name: '50 MB, bytes/s ÷ nginx', least: 0.85 },
      large.ours,
      large.nginx,
      (m) => m.bytesPerSecond,
      few,
    );
    await ratio(
      { name: '50 MB, CPU/byte ÷ nginx', most: 1.3 },
      large.ours,
      large.nginx,
      (m) => m.cpuPerByte,
      few,
    );
    await ratio({ name: '200 KB, requests/s ÷ nginx', least: 0.6 }, small.ours, small.nginx, perSecond, many);
    await ratio(
      { name: '200 KB, requests/s ÷ @fastify/static', least: 8 },
      small.ours,
      small.static,
      perSecond,
      many,
    );
    await ratio(
      { name: '50 KB of 200 KB by Range ÷ nginx', least: 0.5 },
      small.ours,
      small.nginx,
      perSecond,
      () => ['-c16', '-H', RANGE],
    );
    await ratio({ name: '304 ÷ nginx', least: 0.5 }, small.ours, small.nginx, perSecond, ({ etag }) => [
      '-c16',
      '-H',
      `If-None-Match: ${etag}`,
    ]);
    say(`\n${machine()}\n\n${table(rows)}\n`);
    await writeFile(
      resolve('bench/serve.json'),
      `${JSON.stringify({ machine: machine(), rows }, null, 2)}\n`,
    );
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

async function measure(
  at: Target,
  seconds: number,
  load: (at: Target) => readonly string[],
): Promise<Measured> {
  const before = cpuSeconds(at.server.pid);
  const report = await output(['wrk', '-t1', `-d${seconds}s`, ...load(at), at.server.base + at.path]);
  const cpu = cpuSeconds(at.server.pid) - before;
  if (/Non-2xx or 3xx|Socket errors/.test(report)) throw new Error(`wrong answers:\n${report}`);
  const [, requests = '0', time = '0', bytes = '0', unit = 'B'] =
    /(\d+) requests in ([\d.]+)s, ([\d.]+)(GB|MB|KB|B) read/.exec(report) ?? [];
  const read = Number(bytes) * { GB: 1024 ** 3, MB: 1024 ** 2, KB: 1024, B: 1 }[unit as 'B'];
  return {
    perSecond: Number(requests) / Number(time),
    bytesPerSecond: read / Number(time),
    cpuPerByte: cpu / read,
  };
}

/** Asked for a few times first, so that what is hot is hot; and the bytes are right. */
async function target(server: Running, path: string): Promise<Target> {
  let etag = '';
  for (let i = 0; i < 4; i += 1) {
    const response = await fetch(server.base + path);
    const { byteLength } = await response.arrayBuffer();
    if (!response.ok || byteLength < SMALL) throw new Error(`${path} is not served right`);
    etag = response.headers.get('etag') ?? '';
  }
  return { server, path, etag };
}

async function startNginx(folder: string, stops: (() => Promise<unknown>)[]): Promise<Running> {
  const config = join(folder, 'nginx.conf');
  await writeFile(
    config,
    // Its worker would drop to an account that cannot enter our folder.
    `${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log stderr crit;
     events { worker_connections 1024; }
     http { sendfile on; tcp_nopush on; access_log off; keepalive_requests 1000000000;
       types { audio/wav wav; }
       server { listen 127.0.0.1:${NGINX}; root ${folder}; } }`,
  );
  const server = await start(['nginx', '-c', config], `http://127.0.0.1:${NGINX}`);
  stops.push(() => server.stop());
  return server;
}

async function startStatic(folder: string, stops: (() => Promise<unknown>)[]): Promise<Running> {
  const peer = ['bench/peers/fastify-static.ts', folder, String(STATIC)];
  const server = await start([process.execPath, ...peer], `http://127.0.0.1:${STATIC}`);
  stops.push(() => server.stop());
  return server;
}

/** The built service with its production settings, and a cache that the large file fits into. */
async function startOurs(
  folder: string,
  stops: (() => Promise<unknown>)[],
): Promise<Running & { readonly small: string; readonly large: string }> {
  const env = {
    DATA_DIR: join(folder, 'data'),
    PORT: String(OURS),
    LOG_LEVEL: 'warn',
    PLAYBACK_CACHE_BYTES: String(128 * 1024 * 1024),
  };
  const flags = ['--enable-source-maps', '--max-semi-space-size=2', 'dist/src/main.js'];
  const server = await start([process.execPath, ...flags], `http://127.0.0.1:${OURS}`, env);
  stops.push(() => server.stop());
  const token = (
    await output(['env', `DATA_DIR=${env.DATA_DIR}`, process.execPath, 'src/cli.ts', 'token'])
  ).trim();
  const upload = async (name: string) => {
    const form = new FormData();
    form.set('name', name);
    form.set('message_type', 'prompt');
    form.set('file', new Blob([new Uint8Array(noise(name === 'small' ? SMALL : LARGE, 1))]), `${name}.wav`);
    const response = await fetch(`${server.base}/v3/media-prompts`, {
      method: 'POST',
      body: form,
      headers: { authorization: `Bearer ${token}` },
    });
    const { data } = (await response.json()) as { data: { url: string } };
    return data.url;
  };
  return { ...server, small: await upload('small'), large: await upload('large') };
}
