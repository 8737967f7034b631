import { setTimeout as delay } from 'node:timers/promises';
import { CatalogueError, catalogueErrorFrom } from './catalogue-error.ts';

/** How often a transaction is begun at most. */
const ATTEMPTS = 10;
/** How long after its first beginning it may be begun again, ms: a request is refused within ten seconds. */
const WINDOW = 3_000;
/** The longest pause before the second attempt, ms, doubled each time, and the longest of all. */
const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 320;

/**
 * Runs a whole transaction, and runs it anew while it fails because others stood in its way, a bounded number of times
 * and after pauses of chance length. Only what the server says it took back is begun anew: where the answer to a
 * commit is lost, that is the failure. `onRetry` is called before each attempt but the first.
 *
 * @throws what the last attempt does; CatalogueError `outdated` (or what becomes one) when others always came first
 */
export async function retried<T>(transaction: () => Promise<T>, onRetry: () => void): Promise<T> {
  const until = performance.now() + WINDOW;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transaction();
    } catch (error) {
      if (!isOutdated(error) || attempt === ATTEMPTS || performance.now() > until) throw error;
    }
    // Two that met would meet again if they waited for the same time.
    await delay(Math.random() * Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)));
    onRetry();
  }
}

function isOutdated(error: unknown): boolean {
  const known = catalogueErrorFrom(error);
  return known instanceof CatalogueError && known.code === 'outdated';
}
