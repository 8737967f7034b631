import { setTimeout as delay } from 'node:timers/promises';
import { FORMATS } from '../audio/formats.ts';
import { RENDITIONS } from '../audio/renditions.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { type Abandoned, strike, takeAbandoned } from '../catalogue/ledger.ts';
import { advanceClock } from '../catalogue/ledger-clock.ts';
import { passed } from '../steps.ts';
import { mapBounded } from './bounded.ts';

/** Blobs taken at once: bounds memory, and what a crash in the middle makes wait for the next lease. */
const BATCH = 100;
/** Blobs removed together: a store that is far away answers many as soon as one. */
const REMOVED_AT_ONCE = 8;
/** Of a batch; then it is given up. */
const MOST_FAULTS = 16;

/** Of recordings and of renditions: until the commit the ledger does not know which of them it is. */
const EXTENSIONS: readonly string[] = [
  ...new Set([...Object.values(FORMATS), ...Object.values(RENDITIONS)].map(({ extension }) => extension)),
];

/** Told of a database that is older than the files, and how many uploads on their way it was made to forget. */
export type OnSetBack = (forgotten: number) => void;

/**
 * Removes the bytes of uploads whose lease ran out and of prompts that were deleted, then their ledger rows;
 * returns how many. It acts on the ledger alone and never on what a store happens to hold, so a database
 * restored from an old backup costs no file. Any number of processes may sweep at the same time: what one took
 * is its own for `holdMs`, after which it counts as killed.
 */
export async function sweep(
  db: Database,
  blobs: BlobStore,
  holdMs: number,
  onSetBack: OnSetBack = () => undefined,
): Promise<number> {
  await keepTime(db, blobs, onSetBack);
  let swept = 0;
  for (;;) {
    const batch = await takeAbandoned(db, BATCH, holdMs);
    if (batch.length > 0) passed('sweep-took');
    const { gone, faults } = await removeEach(blobs, batch);
    await strike(db, gone);
    if (gone.length > 0) passed('struck');
    if (faults.length > 0) throw faults[0];
    swept += batch.length;
    if (batch.length < BATCH) return swept;
  }
}

/**
 * Before anything is removed: is this the ledger that knew of these bytes last? An older one forgets what it takes
 * for uploads on their way. A store too full for the mark must still be swept.
 */
async function keepTime(db: Database, blobs: BlobStore, onSetBack: OnSetBack): Promise<void> {
  const { reading, forgotten } = await advanceClock(db, await blobs.mark());
  if (forgotten !== undefined) onSetBack(forgotten);
  await blobs.setMark(reading).catch(() => undefined);
}

/**
 * One blob that will not go keeps none of the others; it is tried again when the hold on it has run out. A store in which
 * several will not go is away, and each try may take seconds: so are all that are left.
 */
async function removeEach(blobs: BlobStore, batch: readonly Abandoned[]) {
  const gone: string[] = [];
  const faults: unknown[] = [];
  await mapBounded(batch, REMOVED_AT_ONCE, async (abandoned) => {
    if (faults.length >= MOST_FAULTS) return;
    try {
      await removeBytes(blobs, abandoned);
      gone.push(abandoned.name);
    } catch (error) {
      faults.push(error);
    }
  });
  return { gone, faults };
}

/** The longest pause between two sweeps, ms; a short lease makes it shorter. */
const LONGEST_PAUSE = 30_000;

/**
 * Sweeps at once, and again half a lease after each sweep, at most 30 s, until stopped. One that
 * fails is logged, and the next one comes all the same.
 */
export function scheduleSweeps(
  run: () => Promise<number>,
  leaseMs: number,
  log: { warn(details: object, message: string): void; info(details: object, message: string): void },
): { stop(): Promise<void> } {
  const pause = Math.min(LONGEST_PAUSE, leaseMs / 2);
  const stopping = new AbortController();
  const loop = async () => {
    while (!stopping.signal.aborted) {
      try {
        const swept = await run();
        if (swept > 0) log.info({ swept }, 'removed abandoned and deleted bytes');
      } catch (err) {
        log.warn({ err }, 'a sweep failed');
      }
      await delay(pause, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
    }
  };
  const running = loop();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/**
 * An upload that ended early may have left staged bytes, or bytes under the key it was just given. Staged ones
 * go first: once they are gone nobody can publish them any more, so what is looked for next stays away.
 */
async function removeBytes(blobs: BlobStore, { name, extension }: Abandoned): Promise<void> {
  if (extension !== null) {
    await blobs.remove([`${name}.${extension}`]);
    return;
  }
  await blobs.unstage(name);
  await blobs.remove(EXTENSIONS.map((candidate) => `${name}.${candidate}`));
}
