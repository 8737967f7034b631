import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../catalogue/database.ts';
import { countJobs, queueMissing } from '../catalogue/rendition-jobs.ts';
import { PRIORITIES } from '../catalogue/rendition-priorities.ts';
import { RECIPE } from './recipe.ts';

/** Recordings looked at in one statement. */
const BATCH = 500;
/** Jobs of this kind that are queued at a time: the queue does not grow with the library. */
const MOST_QUEUED = 1_000;
/** Between two looks at a queue that is full, and between two walks, ms. */
const PAUSE = 1_000;
const PAUSE_BETWEEN_WALKS = 3_600_000;
/** After a walk that failed, ms. */
const PAUSE_AFTER_FAULT = 15_000;

/**
 * Walks all recordings and queues, behind everything else, those that lack renditions: from before there was a
 * converter, or from before a kind was added. Begins at once and again each hour, until stopped; any number of processes may do
 * the same. One walk that fails is told of, and the next one comes all the same.
 */
export function fillInRenditions(
  db: Database,
  { onQueued, onFault }: { readonly onQueued: () => void; readonly onFault: (error: unknown) => void },
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const pause = (ms: number) => delay(ms, undefined, { signal, ref: false }).catch(() => undefined);

  async function walk(): Promise<void> {
    for (let after = 0; !signal.aborted; ) {
      if ((await countJobs(db, PRIORITIES.filling, MOST_QUEUED)) >= MOST_QUEUED) {
        await pause(PAUSE);
        continue;
      }
      const found = await queueMissing(db, { after, limit: BATCH, recipe: RECIPE });
      if (found === undefined) return;
      if (found.queued > 0) onQueued();
      after = found.last;
    }
  }

  const walking = (async () => {
    while (!signal.aborted) {
      const isDone = await walk().then(
        () => true,
        (error: unknown) => {
          onFault(error);
          return false;
        },
      );
      await pause(isDone ? PAUSE_BETWEEN_WALKS : PAUSE_AFTER_FAULT);
    }
  })();

  return {
    async stop() {
      stopping.abort();
      await walking;
    },
  };
}
