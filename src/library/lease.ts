/** Renewals within one lease: two may fail before the place is lost. */
const BEATS = 3;

/** The hold on a row: an upload's of the ledger, or a job's of its queue. */
export interface Lease {
  /** Fires when the place is lost; its reason is what `lost` made. */
  readonly signal: AbortSignal;
  /** Renews no more. */
  release(): void;
}

/**
 * Renews a lease for as long as this process works at what it holds. Whoever works is told through `signal` when
 * `renew` says that somebody else took it. How long the work may take is for whoever does it to bound.
 */
export function holdLease(renew: () => Promise<boolean>, leaseMs: number, lost: () => Error): Lease {
  const losing = new AbortController();

  const beat = async () => {
    // A database that is away now may be back at the next beat; the commit has the last word.
    const isHeld = await renew().catch(() => true);
    if (isHeld) return;
    clearInterval(timer);
    losing.abort(lost());
  };
  const timer = setInterval(() => void beat(), leaseMs / BEATS).unref();

  return {
    signal: losing.signal,
    release() {
      clearInterval(timer);
    },
  };
}
