import { expect, test } from 'vitest';
import { configFrom } from '../../src/config.ts';
import { shareOf } from '../../src/workers/shares.ts';

const config = configFrom({
  WORKERS: '3',
  DATABASE_POOL_SIZE: '10',
  UPLOADS_AT_ONCE: '16',
  UPLOADS_AT_ONCE_PER_TOKEN: '2',
  SLOW_UPLOADS_AT_ONCE: '0',
  SLOW_UPLOADS_AT_ONCE_PER_TOKEN: '64',
  MAX_WAITING_UPLOADS: '1000',
  MAX_DATABASE_QUEUE: '200',
  RENDITIONS_AT_ONCE: '4',
});

test('what can be dealt out is, rounded up, and 0 stays off', () => {
  const { databasePoolSize, uploads, load, renditions } = shareOf(config);
  expect({ databasePoolSize, uploads, load, renditions }).toEqual({
    databasePoolSize: 4,
    uploads: {
      ...config.uploads,
      atOnce: 6,
      atOncePerToken: 1,
      slowAtOnce: 0,
      slowAtOncePerToken: 22,
      waiting: 334,
    },
    load: { ...config.load, maxDatabaseQueue: 67 },
    renditions: { ...config.renditions, atOnce: 2 },
  });
});

test('everything else is the same for each worker', () => {
  const { databasePoolSize, uploads, load, renditions, ...rest } = config;
  expect(shareOf(config)).toMatchObject(rest);
  expect(shareOf(config).load.maxRssBytes).toBe(load.maxRssBytes);
  expect([databasePoolSize, uploads.waitMs]).toEqual([10, shareOf(config).uploads.waitMs]);
});

test('the spool for a bucket is dealt out, as long as the largest upload fits into each part', () => {
  const env = { WORKERS: '4', BLOB_STORE: 's3', S3_BUCKET: 'prompts', MAX_UPLOAD_BYTES: '1000' };
  const spoolOf = (bytes: string) =>
    shareOf(configFrom({ ...env, S3_SPOOL_BYTES: bytes })).blobs as {
      readonly spool: { readonly maxBytes: number };
    };
  expect(spoolOf('8001').spool.maxBytes).toBe(2001);
  expect(spoolOf('2000').spool.maxBytes).toBe(1000);
});
