import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Notes } from './messages.ts';
import { PACE, type Pace, watch } from './watch.ts';
import { WorkerError } from './worker-error.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Workers that are kept running. */
export interface Pool {
  /**
   * Starts all and resolves when each listens, with where that is. Stays open when the pool is closed first.
   *
   * @throws WorkerError when one cannot start
   */
  start(): Promise<Notes['listening']>;
  /** Rejects with a WorkerError when, later on, a worker ends again and again before it listens. */
  readonly broken: Promise<never>;
  /** All who live but the one of this number. */
  others(number: number): readonly WorkerProcess[];
  /** Has all end with grace, and kills who has not ended some seconds after it. Idempotent, never rejects. */
  close(graceMs: number): Promise<void>;
}

/** What a pool is made of, and who hears of its workers. */
export interface PoolOptions {
  readonly size: number;
  readonly fork: (number: number) => WorkerProcess;
  readonly onListening: (worker: WorkerProcess, at: Notes['listening']) => void;
  /** Of those who listened. */
  readonly onEnded: (worker: WorkerProcess) => void;
  readonly log: Pick<Logger, 'error'>;
  /** When one that does not answer is killed; `PACE` without a word. */
  readonly pace?: Pace | undefined;
}

/** In a row; with the pauses between them some ten seconds. */
const MOST_FAILED_STARTS = 8;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5_000;
/** Who has listened for so long ended for a new reason, ms. */
const CALM = 30_000;
/** Beyond the grace, for a worker that was told to end, ms. Of the five seconds promised it leaves two for the database. */
const STOP_MARGIN = 3_000;

type OnFirst = (at: Notes['listening']) => void;

/** Keeps `size` workers running: one that ends is replaced, at once the first time and with growing pauses then. */
export function createPool({ size, fork, onListening, onEnded, log, pace = PACE }: PoolOptions): Pool {
  const alive = new Set<WorkerProcess>();
  const stopping = new AbortController();
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  let isReady = false;
  let closed: Promise<void> | undefined;

  async function runOnce(number: number, onFirst: OnFirst): Promise<Life> {
    const worker = fork(number);
    alive.add(worker);
    let silence: string | undefined;
    const unwatch = watch(
      () => worker.talk.ask('alive', null),
      pace,
      () => {
        silence = SAYS_NOTHING;
        log.error({ worker: number }, 'a worker does not answer any more and is killed');
        worker.kill();
      },
    );
    void worker.ended.then(() => {
      unwatch();
      alive.delete(worker);
    });
    const start = await worker.started;
    if (start.kind !== 'listening') {
      const end = await worker.ended;
      return { end, reason: start.kind === 'failed' ? start.reason : silence };
    }
    const since = performance.now();
    onListening(worker, start.at);
    onFirst(start.at);
    const end = await worker.ended;
    onEnded(worker);
    return { end, listenedMs: performance.now() - since };
  }

  async function keep(number: number, onFirst: OnFirst): Promise<void> {
    const patience = createPatience();
    while (!stopping.signal.aborted) {
      const life = await runOnce(number, onFirst);
      if (stopping.signal.aborted) return;
      // At the first start a reason is one for the operator; later on it may pass.
      const isHopeless = !isReady && life.reason !== undefined;
      const pause = isHopeless ? undefined : patience.pauseAfter(life);
      if (pause === undefined) throw new WorkerError(life.reason ?? diesAtStart(life));
      log.error({ worker: number, end: life.end, reason: life.reason }, 'a worker ended and is replaced');
      await delay(pause, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  async function shutDown(graceMs: number): Promise<void> {
    stopping.abort();
    for (const worker of alive) worker.talk.tell('stop', { graceMs });
    const cutOff = setTimeout(() => {
      for (const worker of alive) worker.kill();
    }, graceMs + STOP_MARGIN);
    await Promise.all([...alive].map(({ ended }) => ended));
    clearTimeout(cutOff);
  }

  return {
    broken: broken.promise,
    async start() {
      const firsts = Array.from({ length: size }, (_, index) => {
        const { promise, resolve } = Promise.withResolvers<Notes['listening']>();
        keep(index + 1, resolve).catch(broken.reject);
        return promise;
      });
      await Promise.race([Promise.all(firsts), broken.promise]);
      isReady = true;
      // All have the same.
      return await Promise.race(firsts);
    },
    others: (number) => [...alive].filter((worker) => worker.number !== number),
    close(graceMs) {
      closed ??= shutDown(graceMs);
      return closed;
    },
  };
}

/** From its start to its end. */
interface Life {
  /** Its exit code, or the signal that ended it. */
  readonly end: string;
  /** Undefined when it never listened. */
  readonly listenedMs?: number;
  /** What kept it from listening, if it said so. */
  readonly reason?: string | undefined;
}

/** How long the next start waits after a life, ms; undefined when there shall be none. */
function createPatience(): { pauseAfter(life: Life): number | undefined } {
  let failedStarts = 0;
  let next = 0;
  return {
    pauseAfter({ listenedMs }) {
      failedStarts = listenedMs === undefined ? failedStarts + 1 : 0;
      if (failedStarts >= MOST_FAILED_STARTS) return undefined;
      if (listenedMs !== undefined && listenedMs > CALM) next = 0;
      const pause = next;
      next = Math.min(LONGEST_PAUSE, Math.max(FIRST_PAUSE, next * 2));
      return pause;
    },
  };
}

const SAYS_NOTHING =
  'A worker that was started did not answer; look for what halts processes on this machine.';

const diesAtStart = ({ end }: Life) =>
  `A worker ended (${end}) again and again before it listened; the log may tell why.`;
