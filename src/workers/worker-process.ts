import { execFile } from 'node:child_process';
import cluster, { type Worker } from 'node:cluster';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
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
const MAIN = new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './worker-main.js', import.meta.url);

/** Runs a program that the kernel ends with the process that started it. Of util-linux, so of Linux alone. */
const SETPRIV = ['setpriv', '--pdeathsig', 'KILL', '--'] as const;

/** Starts a process that runs `main.ts`. */
export type Fork = () => Worker;

/**
 * To be called once, before the first worker is started. All workers accept from one socket by themselves: nothing
 * passes through the primary, and what waits there when a worker ends is taken by the others. `endsWithUs` tells
 * whether a worker ends with the primary even when it hangs.
 */
export async function prepareCluster(): Promise<{ readonly fork: Fork; readonly endsWithUs: boolean }> {
  const [program, ...args] = SETPRIV;
  const endsWithUs = await promisify(execFile)(program, [...args, 'true']).then(
    () => true,
    () => false,
  );
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({
    exec: fileURLToPath(MAIN),
    args: [],
    // The other way to write messages, JSON, has no NaN, of which figures make use.
    serialization: 'advanced',
    ...(endsWithUs && { execArgv: [...args, process.execPath, ...process.execArgv] }),
  });
  return { fork: endsWithUs ? () => forkThrough(program) : () => cluster.fork(), endsWithUs };
}

/** A cluster always starts what `process.execPath` names, and has no setting for it. */
function forkThrough(program: string): Worker {
  const { execPath } = process;
  process.execPath = program;
  try {
    return cluster.fork();
  } finally {
    process.execPath = execPath;
  }
}

/** What a worker is started from. */
export interface WorkerStart {
  readonly fork: Fork;
  readonly number: number;
  /** Asked when the worker can hear it. */
  readonly setup: () => WorkerSetup;
  readonly questions: Hearing['questions'];
}

/** Starts a worker, which is told its setup as soon as it can hear it. */
export function startWorker({ fork, number, setup, questions }: WorkerStart): WorkerProcess {
  const worker = fork();
  const ended = endOf(worker);
  const { promise: started, resolve: settle } = Promise.withResolvers<Start>();
  void ended.then((end) => settle({ kind: 'ended', end }));
  const talk = createTalk((message) => sendTo(worker, message), {
    notes: {
      loaded: () => talk.tell('start', setup()),
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
    number,
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
