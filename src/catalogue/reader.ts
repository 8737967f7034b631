import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { heardOrOutdated } from '../outdated.ts';
import { CatalogueError } from './catalogue-error.ts';
import type { Database } from './database.ts';

/** `used`: it is read. `behind`: it lacks what is older than it may. `away`: it does not answer, or is no replica. */
export type ReplicaState = 'used' | 'behind' | 'away';

/** What became of a replica, and of the reads since the start. */
export interface ReplicaFigures {
  readonly state: ReplicaState;
  /** It has all that was committed until so long ago, ms; infinite before that is known. */
  readonly lagMs: number;
  /** Reads by where their answer came from. */
  readonly fromReplica: number;
  readonly fromPrimary: number;
}

/** Chooses where somebody reads, so that a replica can take what need not be asked of the primary. */
export interface Reader {
  /**
   * Asks the replica where it has all that this writer wrote and is not behind; else, and where the replica fails or
   * finds nothing, the primary. So nobody misses what they wrote themselves, nor hears that something is not there while
   * it is. Without a writer, what anybody wrote may come late.
   */
  read<T>(
    writer: string | undefined,
    ask: (from: Database) => Promise<T | undefined>,
  ): Promise<T | undefined>;
  /**
   * To be called after a write of this writer, whatever came of it, and before its answer. Resolves when all who share
   * this know of it. Never rejects.
   */
  wrote(writer: string): Promise<void>;
  /** To be called when one of those who share this was called so. */
  heard(writer: string): void;
  /** Undefined where there is no replica. */
  figures(): ReplicaFigures | undefined;
  close(): Promise<void>;
}

/** For where there is no replica. */
export const readPrimary = (primary: Database): Reader => ({
  read: (_writer, ask) => ask(primary),
  wrote: () => Promise.resolve(),
  heard: () => undefined,
  figures: () => undefined,
  close: () => Promise.resolve(),
});

export interface ReaderDeps {
  readonly primary: Database;
  readonly replica: Database;
  /** Where the primary's log ends that is on its disk, in bytes. */
  readonly flushedPosition: () => Promise<number>;
  /** Up to where the replica carried it out; undefined when it is no replica. */
  readonly replayedPosition: () => Promise<number | undefined>;
  /** How much older than now what is read may be, ms. */
  readonly maxLagMs: number;
  /** Has the others who share this call `heard`; undefined where there are none. */
  readonly tellOthers: ((writer: string) => Promise<unknown>) | undefined;
  readonly onChange: (state: ReplicaState) => void;
}

/** Looks within the time that a replica may be behind, and the longest pause between two, ms. */
const LOOKS = 5;
const LONGEST_PAUSE = 100;
/** Writers remembered; when there are more at once, all read from the primary until the replica has what was forgotten. */
const MOST_WRITERS = 20_000;

/** A look at the primary: at which position it was, when that was asked. */
interface Look {
  readonly number: number;
  /** On the clock of `performance`, ms. */
  readonly askedAt: number;
  readonly position: number;
}

/**
 * A reader that looks at both servers again and again, and not for each request. What a replica lacks is told by
 * positions alone: it has everything that was committed before a look once it has replayed the position of that look. So
 * its lag is a time on our own clock, also while nobody writes, and the servers' clocks do not matter.
 *
 * A writer is remembered with the number of the first look that begins after the write.
 */
export function createReader(deps: ReaderDeps): Reader {
  const { primary, replica, maxLagMs, tellOthers } = deps;
  const pause = Math.min(LONGEST_PAUSE, maxLagMs / LOOKS);
  const stopping = new AbortController();
  const writers = new LRUCache<string, number>({
    max: MOST_WRITERS,
    dispose: (needed, _writer, reason) => {
      if (reason === 'evict') neededByAll = Math.max(neededByAll, needed);
    },
  });
  /** The number of the last look that has begun, and of the last one whose position the replica has. */
  let begun = 0;
  let reached = 0;
  let neededByAll = 0;
  let freshAt = Number.NEGATIVE_INFINITY;
  let isAway = true;
  let awaited: readonly Look[] = [];
  let last: ReplicaState | undefined;
  const counts = { fromReplica: 0, fromPrimary: 0 };

  const lagMs = () => performance.now() - freshAt;
  const state = (): ReplicaState => {
    if (isAway) return 'away';
    return lagMs() <= maxLagMs ? 'used' : 'behind';
  };
  const hasAllOf = (writer: string | undefined) =>
    Math.max(neededByAll, writer === undefined ? 0 : (writers.get(writer) ?? 0)) <= reached;

  async function lookAtPrimary(): Promise<void> {
    begun += 1;
    const [number, askedAt] = [begun, performance.now()];
    const position = await deps.flushedPosition();
    // Reaching one that is too old would be of no use.
    const stillOfUse = awaited.filter((look) => askedAt - look.askedAt <= maxLagMs);
    awaited = [...stillOfUse, { number, askedAt, position }];
  }

  async function lookAtReplica(): Promise<void> {
    const replayed = await deps.replayedPosition();
    isAway = replayed === undefined;
    if (replayed === undefined) return;
    for (const { number, askedAt } of awaited.filter(({ position }) => position <= replayed)) {
      reached = number;
      freshAt = askedAt;
    }
    awaited = awaited.filter(({ number }) => number > reached);
  }

  async function keepLooking(): Promise<void> {
    while (!stopping.signal.aborted) {
      // While the primary is away the replica is only fresh for as long as it may be behind.
      await lookAtPrimary().catch(() => undefined);
      await lookAtReplica().catch(() => {
        isAway = true;
      });
      const now = state();
      if (now !== last) deps.onChange(now);
      last = now;
      await delay(pause, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
    }
  }
  const looking = keepLooking();

  function heard(writer: string): void {
    writers.set(writer, begun + 1);
  }

  return {
    async read(writer, ask) {
      if (state() === 'used' && hasAllOf(writer)) {
        try {
          const found = await ask(replica);
          if (found !== undefined) {
            counts.fromReplica += 1;
            return found;
          }
        } catch (error) {
          if (!(error instanceof CatalogueError)) throw error;
          // Until the next look.
          isAway = true;
        }
      }
      counts.fromPrimary += 1;
      return await ask(primary);
    },
    async wrote(writer) {
      heard(writer);
      if (tellOthers !== undefined) await heardOrOutdated(tellOthers(writer), maxLagMs);
    },
    heard,
    figures: () => ({ state: state(), lagMs: lagMs(), ...counts }),
    async close() {
      stopping.abort();
      await looking;
    },
  };
}
