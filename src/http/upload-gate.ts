import { closing } from './closing.ts';
import { RequestError } from './failure.ts';

/** How many uploads may run and wait. */
export interface GateLimits {
  /** Uploads that run at once in this process. */
  readonly atOnce: number;
  /** Of them, those of one token. */
  readonly atOncePerToken: number;
  /** Uploads that run beside them because they mostly wait for their clients; 0 = none. */
  readonly slowAtOnce: number;
  /** Of those, the ones of one token. */
  readonly slowAtOncePerToken: number;
  /** Uploads that wait for their turn; who comes after them is refused. */
  readonly waiting: number;
  /** How long one may wait, ms. */
  readonly waitMs: number;
}

/** What an upload holds while it runs. */
export interface Place {
  /**
   * Moves to a place for slow uploads, for good, and leaves its own to the next in turn. False when it has none
   * afterwards, since this token may have no more of them now: it stays where it is, and may ask again.
   */
  giveWay(): boolean;
  /** Gives back whichever place it holds; idempotent. */
  leave(): void;
}

/** Lets a bounded number of uploads in, and the others wait for their turn. */
export interface UploadGate {
  /**
   * Resolves when the upload may begin; calls `onWait` first if that is not now. The caller gives its place back once it is through, whatever happened.
   *
   * @throws RequestError 503 when the process is full or closing, 429 when the token has all places that it may
   *   have, both with Retry-After; or the signal's reason once that fires.
   */
  enter(token: string, signal: AbortSignal, onWait: () => void): Promise<Place>;
  /** Refuses whoever waits, and all who come. */
  close(): void;
  /** `running` does not count the slow ones. */
  figures(): { readonly running: number; readonly slow: number; readonly waiting: number };
}

interface Waiter {
  readonly turn: number;
  admit(): void;
  refuse(reason: unknown): void;
}

/** What one token has at the gate; waiters in the order in which they came. */
interface Party {
  readonly waiters: Set<Waiter>;
  running: number;
  slow: number;
}

/** Seconds after which one who was refused may try again. */
const RETRY_AFTER = '5';

/**
 * A gate that is fair between tokens: a free place goes to the waiting token that has the fewest uploads running,
 * and within a token to who came first. When no more may wait, the token with the most waiting gives one up, so
 * that none can keep the others from waiting. Whoever turns out to be slow gives way, as long as there is room
 * beside: a place is for those that use the disk and the processor, not for those that use the clock.
 */
export function createUploadGate(limits: GateLimits): UploadGate {
  const parties = new Map<string, Party>();
  const held = { running: 0, slow: 0 };
  let waiting = 0;
  let turns = 0;
  let isClosed = false;

  function partyOf(token: string): Party {
    const known = parties.get(token);
    if (known !== undefined) return known;
    const party: Party = { waiters: new Set(), running: 0, slow: 0 };
    parties.set(token, party);
    return party;
  }

  const hasPlace = (party: Party) => held.running < limits.atOnce && party.running < limits.atOncePerToken;
  const hasSlowPlace = (party: Party) =>
    held.slow < limits.slowAtOnce && party.slow < limits.slowAtOncePerToken;

  function take(token: string, party: Party): Place {
    let kind: 'running' | 'slow' | undefined;
    const move = (to: typeof kind) => {
      for (const counts of [held, party]) {
        if (kind !== undefined) counts[kind] -= 1;
        if (to !== undefined) counts[to] += 1;
      }
      kind = to;
    };
    move('running');
    return {
      giveWay() {
        if (kind === 'running' && hasSlowPlace(party)) {
          move('slow');
          advance();
        }
        return kind === 'slow';
      },
      leave() {
        if (kind === undefined) return;
        move(undefined);
        advance();
        forgetIfDone(token, party);
      },
    };
  }

  function forgetIfDone(token: string, party: Party): void {
    const isDone = party.running === 0 && party.slow === 0 && party.waiters.size === 0;
    // It may have been forgotten already, and the token have come anew.
    if (isDone && parties.get(token) === party) parties.delete(token);
  }

  function advance(): void {
    for (
      let next = nextInTurn(parties.values(), hasPlace);
      next;
      next = nextInTurn(parties.values(), hasPlace)
    ) {
      next.admit();
    }
  }

  function refusalFor(party: Party): RequestError {
    return party.running >= limits.atOncePerToken ? tokenIsFull() : processIsFull();
  }

  /** Makes room for one more to wait, at the cost of who has the most waiting, which may be itself. */
  function makeRoom(party: Party): void {
    if (waiting < limits.waiting) return;
    const longest = longestQueue(parties.values());
    const last = longest && [...longest.waiters].at(-1);
    if (last === undefined || longest === undefined || longest.waiters.size <= party.waiters.size + 1) {
      throw refusalFor(party);
    }
    last.refuse(refusalFor(longest));
  }

  function wait(token: string, party: Party, signal: AbortSignal): Promise<Place> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(deadline);
        signal.removeEventListener('abort', depart);
        party.waiters.delete(waiter);
        waiting -= 1;
      };
      const waiter: Waiter = {
        turn: turns,
        admit() {
          settle();
          resolve(take(token, party));
        },
        refuse(reason) {
          settle();
          forgetIfDone(token, party);
          reject(reason);
        },
      };
      const depart = () => waiter.refuse(signal.reason);
      const deadline = setTimeout(() => waiter.refuse(refusalFor(party)), limits.waitMs);
      signal.addEventListener('abort', depart, { once: true });
      party.waiters.add(waiter);
      waiting += 1;
      turns += 1;
    });
  }

  return {
    async enter(token, signal, onWait) {
      signal.throwIfAborted();
      if (isClosed) throw closing();
      const party = partyOf(token);
      try {
        // Whoever waits now waits for a place of its own token, or there would be none free.
        if (hasPlace(party)) return take(token, party);
        makeRoom(party);
        onWait();
        return await wait(token, party, signal);
      } finally {
        forgetIfDone(token, party);
      }
    },
    close() {
      isClosed = true;
      for (const party of [...parties.values()]) {
        for (const waiter of [...party.waiters]) waiter.refuse(closing());
      }
    },
    figures: () => ({ ...held, waiting }),
  };
}

function nextInTurn(parties: Iterable<Party>, hasPlace: (party: Party) => boolean): Waiter | undefined {
  let best: { readonly party: Party; readonly waiter: Waiter } | undefined;
  for (const party of parties) {
    const [waiter] = party.waiters;
    if (waiter === undefined || !hasPlace(party)) continue;
    const isBefore =
      best === undefined ||
      party.running < best.party.running ||
      (party.running === best.party.running && waiter.turn < best.waiter.turn);
    if (isBefore) best = { party, waiter };
  }
  return best?.waiter;
}

function longestQueue(parties: Iterable<Party>): Party | undefined {
  let longest: Party | undefined;
  for (const party of parties) {
    if (longest === undefined || party.waiters.size > longest.waiters.size) longest = party;
  }
  return longest;
}

function processIsFull(): RequestError {
  return new RequestError(
    503,
    'The service is busy with other uploads; send the file again in a few seconds.',
    { headers: { 'retry-after': RETRY_AFTER } },
  );
}

function tokenIsFull(): RequestError {
  return new RequestError(
    429,
    'Too many uploads are running with this token; send the file again when some of them are through.',
    { headers: { 'retry-after': RETRY_AFTER } },
  );
}
