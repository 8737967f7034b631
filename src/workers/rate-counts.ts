import { LRUCache } from 'lru-cache';
import type { CountHit } from '../http/rate-limits.ts';
import type { Hit, Questions } from './messages.ts';

type Counts = Questions['count']['answer'];

/** Keys counted, of both limits; beyond it, who was not seen for longest is forgotten. */
const MAX_KEYS = 40_000;

/** Counts requests for all workers, in the memory of the primary. A window begins with its first request. */
export function createRateCounts(): (hits: readonly Hit[]) => Counts {
  const windows = new LRUCache<string, { hits: number; readonly endsAt: number }>({ max: MAX_KEYS });
  const count = ({ key, windowMs }: Hit, now: number) => {
    const known = windows.get(key);
    const window = known !== undefined && known.endsAt > now ? known : { hits: 0, endsAt: now + windowMs };
    window.hits += 1;
    if (window !== known) windows.set(key, window);
    return { hits: window.hits, msLeft: window.endsAt - now };
  };
  return (hits) => {
    const now = performance.now();
    return hits.map((hit) => count(hit, now));
  };
}

/**
 * Counts by asking the primary. What comes within one turn of the event loop is asked at once: the busier a worker
 * is, the less a count costs.
 */
export function askForCounts(ask: (hits: readonly Hit[]) => Promise<Counts>): CountHit {
  let batch: { readonly hits: Hit[]; readonly counts: Promise<Counts> } | undefined;

  function open(): { readonly hits: Hit[]; readonly counts: Promise<Counts> } {
    const hits: Hit[] = [];
    const turn = Promise.withResolvers<void>();
    setImmediate(() => {
      batch = undefined;
      turn.resolve();
    });
    return { hits, counts: turn.promise.then(() => ask(hits)) };
  }

  return async (key, windowMs) => {
    batch ??= open();
    const place = batch.hits.push({ key, windowMs }) - 1;
    const count = (await batch.counts)[place];
    if (count === undefined) throw new Error('the primary left a count out');
    return count;
  };
}
