import { Worker } from 'node:worker_threads';
import type { Inspection } from './facts.ts';
import { unreadable } from './refusal.ts';
import type { WorkerMessage } from './worker.ts';

export interface Bounds {
  /** Milliseconds that one file may take. */
  readonly deadlineMs: number;
  /** MiB of heap that one worker may take. */
  readonly memoryMb: number;
}

export interface CrewMember {
  /** Rejects only for what is not the file's fault. One call at a time. */
  inspect(path: string): Promise<Inspection>;
  /** False once the worker ended or is about to; then it takes no further file. */
  isAlive(): boolean;
  dismiss(): Promise<void>;
}

interface Job {
  readonly path: string;
  readonly resolve: (inspection: Inspection) => void;
  readonly reject: (error: Error) => void;
}

const YOUNG_GENERATION_MB = 16;
/** Run from `dist` the sibling is JavaScript; a compiler rewrites imports but no URLs. */
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './inspection-worker.js',
  import.meta.url,
);

/**
 * Starts one worker thread that inspects file after file. A file that takes it longer than the deadline, or
 * more memory than it may have, or that crashes it, is unreadable, and the worker is ended.
 *
 * Without a file in hand the thread does not keep the process alive.
 */
export function hireCrewMember({ deadlineMs, memoryMb }: Bounds): CrewMember {
  const worker = new Worker(WORKER_URL, {
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  let job: Job | null = null;
  let isReady = false;
  let isAlive = true;
  let deadline: NodeJS.Timeout | undefined;
  worker.unref();

  function send(sent: Job): void {
    worker.postMessage(sent.path);
    deadline = setTimeout(() => {
      // When this thread was the late one, the answer waits in its queue and comes before this.
      setImmediate(() => {
        if (job === sent) end(unreadable('The file took too long to read').message);
      });
    }, deadlineMs);
  }

  function takeJob(): Job | null {
    const taken = job;
    clearTimeout(deadline);
    job = null;
    worker.unref();
    return taken;
  }

  function end(why: string): void {
    if (job === null) return;
    isAlive = false;
    void worker.terminate();
    takeJob()?.resolve({ fit: false, reason: 'unreadable', why });
  }

  function lost(error: Error): void {
    isAlive = false;
    if (isReady) end(unreadable('The file cannot be read').message);
    else takeJob()?.reject(error);
  }

  worker.on('message', (message: WorkerMessage) => {
    if (message === 'ready') {
      isReady = true;
      if (job !== null) send(job);
    } else if ('inspection' in message) {
      takeJob()?.resolve(message.inspection);
    } else {
      const { message: text, code } = message.fault;
      takeJob()?.reject(Object.assign(new Error(text), { code }));
    }
  });
  worker.on('error', lost);
  worker.on('exit', () => lost(new Error('the worker that inspects audio did not start')));

  return {
    inspect: (path) =>
      new Promise<Inspection>((resolve, reject) => {
        job = { path, resolve, reject };
        worker.ref();
        if (isReady) send(job);
      }),
    isAlive: () => isAlive,
    async dismiss(): Promise<void> {
      isAlive = false;
      takeJob()?.reject(new Error('the inspector is closed'));
      await worker.terminate();
    },
  };
}
