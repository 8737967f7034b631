import type { Config } from '../config.ts';

/**
 * What one of the workers may have, so that all together have what the operator said; rounded up, since none can do
 * with nothing. Memory and connections stay as they are: each process needs its own, and nobody deals connections
 * out evenly.
 */
export function shareOf(config: Config): Config {
  const part = (figure: number) => Math.ceil(figure / config.workers);
  const { uploads, load, renditions } = config;
  return {
    ...config,
    databasePoolSize: part(config.databasePoolSize),
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
