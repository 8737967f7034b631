import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Config } from './config.ts';

/** A connection and what it is about: a file that is read or written, or a connection to a bucket. */
const EACH_CONNECTION = 2;
/** Of the process itself: its output, its threads, what it listens on, a look at a folder now and then. */
const OWN = 32;
/** For each recording that is converted: the pipes of the converter, and the files on either side. */
const EACH_CONVERSION = 6;

/**
 * How many connections of clients the service may have: what is configured, unless that leaves no descriptor for all
 * else, and at least one. Told in the log. Where there is none for a connection that has come, libuv asks the system for
 * it again and again (its spare one is lost to whichever thread opens a file meanwhile): the process takes a whole core,
 * and whoever comes waits unanswered until another client goes.
 */
export function affordableConnections(config: Config, log: Logger, limit = descriptorLimit()): number {
  const { maxConnections, databasePoolSize, replica, renditions } = config;
  const taken =
    OWN +
    databasePoolSize * (replica === undefined ? 1 : 2) +
    (renditions.engine === 'off' ? 0 : renditions.atOnce * EACH_CONVERSION);
  const affordable = Math.max(1, Math.floor((limit - taken) / EACH_CONNECTION));
  if (affordable >= maxConnections) return maxConnections;
  log.info(
    { connections: affordable, descriptors: limit },
    'as many connections as there are descriptors for',
  );
  return affordable;
}

/** How many files and connections this process may have open; Infinity where the system does not say, or says "unlimited". */
function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return Number(soft ?? Number.POSITIVE_INFINITY);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
