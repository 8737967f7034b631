import type { Config } from '../config.ts';
import type { S3Choice } from '../config-blobs.ts';

/**
 * What one of the workers may have, so that all together have what the operator said; rounded up, since none can do
 * with nothing. Memory and connections stay as they are: each process needs its own, and nobody deals connections
 * out evenly.
 */
export function shareOf(config: Config): Config {
  const part = (figure: number) => Math.ceil(figure / config.workers);
  // The largest upload must fit wherever it comes.
  const spoolOf = (spool: S3Choice['spool']) => ({
    ...spool,
    maxBytes: Math.max(part(spool.maxBytes), config.maxUploadBytes),
  });
  const { uploads, load, renditions, blobs } = config;
  return {
    ...config,
    databasePoolSize: part(config.databasePoolSize),
    blobs: blobs.kind === 's3' ? { ...blobs, spool: spoolOf(blobs.spool) } : blobs,
    uploads: {
      ...uploads,
      atOnce: part(uploads.atOnce),
      atOncePerToken: part(uploads.atOncePerToken),
      slowAtOnce: part(uploads.slowAtOnce),
      slowAtOncePerToken: part(uploads.slowAtOncePerToken),
      waiting: part(uploads.waiting),
    },
    load: { ...load, maxDatabaseQueue: part(load.maxDatabaseQueue) },
    renditions: { ...renditions, atOnce: part(renditions.atOnce) },
  };
}
