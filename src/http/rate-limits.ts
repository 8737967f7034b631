import { performance } from 'node:perf_hooks';
import fastifyRateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { RequestError } from './failure.ts';

/** Counts one more of a key across all processes, and tells how long its window lasts. */
export type CountHit = (
  key: string,
  windowMs: number,
) => Promise<{ readonly hits: number; readonly msLeft: number }>;

/** Requests a minute; 0 = off. */
export interface RateLimits {
  readonly perToken: number;
  readonly perAddress: number;
  /** Where counts are shared; undefined = each process counts for itself. */
  readonly countHit: CountHit | undefined;
  /** Told when shared counts cannot be had and this process counts for itself. */
  readonly onCountLost: (error: unknown) => void;
}

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

const WINDOW = 60_000;
/** Keys counted in memory; beyond it, who was not seen for longest is forgotten. */
const MAX_KEYS = 20_000;
/** How long a request waits for its shared count, ms. */
const COUNT_TIMEOUT = 500;
/** How long nobody asks for shared counts after one did not come, ms. */
const COUNT_PAUSE = 2_000;

/**
 * The two limits on requests, as hooks for onRequest: by address for before a token is checked, so that those
 * with a wrong one count, and by token for after it, so that nobody can spend another's.
 */
export async function createRateLimits(
  app: FastifyInstance,
  limits: RateLimits,
): Promise<{ readonly byAddress: Hook; readonly byToken: Hook }> {
  const { countHit, onCountLost } = limits;
  const store = countHit && sharedStore(countHit, onCountLost);
  await app.register(fastifyRateLimit, { global: false, cache: MAX_KEYS, ...(store && { store }) });

  const limiter = (
    max: number,
    keyOf: ((request: FastifyRequest) => string) | undefined,
    who: string,
  ): Hook => {
    if (max === 0) return () => Promise.resolve();
    const check = app.createRateLimit({ max, timeWindow: WINDOW, ...(keyOf && { keyGenerator: keyOf }) });
    return async (request, reply) => {
      // One that has left has no address any more, whatever the types say, and nobody to read an answer.
      if (keyOf === undefined && (request.ip as string | undefined) === undefined) throw clientGone();
      const verdict = await check(request);
      if (verdict.isAllowed) return;
      reply.headers({
        'x-ratelimit-limit': verdict.max,
        'x-ratelimit-remaining': verdict.remaining,
        'x-ratelimit-reset': verdict.ttlInSeconds,
      });
      if (!verdict.isExceeded) return;
      const message = `Too many requests ${who}; wait as long as the Retry-After header says.`;
      throw new RequestError(429, message, {
        headers: { 'retry-after': String(Math.max(1, verdict.ttlInSeconds)) },
      });
    };
  };
  return {
    // Without a function of our own it is the address, of an IPv6 one its network.
    byAddress: limiter(limits.perAddress, undefined, 'from this address'),
    byToken: limiter(limits.perToken, ({ principal }) => principal.tokenKey, 'with this token'),
  };
}

function clientGone(): RequestError {
  return new RequestError(400, 'The connection was closed before its request was read; send it again.');
}

/** A count as this process last knew it. */
interface Known {
  readonly hits: number;
  /** On the clock of this process, ms. */
  readonly endsAt: number;
}

/**
 * A store for the plugin that counts across processes. When a shared count does not come in time, this process
 * goes on from what it knew: a database that is away must not be what refuses a request here. A key that is known
 * to be over its limit is refused without a question until its window ends.
 */
function sharedStore(countHit: CountHit, onCountLost: (error: unknown) => void) {
  let pausedUntil = 0;

  const sharedCount = async (key: string, windowMs: number): Promise<Known> => {
    const late = Promise.withResolvers<never>();
    const timeout = setTimeout(() => late.reject(new Error('a shared count is late')), COUNT_TIMEOUT);
    try {
      const { hits, msLeft } = await Promise.race([countHit(key, windowMs), late.promise]);
      return { hits, endsAt: performance.now() + msLeft };
    } catch (error) {
      if (pausedUntil < performance.now()) onCountLost(error);
      pausedUntil = performance.now() + COUNT_PAUSE;
      throw error;
    } finally {
      clearTimeout(timeout);
    }
  };

  // The plugin demands a class: it makes one, and of that a child for each limit.
  return class SharedStore implements FastifyRateLimitStore {
    readonly #known = new LRUCache<string, Known>({ max: MAX_KEYS });

    incr(key: string, answer: Parameters<FastifyRateLimitStore['incr']>[1], windowMs: number, max: number) {
      void this.#count(key, windowMs, max).then(({ hits, endsAt }) =>
        answer(null, { current: hits, ttl: Math.max(0, endsAt - performance.now()) }),
      );
    }

    child(): SharedStore {
      return new SharedStore();
    }

    async #count(key: string, windowMs: number, max: number): Promise<Known> {
      const now = performance.now();
      const last = this.#known.get(key);
      const known = last !== undefined && last.endsAt > now ? last : undefined;
      if (known !== undefined && known.hits > max) return known;
      const isPaused = now < pausedUntil;
      const shared = isPaused ? undefined : await sharedCount(key, windowMs).catch(() => undefined);
      const counted = shared ?? { hits: (known?.hits ?? 0) + 1, endsAt: known?.endsAt ?? now + windowMs };
      this.#known.set(key, counted);
      return counted;
    }
  };
}
