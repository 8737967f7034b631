import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { CEPH, startCeph } from '../test/support/ceph.ts';
import { noise } from '../test/support/wav.ts';
import { loadSection, type Measured, type Result, type Row, type Section, say } from './figures.ts';
import { brief, measureReading, measureUploads } from './measure.ts';
import { type OurService, startService } from './our-service.ts';
import { MissingProgramError, onStage, type Stage, versionOf } from './processes.ts';
import { inRounds, type Plan, ratio } from './rounds.ts';
import { LARGE, SMALL } from './upload-run.ts';
import { type UploadTarget, uploadsTo } from './upload-targets.ts';

/** Few large ones: the store keeps all in memory, and what is deleted for a while longer. */
const FULL = { rounds: 5, seconds: 3, uploads: [300, 4] } as const;
const QUICK = { rounds: 1, seconds: 0.2, uploads: [4, 1] } as const;
const BUCKET = 'bench';
const READERS = 16;

const rate = ({ requestsPerSecond }: Measured) => requestsPerSecond;
const cpu = ({ cpuPerRequest }: Measured) => cpuPerRequest;

/** A bucket instead of a folder, and two processes instead of one that serve what is hot. */
export async function benchStores({ isQuick }: { readonly isQuick: boolean }): Promise<Result> {
  const ceph = await versionOf(['radosgw', '--version']);
  if (ceph === undefined) throw new MissingProgramError(`radosgw is not installed: ${CEPH}`);
  const { rounds, seconds, uploads } = isQuick ? QUICK : FULL;
  return await onStage(async (stage) => {
    say('store: starting a Ceph and services');
    const inBucket = await startBucket(stage);
    const start = (name: string, env: Readonly<Record<string, string>>) =>
      stage.keep(startService(join(stage.folder, name), { env }));
    const services = { folder: await start('folder', {}), bucket: await start('bucket', inBucket) };
    const cold = { PLAYBACK_CACHE_BYTES: '0' };
    const uncached = {
      folder: await start('folder-cold', cold),
      bucket: await start('bucket-cold', { ...inBucket, ...cold, S3_PREFIX: 'cold/' }),
    };
    const workers = {
      'one process': await start('one', { WORKERS: '1' }),
      'two processes': await start('two', { WORKERS: '2' }),
    };
    const sections: Section[] = [];
    const ratios: Row[] = [];
    const plan = (title: string): Plan => ({ title, rounds, warmUp: !isQuick });
    const tell = (title: string, found: Readonly<Record<string, readonly Measured[]>>) => {
      sections.push(loadSection(title, found, { withGb: false }));
      const [[first, base] = ['', []], [second, other] = ['', []]] = Object.entries(found);
      ratios.push(
        ...ratio(other, base, { name: `${title}: requests/s, ${second} ÷ ${first}`, figure: rate }),
        ...ratio(other, base, { name: `${title}: CPU of the service, ${second} ÷ ${first}`, figure: cpu }),
      );
    };

    const targets = { folder: uploadsTo(services.folder), bucket: uploadsTo(services.bucket) };
    for (const [size, connections, count, words] of [
      [SMALL, 8, uploads[0], 'uploads of 200 KB, c=8'],
      [LARGE, 1, uploads[1], 'uploads of 50 MB, c=1'],
    ] as const) {
      const file = join(stage.folder, `${size}.wav`);
      await writeFile(file, noise(size, 1));
      const found = await inRounds(
        plan(words),
        ['folder', 'bucket'] as const,
        (name) => upload(targets[name], { file, size, connections, count }),
        brief,
      );
      tell(words, found);
    }

    const small = await readFile(join(stage.folder, `${SMALL}.wav`));
    for (const [words, served] of [
      ['GET of 200 KB from memory, c=16', services],
      ['GET of 200 KB from the store, c=16', uncached],
      ['GET of 200 KB from memory, c=16, processes', workers],
    ] as const) {
      tell(words, await readInRounds(plan(words), served, small, seconds));
    }
    return { sections, ratios, notes: [ceph] };
  });
}

/** A Ceph with an empty bucket, as the service is told of it. */
async function startBucket(stage: Stage): Promise<Readonly<Record<string, string>>> {
  const { endpoint, accessKeyId, secretAccessKey, stop } = await startCeph();
  await stage.keep(Promise.resolve({ stop }));
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
  return {
    BLOB_STORE: 's3',
    S3_BUCKET: BUCKET,
    S3_ENDPOINT: endpoint,
    S3_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
}

async function upload(
  target: UploadTarget,
  work: Pick<Parameters<typeof measureUploads>[1], 'file' | 'size' | 'connections' | 'count'>,
): Promise<Measured> {
  const { measured, report } = await measureUploads(target.roots, { ...target.load, ...work });
  await target.clear(report);
  return measured;
}

/** The same recording through each service, asked for often enough first that what can be hot is hot. */
async function readInRounds(
  plan: Plan,
  services: Readonly<Record<string, OurService>>,
  bytes: Buffer,
  seconds: number,
): Promise<Readonly<Record<string, readonly Measured[]>>> {
  const targets: Record<string, { readonly pid: number; readonly url: string }> = {};
  for (const [name, service] of Object.entries(services)) {
    targets[name] = { pid: service.pid, url: await playable(service, bytes) };
  }
  const read = async (name: string) => {
    const target = targets[name];
    if (target === undefined) throw new Error(`nobody is called ${name}`);
    const { pid, url } = target;
    return await measureReading([pid], { url, connections: READERS, seconds, length: bytes.byteLength });
  };
  return await inRounds(plan, Object.keys(targets), read, brief);
}

async function playable({ base, token }: OurService, bytes: Buffer): Promise<string> {
  const form = new FormData();
  form.set('name', `played ${Date.now()}`);
  form.set('message_type', 'prompt');
  form.set('file', new Blob([new Uint8Array(bytes)]), 'played.wav');
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${base}/v3/media-prompts`, { method: 'POST', body: form, headers });
  const { data } = (await answer.json()) as { data: { url: string } };
  for (let times = 0; times < 20; times += 1) {
    const played = await fetch(base + data.url);
    if (!bytes.equals(Buffer.from(await played.arrayBuffer())))
      throw new Error(`${data.url} is not served right`);
  }
  return base + data.url;
}
