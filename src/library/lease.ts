import type { Database } from '../catalogue/database.ts';
import { renewLease } from '../catalogue/ledger.ts';
import { LibraryError } from './errors.ts';

/** Renewals within one lease: two may fail before the place is lost. */
const BEATS = 3;

/** The hold that an upload has on its row of the ledger. */
export interface Lease {
  /** Fires when the place is lost; its reason is the LibraryError to answer with. */
  readonly signal: AbortSignal;
  /** Bytes arrived. */
  progressed(): void;
  /** The bytes are all here: from now on the upload lives as long as the process works at it. */
  arrived(): void;
  release(): void;
}

/**
 * Renews the lease of an arriving blob for as long as bytes come. An upload that stays silent for a whole
 * lease, or whose row the sweeper took, is told so through `signal`.
 */
export function holdLease(db: Database, name: string, leaseMs: number): Lease {
  const lost = new AbortController();
  let silentBeats = 0;
  let isArriving = true;

  const beat = async () => {
    if (isArriving && silentBeats >= BEATS) {
      const seconds = Math.round(leaseMs / 1000);
      lose(`No bytes arrived for ${seconds} seconds, so the upload was ended; send the file again.`);
      return;
    }
    if (isArriving) silentBeats += 1;
    // A database that is away now may be back at the next beat; the commit has the last word.
    const isHeld = await renewLease(db, name, leaseMs).catch(() => true);
    if (!isHeld) lose('The upload took too long and lost its place; send the file again.');
  };
  const lose = (message: string) => {
    clearInterval(timer);
    lost.abort(new LibraryError('upload-interrupted', message));
  };
  const timer = setInterval(() => void beat(), leaseMs / BEATS).unref();

  return {
    signal: lost.signal,
    progressed() {
      silentBeats = 0;
    },
    arrived() {
      isArriving = false;
    },
    release() {
      clearInterval(timer);
    },
  };
}
