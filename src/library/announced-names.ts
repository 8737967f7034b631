import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../catalogue/database.ts';
import { announce, strike } from '../catalogue/ledger.ts';
import { passed } from '../steps.ts';
import { together } from '../together.ts';
import { newRecordingName } from './recording-name.ts';

/** How many names are announced ahead, at most: for as many uploads as may be on their way by default. */
const MOST_AHEAD = 16;
/** How long a name that was announced ahead may wait for its upload, ms; a short lease makes it shorter. */
const LONGEST_WAIT = 1_000;
/** How long anybody waits for a row to go, ms; a database that does not answer is not waited for twice. */
const PATIENCE = 1_000;

/** Names for recordings, each with its row in the ledger before anybody gets it. */
export interface AnnouncedNames {
  /** A name that nobody had before. Its row is committed, and its lease lasts at least as long as leases do. */
  take(): Promise<string>;
  /** Strikes the row of a name whose bytes are gone. Never rejects: what is not struck, the sweeper finds. */
  giveBack(name: string): Promise<void>;
  /** Strikes the rows that nobody took. Never rejects. */
  close(): Promise<void>;
}

export interface AnnouncedNamesDeps {
  readonly db: Database;
  readonly uploadLeaseMs: number;
  /** Told of a clean-up that failed; the sweeper will come back for it. */
  readonly onLeftBehind: (error: unknown) => void;
}

interface Ahead {
  readonly name: string;
  /** On the clock of `performance`, ms. */
  readonly until: number;
}

/**
 * Announces names to the ledger: one commit for all who wait at the same time, and, as soon as some have to, a few
 * more for those who come next. They find a name ready, and their bytes wait for one commit less. A name that was
 * announced ahead and taken by nobody is struck a moment later, so that the ledger of a service at rest holds none.
 */
export function createAnnouncedNames({
  db,
  uploadLeaseMs,
  onLeftBehind,
}: AnnouncedNamesDeps): AnnouncedNames {
  const waitMs = Math.min(LONGEST_WAIT, uploadLeaseMs / 3);
  let ahead: readonly Ahead[] = [];
  /** How many to have ahead; none as long as uploads come one after the other. */
  let wanted = 0;
  let waiting = 0;
  let stocking: Promise<void> | undefined;
  let clearing: NodeJS.Timeout | undefined;
  let isClosed = false;

  const announceAll = together<string>((names) => announce(db, names, uploadLeaseMs));

  async function announceOne(): Promise<string> {
    waiting += 1;
    if (waiting > 1) wanted = Math.min(MOST_AHEAD, Math.max(1, wanted * 2));
    try {
      const name = newRecordingName();
      await announceAll(name);
      return name;
    } finally {
      waiting -= 1;
    }
  }

  /** Fills up what is ahead once half of it is taken. */
  function stockUp(): void {
    const lacking = wanted - ahead.length;
    if (isClosed || stocking !== undefined || lacking < wanted / 2 || lacking === 0) return;
    const names = Array.from({ length: lacking }, newRecordingName);
    const until = performance.now() + waitMs;
    stocking = announce(db, names, uploadLeaseMs + waitMs)
      .then(() => {
        ahead = [...ahead, ...names.map((name) => ({ name, until }))];
        clearing ??= setTimeout(clear, waitMs).unref();
      })
      // Who finds none ahead announces a name and is told what is wrong.
      .catch(() => undefined)
      .finally(() => {
        stocking = undefined;
      });
  }

  function takeAhead(): string | undefined {
    const now = performance.now();
    const place = ahead.findIndex(({ until }) => until > now);
    const taken = ahead[place];
    ahead = ahead.filter((one) => one !== taken);
    return taken?.name;
  }

  /** Strikes what has waited for too long, and comes again for the others. */
  function clear(): void {
    const now = performance.now();
    const late = ahead.filter(({ until }) => until <= now);
    ahead = ahead.filter(({ until }) => until > now);
    if (late.length > 0) wanted = 0;
    void strikeAll(late);
    clearing = ahead.length === 0 ? undefined : setTimeout(clear, waitMs).unref();
  }

  async function strikeAll(unused: readonly Ahead[]): Promise<void> {
    const names = unused.map(({ name }) => name);
    await soon(strike(db, names).catch(onLeftBehind));
  }

  return {
    async take() {
      const name = takeAhead() ?? (await announceOne());
      stockUp();
      return name;
    },

    async giveBack(name) {
      await soon(strike(db, [name]).then(() => passed('struck'), onLeftBehind));
    },

    async close() {
      isClosed = true;
      clearTimeout(clearing);
      await stocking;
      const left = ahead;
      ahead = [];
      await strikeAll(left);
    },
  };
}

/** Waits for what never rejects, but not for long. */
async function soon(work: Promise<void>): Promise<void> {
  const patience = new AbortController();
  const late = delay(PATIENCE, undefined, { signal: patience.signal });
  await Promise.race([work, late]).finally(() => patience.abort());
}
