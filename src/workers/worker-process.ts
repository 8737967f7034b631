import cluster, { type Worker } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { Figures } from '../http/metrics.ts';
import type { Notes, WorkerSetup } from './messages.ts';
import { createTalk, type Hearing, type Talk } from './talk.ts';

/** What became of a start. */
export type Start =
  | { readonly kind: 'listening'; readonly at: Notes['listening'] }
  /** It said why; in the operator's terms. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** It ended without a word: its exit code, or the signal that ended it. */
  | { readonly kind: 'ended'; readonly end: string };

/** A worker that was started; `talk` is lost on one that has ended. */
export interface WorkerProcess {
  readonly number: number;
  readonly talk: Talk;
  /** Rejects when it does not answer in time. */
  figures(): Promise<Figures>;
  /** Never rejects. */
  readonly started: Promise<Start>;
  /** Its exit code, or the signal that ended it. Never rejects. */
  readonly ended: Promise<string>;
  kill(): void;
}

/** Run from `dist` the sibling is JavaScript; a compiler rewrites imports but no URLs. */
const MAIN = new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url);

/**
 * To be called before the first worker is started. All workers accept from one socket by themselves: nothing passes
 * through the primary, and what waits there when a worker ends is taken by the others.
 */
export function prepareCluster(): void {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  // The other way to write messages, JSON, has no NaN, of which figures make use.
  cluster.setupPrimary({ exec: fileURLToPath(MAIN), args: [], serialization: 'advanced' });
}

/** Starts a worker, which is told its setup as soon as it can hear it. */
export function startWorker(setup: WorkerSetup, questions: Hearing['questions']): WorkerProcess {
  const worker = cluster.fork();
  const ended = endOf(worker);
  const { promise: started, resolve: settle } = Promise.withResolvers<Start>();
  void ended.then((end) => settle({ kind: 'ended', end }));
  const talk = createTalk((message) => sendTo(worker, message), {
    notes: {
      loaded: () => talk.tell('start', setup),
      listening: (at) => settle({ kind: 'listening', at }),
      failed({ reason }) {
        settle({ kind: 'failed', reason });
        talk.tell('stop', { graceMs: 0 });
      },
    },
    questions,
  });
  worker.on('message', (message: unknown) => talk.hear(message));
  return {
    number: setup.number,
    talk,
    started,
    ended,
    figures: () => talk.ask('figures', null),
    kill: () => void worker.process.kill('SIGKILL'),
  };
}

/** What cannot be said to one that is gone need not be said. */
function sendTo(worker: Worker, message: unknown): void {
  if (worker.isConnected()) worker.process.send(message as object, undefined, undefined, () => undefined);
}

function endOf(worker: Worker): Promise<string> {
  return new Promise((resolve) => {
    worker.once('exit', (code: number | null, signal: string | null) => resolve(String(signal ?? code)));
    // Also what concerns the channel alone; then an exit follows.
    worker.on('error', (error) => {
      if (worker.process.pid === undefined) resolve(error.message);
    });
  });
}
