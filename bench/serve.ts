import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { noise } from '../test/support/wav.ts';
import { loadSection, type Measured, type Result, type Row, type Section } from './figures.ts';
import { brief, measureReading } from './measure.ts';
import { startService } from './our-service.ts';
import { freeAddress, need, onStage, type Stage, start } from './processes.ts';
import { type Aim, inRounds, type Plan, ratio } from './rounds.ts';
import { LARGE, SMALL } from './upload-run.ts';

const FULL = { rounds: 9, seconds: 3 } as const;
const QUICK = { rounds: 1, seconds: 0.2 } as const;
const RANGE_BYTES = 50_000;

/** Where one of the recordings is served. */
interface Target {
  readonly pid: number;
  readonly url: string;
  readonly etag: string;
}

/** A way of asking for it. */
interface Question {
  readonly title: string;
  readonly connections: number;
  readonly headers: (at: Target) => Readonly<Record<string, string>>;
  /** Of each right answer's body, bytes. */
  readonly length: number;
}

interface Recording {
  readonly name: string;
  readonly bytes: Buffer;
}

const rate = ({ requestsPerSecond }: Measured) => requestsPerSecond;
const cpu = ({ cpuPerGb }: Measured) => cpuPerGb;
const whole = (title: string, connections: number, length: number): Question => ({
  title,
  connections,
  headers: () => ({}),
  length,
});
const RANGE: Question = {
  title: '50 KB of 200 KB by Range',
  connections: 16,
  headers: () => ({ range: `bytes=1000-${999 + RANGE_BYTES}` }),
  length: RANGE_BYTES,
};
const REVALIDATION: Question = {
  title: '304',
  connections: 16,
  headers: ({ etag }) => ({ 'if-none-match': etag }),
  length: 0,
};

/**
 * GET of a small hot and of a large recording, whole, in part and revalidated, against nginx with sendfile and one
 * worker, and @fastify/static.
 */
export async function benchServing({ isQuick }: { readonly isQuick: boolean }): Promise<Result> {
  const { rounds, seconds } = isQuick ? QUICK : FULL;
  const programs = [await need('nginx', '-v', 'nginx-light'), await need('wrk', '-v', 'wrk')];
  return await onStage(async (stage) => {
    const small = { name: 'small.wav', bytes: noise(SMALL, 1) };
    const large = { name: 'large.wav', bytes: noise(LARGE, 1) };
    for (const { name, bytes } of [small, large]) await writeFile(join(stage.folder, name), bytes);
    const nginx = await startNginx(stage);
    const fastifyStatic = await startStatic(stage);
    const ours = await startOurs(stage);
    const hot = {
      ours: await ours(small),
      nginx: await nginx(small),
      '@fastify/static': await fastifyStatic(small),
    };
    const big = { ours: await ours(large), nginx: await nginx(large) };

    const sections: Section[] = [];
    const ratios: Row[] = [];
    const compare = async (
      targets: Readonly<Record<string, Target>>,
      question: Question,
      aims: Readonly<Record<string, readonly Aim<Measured>[]>>,
    ) => {
      const plan = { title: question.title, rounds, warmUp: !isQuick };
      const found = await askInRounds(plan, targets, question, seconds);
      sections.push(loadSection(question.title, found, { withGb: question.length === LARGE }));
      for (const [peer, goals] of Object.entries(aims)) {
        for (const aim of goals) ratios.push(...ratio(found['ours'] ?? [], found[peer], aim));
      }
    };
    await compare(big, whole('50 MB, c=4', 4, LARGE), {
      nginx: [
        { id: 'S1', name: '50 MB, bytes/s ÷ nginx', least: 0.85, figure: rate },
        { id: 'S1', name: '50 MB, CPU/byte ÷ nginx', most: 1.3, figure: cpu },
      ],
    });
    await compare(hot, whole('200 KB, c=16', 16, SMALL), {
      nginx: [{ id: 'S2', name: '200 KB, requests/s ÷ nginx', least: 0.6, figure: rate }],
      '@fastify/static': [{ id: 'S2', name: '200 KB, requests/s ÷ @fastify/static', least: 8, figure: rate }],
    });
    const { ours: mine, nginx: theirs } = hot;
    await compare({ ours: mine, nginx: theirs }, RANGE, {
      nginx: [{ id: 'S2', name: '50 KB of 200 KB by Range ÷ nginx', least: 0.5, figure: rate }],
    });
    await compare({ ours: mine, nginx: theirs }, REVALIDATION, {
      nginx: [{ id: 'S2', name: '304 ÷ nginx', least: 0.5, figure: rate }],
    });
    return { sections, ratios, notes: programs };
  });
}

function askInRounds(
  plan: Plan,
  targets: Readonly<Record<string, Target>>,
  { connections, headers, length }: Question,
  seconds: number,
): Promise<Readonly<Record<string, readonly Measured[]>>> {
  const ask = async (name: string) => {
    const target = targets[name];
    if (target === undefined) throw new Error(`nobody is called ${name}`);
    const { url, pid } = target;
    return await measureReading([pid], { url, connections, seconds, headers: headers(target), length });
  };
  return inRounds(plan, Object.keys(targets), ask, brief);
}

/** Asked for a few times first, so that what is hot is hot; and the bytes are right, whole and in part. */
async function target(pid: number, url: string, bytes: Buffer): Promise<Target> {
  let etag = '';
  for (let i = 0; i < 4; i += 1) {
    const headers: Record<string, string> = i < 3 ? {} : RANGE.headers({ pid, url, etag });
    const answer = await fetch(url, { headers });
    const expected = i < 3 ? bytes : bytes.subarray(1000, 1000 + RANGE_BYTES);
    if (!answer.ok || !expected.equals(Buffer.from(await answer.arrayBuffer()))) {
      throw new Error(`${url} is not served right`);
    }
    etag = answer.headers.get('etag') ?? '';
  }
  // Without a word on caches, fetch adds that it wants no cached answer, which some servers take for a reload.
  const revalidation = { 'if-none-match': etag, 'cache-control': 'max-age=0' };
  const { status } = await fetch(url, { headers: revalidation });
  if (status !== 304) throw new Error(`${url} answered ${status} to its own ETag`);
  return { pid, url, etag };
}

async function startNginx(stage: Stage) {
  const { port, base } = await freeAddress();
  const config = join(stage.folder, 'nginx.conf');
  await writeFile(
    config,
    // Its worker would drop to an account that cannot enter our folder.
    `${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; daemon off; pid ${stage.folder}/nginx.pid; error_log stderr crit;
     events { worker_connections 1024; }
     http { sendfile on; tcp_nopush on; access_log off; keepalive_requests 1000000000;
       types { audio/wav wav; }
       server { listen 127.0.0.1:${port}; root ${stage.folder}; } }`,
  );
  const { pid } = await stage.keep(start(['nginx', '-c', config], base));
  return ({ name, bytes }: Recording) => target(pid, `${base}/${name}`, bytes);
}

async function startStatic(stage: Stage) {
  const { port, base } = await freeAddress();
  const peer = ['bench/peers/fastify-static.ts', stage.folder, String(port)];
  const { pid } = await stage.keep(start([process.execPath, ...peer], base));
  return ({ name, bytes }: Recording) => target(pid, `${base}/${name}`, bytes);
}

/** The built service with its production settings, and a cache that the large file fits into. */
async function startOurs(stage: Stage) {
  const env = { PLAYBACK_CACHE_BYTES: String(128 * 1024 * 1024) };
  const { base, pid, token } = await stage.keep(startService(join(stage.folder, 'ours'), { env }));
  return async ({ name, bytes }: Recording) => {
    const form = new FormData();
    form.set('name', name);
    form.set('message_type', 'prompt');
    form.set('file', new Blob([new Uint8Array(bytes)]), name);
    const answer = await fetch(`${base}/v3/media-prompts`, {
      method: 'POST',
      body: form,
      headers: { authorization: `Bearer ${token}` },
    });
    const { data } = (await answer.json()) as { data: { url: string } };
    return await target(pid, base + data.url, bytes);
  };
}
