import type { Database } from '../catalogue/database.ts';
import { renewLease } from '../catalogue/ledger.ts';
import { lostPlace } from './faults.ts';

/** Renewals within one lease: two may fail before the place is lost. */
const BEATS = 3;

/** The hold that an upload has on its row of the ledger. */
export interface Lease {
  /** Fires when the place is lost; its reason is the LibraryError to answer with. */
  readonly signal: AbortSignal;
  /** Renews no more. */
  release(): void;
}

/**
 * Renews the lease of an arriving blob for as long as this process works at it. An upload whose row the sweeper
 * took is told so through `signal`. How long its bytes may take is for whoever hands them over to bound.
 */
export function holdLease(db: Database, name: string, leaseMs: number): Lease {
  const lost = new AbortController();

  const beat = async () => {
    // A database that is away now may be back at the next beat; the commit has the last word.
    const isHeld = await renewLease(db, name, leaseMs).catch(() => true);
    if (isHeld) return;
    clearInterval(timer);
    lost.abort(lostPlace());
  };
  const timer = setInterval(() => void beat(), leaseMs / BEATS).unref();

  return {
    signal: lost.signal,
    release() {
      clearInterval(timer);
    },
  };
}
