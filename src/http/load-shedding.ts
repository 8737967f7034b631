import { memoryUsage } from 'node:process';
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import { RequestError } from './failure.ts';

/** What is watched, by the names that `/readyz`, `/metrics` and the log give it. */
export const LOAD_CHECKS = ['event_loop', 'database_pool', 'memory'] as const;
export type LoadCheck = (typeof LOAD_CHECKS)[number];

/** Up to where work is taken on; 0 = that one is not watched. */
export interface LoadBounds {
  /** How late a timer may be, ms. */
  readonly maxEventLoopDelayMs: number;
  /** How many queries may wait for a connection, where they wait long. */
  readonly maxDatabaseQueue: number;
  /** What the process may hold of memory, bytes; audio kept for playing included, the database not. */
  readonly maxRssBytes: number;
}

/** Who waits for a connection to the database, and how long the first has, ms. */
interface Queue {
  readonly length: number;
  readonly waitMs: number;
}

/** Whether more work can be taken on now. */
export interface Load {
  /** The checks that are past their bounds now. */
  overloaded(): readonly LoadCheck[];
  /** How near each watched figure was to its bound when last looked at: from 1 on it is past. */
  ratios(): readonly { readonly check: LoadCheck; readonly ratio: number }[];
  /** Requests refused since the start, by the first check that was past its bound. */
  shed(): readonly { readonly check: LoadCheck; readonly requests: number }[];
  /** A hook for `onRequest`: refuses with 503 while any check is past its bound, before a body is read. */
  refuseWork(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /**
   * May playback ask the database? Up to twice the queue that the API may fill: calls have half of the queue for
   * themselves. Playback is refused for nothing else.
   */
  hasRoomToPlay(): boolean;
  /** @throws RequestError 503, always */
  refusePlayback(): never;
  stop(): void;
}

/** Between two looks, ms: the error in telling how late the event loop is. */
const PAUSE = 100;
/** For how long a figure must have been within its bound before work is taken on again, ms. */
const CALM = 2_000;
/** For how long the first in a full queue must have waited, ms: a crowd that is served quickly is no load. */
const LONG_WAIT = 250;
/**
 * Requests that are taken on at a time while memory is past its bound. What the last rush left is often free, though
 * the allocator does not give it back: so few need no more than that, and who refused them all might do so for ever.
 */
const DOSE = 4;
/** For how long one of them counts at most, ms: an upload over a slow line would keep others out for hours. */
const DOSE_TIME = 10_000;
/** Times the bound of the queue, from which on playback is refused, too. */
const PLAYBACK_SHARE = 2;

/**
 * Watches the process and refuses what it could not do in time, so that what was taken on is finished.
 *
 * The event loop and memory must be past their bounds twice in a row, since once is a garbage collection or a
 * machine that was busy elsewhere; they count as past until they were within for two seconds, so that
 * the answer does not change with each request. Past its bound of memory the process goes on with a few requests at a
 * time, and is overloaded while it has those. The queue is weighed at each request: once it is long and slow, what
 * would make it longer is refused.
 */
export function watchLoad(bounds: LoadBounds, databaseQueue: () => Queue, log: FastifyBaseLogger): Load {
  let lookedAt = performance.now();
  const isQueueFull = (share = 1) => {
    const { length, waitMs } = databaseQueue();
    return bounds.maxDatabaseQueue > 0 && length >= bounds.maxDatabaseQueue * share && waitMs >= LONG_WAIT;
  };
  const gauges = {
    event_loop: createGauge(bounds.maxEventLoopDelayMs, (now) => now - lookedAt - PAUSE),
    database_pool: createGauge(
      bounds.maxDatabaseQueue,
      () => databaseQueue().length,
      () => isQueueFull(),
    ),
    memory: createGauge(bounds.maxRssBytes, createMemoryReader()),
  } as const satisfies Record<LoadCheck, Gauge>;
  const refused = new Map<LoadCheck, number>();

  const look = () => {
    const now = performance.now();
    for (const check of LOAD_CHECKS) {
      const change = gauges[check].look(now);
      if (change === 'past') log.warn({ check }, 'too much load: the API refuses requests');
      if (change === 'within') log.info({ check }, 'less load: the API takes requests again');
    }
    lookedAt = now;
    timer.refresh();
  };
  const timer = setTimeout(look, PAUSE).unref();

  let running = 0;
  const isPast = (check: LoadCheck) => {
    if (check === 'database_pool') return isQueueFull();
    return gauges[check].isPast() && (check !== 'memory' || running >= DOSE);
  };
  const refuse = (check: LoadCheck): never => {
    refused.set(check, (refused.get(check) ?? 0) + 1);
    throw new RequestError(503, 'The service has more to do than it can; try again in a moment.', {
      headers: { 'retry-after': String(CALM / 1000) },
    });
  };

  return {
    overloaded: () => LOAD_CHECKS.filter(isPast),
    ratios: () =>
      LOAD_CHECKS.flatMap((check) => {
        const ratio = gauges[check].ratio();
        return ratio === undefined ? [] : [{ check, ratio }];
      }),
    shed: () => [...refused].map(([check, requests]) => ({ check, requests })),
    async refuseWork(_request, reply) {
      const check = LOAD_CHECKS.find(isPast);
      if (check !== undefined) refuse(check);
      running += 1;
      const end = () => {
        clearTimeout(patience);
        reply.raw.off('close', end);
        running -= 1;
      };
      const patience = setTimeout(end, DOSE_TIME).unref();
      reply.raw.once('close', end);
    },
    hasRoomToPlay: () => !isQueueFull(PLAYBACK_SHARE),
    refusePlayback: () => refuse('database_pool'),
    stop: () => clearTimeout(timer),
  };
}

/** Looking takes a descriptor; where none is left, what was seen last counts. */
function createMemoryReader(): () => number {
  let last = 0;
  return () => {
    try {
      last = memoryUsage.rss();
    } catch {
      // EMFILE, which is no reason to end the process.
    }
    return last;
  };
}

interface Gauge {
  /** Takes the figure, and tells whether that changed on which side of its bound it counts. */
  look(now: number): 'past' | 'within' | undefined;
  isPast(): boolean;
  /** Undefined where there is no bound. */
  ratio(): number | undefined;
}

function createGauge(
  bound: number,
  read: (now: number) => number,
  isTooMuch: (figure: number) => boolean = (figure) => figure >= bound,
): Gauge {
  let figure = 0;
  let wasPast = false;
  let lastPast = Number.NEGATIVE_INFINITY;
  let counts = false;
  return {
    look(now) {
      figure = read(now);
      const isPast = bound > 0 && isTooMuch(figure);
      if (isPast) lastPast = now;
      const counted = counts;
      if (isPast && wasPast) counts = true;
      else if (now - lastPast >= CALM) counts = false;
      wasPast = isPast;
      if (counts === counted) return undefined;
      return counts ? 'past' : 'within';
    },
    isPast: () => counts,
    ratio: () => (bound > 0 ? Math.max(0, figure) / bound : undefined),
  };
}
