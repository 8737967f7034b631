import { parentPort } from 'node:worker_threads';
import { inspectContent } from './content.ts';
import type { Inspection } from './facts.ts';

/** The answer to one path. A `fault` is the disk's, not the file's. */
export type WorkerAnswer =
  | { readonly inspection: Inspection }
  | { readonly fault: { readonly message: string; readonly code: string | undefined } };

/** What a worker says: once that it has started, then one answer to each path. */
export type WorkerMessage = 'ready' | WorkerAnswer;

async function answer(path: string): Promise<WorkerAnswer> {
  try {
    return { inspection: await inspectContent(path) };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { fault: { message, code } };
  }
}

function say(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

parentPort?.on('message', (path: string) => {
  void answer(path).then(say);
});
say('ready');
