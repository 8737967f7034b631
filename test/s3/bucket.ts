import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { inject, onTestFinished } from 'vitest';
import { createS3BlobStore, type S3Options } from '../../src/blobs/s3-blob-store.ts';
import { startService, type TestService } from '../support/service.ts';

const { endpoint, region, bucket, accessKeyId, secretAccessKey } = inject('testBucket');

/** Where the SDK looks for them. */
export const CREDENTIALS = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
Object.assign(process.env, CREDENTIALS);

/** A client of the test's own, to look behind the service. */
export const client = new S3Client({
  endpoint,
  region,
  forcePathStyle: true,
  requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED',
  credentials: { accessKeyId, secretAccessKey },
});

export { bucket, endpoint };

/** A place in the bucket that nobody else uses; it is emptied when the test ends. */
export function newPrefix(): string {
  const prefix = `test-${randomUUID()}/`;
  onTestFinished(async () => {
    for (const key of Object.keys(await objectsBelow(prefix))) {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: prefix + key }));
    }
  });
  return prefix;
}

/** What lies below a prefix: sizes by key, without the prefix. */
export async function objectsBelow(prefix: string): Promise<Readonly<Record<string, number>>> {
  const found: Record<string, number> = {};
  let token: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
    );
    for (const { Key = '', Size = 0 } of page.Contents ?? []) found[Key.slice(prefix.length)] = Size;
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return found;
}

/** The keys of the audio below a prefix, without the folder that all lie in. */
export async function audioBelow(prefix: string): Promise<readonly string[]> {
  const folder = 'call-flow-recordings/';
  return Object.keys(await objectsBelow(prefix))
    .filter((key) => key.startsWith(folder))
    .map((key) => key.slice(folder.length))
    .sort();
}

export async function putObject(key: string, content: string | Buffer): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.from(content) }));
}

export async function objectAt(key: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-s3-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A store below a prefix and a spool of its own. */
export async function createStore(options: Partial<S3Options> & { readonly maxSpool?: number } = {}) {
  const { maxSpool = 64 * 1024 * 1024, ...given } = options;
  const prefix = given.prefix ?? newPrefix();
  const spool = given.spool?.directory ?? join(await newFolder(), 'spool');
  const store = await createS3BlobStore({
    bucket,
    endpoint,
    region,
    prefix,
    sendingMs: 30_000,
    givesLinks: false,
    ...given,
    spool: { directory: spool, maxBytes: maxSpool },
  });
  return { store, prefix, spool };
}

export type ServiceOnS3 = TestService & { readonly prefix: string };

/** What a service needs to keep its audio below a prefix. */
export const settingsFor = (prefix: string): Readonly<Record<string, string>> => ({
  BLOB_STORE: 's3',
  S3_BUCKET: bucket,
  S3_ENDPOINT: endpoint,
  S3_REGION: region,
  S3_PREFIX: prefix,
});

/** A running service that keeps its audio in the bucket; it ends with the test. */
export async function startOnS3(
  env: Readonly<Record<string, string>> = {},
  overrides: Parameters<typeof startService>[1] = {},
): Promise<ServiceOnS3> {
  const prefix = env['S3_PREFIX'] ?? newPrefix();
  const service = await startService({ ...settingsFor(prefix), ...env }, overrides);
  onTestFinished(() => service.close());
  return { ...service, prefix };
}

/** What lies in the spool of a service. */
export async function spooled({ dataDir }: TestService): Promise<readonly string[]> {
  const entries = await readdir(join(dataDir, 'spool'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
