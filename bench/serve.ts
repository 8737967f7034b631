import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { noise } from '../test/support/wav.ts';
import { machine, type Row, say, table } from './figures.ts';
import { startService } from './our-service.ts';
import { type Aim, inPairs } from './pairs.ts';
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

/** The options of wrk that make the load on a target. */
type LoadOf = (at: Target) => readonly string[];

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

    say(`serving, ${pairs} pairs of ${seconds} s`);
    const rows: Row[] = [];
    const compare = async (targets: readonly [Target, Target], load: LoadOf, aim: Aim<Measured>) => {
      rows.push(...(await inPairs(pairs, targets, (target) => measure(target, seconds, load), [aim])));
    };
    const few = () => ['-c4'];
    const many = () => ['-c16'];
    const range = () => ['-c16', '-H', RANGE];
    const revalidation = ({ etag }: Target) => ['-c16', '-H', `If-None-Match: ${etag}`];
    const bytes = ({ bytesPerSecond }: Measured) => bytesPerSecond;
    const cpu = ({ cpuPerByte }: Measured) => cpuPerByte;
    const rate = ({ perSecond }: Measured) => perSecond;
    const whole = [large.ours, large.nginx] as const;
    const hot = [small.ours, small.nginx] as const;

    await compare(whole, few, { name: '50 MB, bytes/s ÷ nginx', least: 0.85, figure: bytes });
    await compare(whole, few, { name: '50 MB, CPU/byte ÷ nginx', most: 1.3, figure: cpu });
    await compare(hot, many, { name: '200 KB, requests/s ÷ nginx', least: 0.6, figure: rate });
    await compare([small.ours, small.static], many, {
      name: '200 KB, requests/s ÷ @fastify/static',
      least: 8,
      figure: rate,
    });
    await compare(hot, range, { name: '50 KB of 200 KB by Range ÷ nginx', least: 0.5, figure: rate });
    await compare(hot, revalidation, { name: '304 ÷ nginx', least: 0.5, figure: rate });
    say(`\n${machine()}\n\n${table(rows)}\n`);
    await writeFile(
      resolve('bench/serve.json'),
      `${JSON.stringify({ machine: machine(), rows }, null, 2)}\n`,
    );
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

async function measure(at: Target, seconds: number, load: LoadOf): Promise<Measured> {
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
  const server = await startService(folder, OURS, { PLAYBACK_CACHE_BYTES: String(128 * 1024 * 1024) });
  stops.push(() => server.stop());
  const { token } = server;
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
