import process from 'node:process';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { TestProject } from 'vitest/node';
import { type ObjectStore, startCeph } from './ceph.ts';
import { startSwift } from './swift.ts';

/** Where tests find a bucket. */
export interface TestBucket {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    testBucket: TestBucket;
  }
}

/**
 * One real object store for the whole run: that of TEST_S3_ENDPOINT, with the credentials in AWS_ACCESS_KEY_ID and
 * AWS_SECRET_ACCESS_KEY, or one that is started, TEST_S3_ENGINE `ceph` or `swift`. Tests share a bucket, each below a prefix of
 * its own.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const store = await startStore(process.env);
  const { endpoint, accessKeyId, secretAccessKey } = store;
  const region = process.env['TEST_S3_REGION'] ?? 'us-east-1';
  const bucket = process.env['TEST_S3_BUCKET'] ?? 'media-prompts-test';
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket })).catch((error: Error) => {
      if (!/^Bucket(AlreadyOwnedByYou|AlreadyExists)$/.test(error.name)) throw error;
    });
  } catch (error) {
    await store.stop();
    throw error;
  } finally {
    client.destroy();
  }
  project.provide('testBucket', { endpoint, region, bucket, accessKeyId, secretAccessKey });
  return () => store.stop();
}

async function startStore(env: NodeJS.ProcessEnv): Promise<ObjectStore> {
  const endpoint = env['TEST_S3_ENDPOINT'];
  if (endpoint === undefined)
    return env['TEST_S3_ENGINE'] === 'swift' ? await startSwift() : await startCeph();
  return {
    endpoint,
    accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
    stop: () => Promise.resolve(),
  };
}
