import { LRUCache } from 'lru-cache';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { findByBlobName } from '../catalogue/prompts.ts';
import { findRendition } from '../catalogue/renditions.ts';
import { heardOrOutdated } from '../outdated.ts';
import type { Prompt } from './prompt.ts';
import { promptFrom } from './prompt-row.ts';
import { originalOf, partsOf, RENDITION_KINDS, renditionName, type Track, trackOf } from './track.ts';

/** Audio of a prompt that can be played, with its bytes where they are at hand. */
export interface Playable {
  readonly prompt: Prompt;
  readonly track: Track;
  readonly bytes: Buffer | undefined;
}

export interface ShelfFigures {
  /** Bytes of audio held now. */
  readonly bytes: number;
  /** Recordings known now, with or without their bytes. */
  readonly recordings: number;
  /** Requests answered without the store, and those that needed it, since the start. */
  readonly hits: number;
  readonly misses: number;
}

/** How long a row may be believed before the database is asked again, ms. */
const BELIEVED_FOR = 900;
/** The part of the capacity that one recording may take; a longer one is read from the store each time. */
const LARGEST_SHARE = 1 / 2;
/** What an entry without bytes counts, bytes. */
const ENTRY = 2048;

/** Has the others that play the same recordings forget the one of this name; resolves when all have. */
export type TellOthers = (recordingName: string) => Promise<unknown>;

interface Entry {
  readonly prompt: Prompt;
  readonly track: Track;
  readonly bytes: Buffer | undefined;
  /** When the question was sent to which the database last answered that the prompt is there; on the clock that nobody sets. */
  confirmedAt: number;
  loading: Promise<void> | undefined;
}

export type Shelf = ReturnType<typeof createShelf>;

/**
 * Keeps what is played often at hand, in at most `capacity` bytes. A recording never changes, so only whether
 * its prompt is still there can be out of date: every process asks the database at least once a second for each
 * recording it plays. After a delete was acknowledged nobody hears the prompt for longer than that, whichever
 * process deleted it; the process that did forgets it at once, and so do those that it tells.
 */
export function createShelf(deps: {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly capacity: number;
}) {
  const { db, blobs, capacity } = deps;
  // Bytes that clients fetch from the store itself are of no use here.
  const areFetchedElsewhere = blobs.link !== undefined;
  const entries = new LRUCache<string, Entry>({
    maxSize: Math.max(capacity, ENTRY),
    sizeCalculation: (entry) => ENTRY + (entry.bytes?.byteLength ?? 0),
  });
  const asking = new Map<string, { readonly answer: Promise<Entry | undefined>; readonly askedAt: number }>();
  let timesForgotten = 0;
  let hits = 0;
  let misses = 0;

  async function find(name: string): Promise<Pick<Playable, 'prompt' | 'track'> | undefined> {
    const { recordingName, kind } = partsOf(name);
    if (kind === undefined) {
      const row = await findByBlobName(db, recordingName);
      if (row === undefined) return undefined;
      const prompt = promptFrom(row);
      return { prompt, track: originalOf(prompt) };
    }
    const { prompt, rendition } = (await findRendition(db, recordingName, kind)) ?? {};
    if (prompt === undefined || rendition?.state !== 'ready') return undefined;
    return { prompt: promptFrom(prompt), track: trackOf(recordingName, kind, rendition) };
  }

  async function ask(name: string): Promise<Entry | undefined> {
    const confirmedAt = performance.now();
    const timesBefore = timesForgotten;
    const found = await find(name);
    const known = entries.peek(name);
    if (found === undefined) {
      entries.delete(name);
      return undefined;
    }
    // A rendition that was made again has other bytes.
    if (known !== undefined && known.track.key === found.track.key) {
      known.confirmedAt = confirmedAt;
      return known;
    }
    const entry = { ...found, bytes: undefined, confirmedAt, loading: undefined };
    // Not if a delete was acknowledged meanwhile: the answer may be from before it.
    if (timesForgotten === timesBefore) entries.set(name, entry);
    return entry;
  }

  /** However many ask at once, the database is asked once; a question that waits too long is asked again. */
  async function confirmed(name: string): Promise<Entry | undefined> {
    const entry = entries.get(name);
    if (entry !== undefined && performance.now() - entry.confirmedAt < BELIEVED_FOR) return entry;
    const known = asking.get(name);
    if (known !== undefined && performance.now() - known.askedAt < BELIEVED_FOR) return await known.answer;
    const answer = ask(name).finally(() => {
      if (asking.get(name) === question) asking.delete(name);
    });
    const question = { answer, askedAt: performance.now() };
    asking.set(name, question);
    return await answer;
  }

  async function load(name: string, entry: Entry): Promise<void> {
    const { key, fileSize } = entry.track;
    const blob = await blobs.open(key, { start: 0, end: fileSize });
    try {
      const bytes = Buffer.allocUnsafeSlow(blob.size);
      let filled = 0;
      await blob.transfer(0, blob.size, async (chunk) => {
        bytes.set(chunk, filled);
        filled += chunk.byteLength;
      });
      // A new entry, since the cache weighs only those, and none if it was forgotten meanwhile.
      if (entries.peek(name) === entry) entries.set(name, { ...entry, bytes, loading: undefined });
    } finally {
      await blob.close();
    }
  }

  /** Loads what is asked for again: the second request within the time an entry stays tells what is hot. */
  function warm(name: string, entry: Entry): void {
    const size = entry.track.fileSize;
    if (entry.bytes !== undefined || entry.loading !== undefined || areFetchedElsewhere) return;
    if (size > capacity * LARGEST_SHARE) return;
    entry.loading = load(name, entry)
      // Whoever plays it next finds out by itself what is wrong with the store.
      .catch(() => undefined)
      .finally(() => {
        entry.loading = undefined;
      });
  }

  return {
    /** What plays under this name, as of `take`, if no question needs to be asked for it; counts as a request if its bytes are there. */
    atHand(name: string): Playable | undefined {
      const entry = entries.get(name);
      if (entry === undefined || performance.now() - entry.confirmedAt >= BELIEVED_FOR) return undefined;
      if (entry.bytes !== undefined) hits += 1;
      return entry;
    },

    /** What plays under this name, a recording's or a rendition's; of those, what is made. @throws CatalogueError */
    async take(name: string): Promise<Playable | undefined> {
      const isKnown = entries.has(name);
      const entry = await confirmed(name);
      if (entry === undefined) return undefined;
      if (entry.bytes === undefined) misses += 1;
      else hits += 1;
      if (isKnown) warm(name, entry);
      return entry;
    },

    /** Forgets a recording with all its renditions. */
    forget(recordingName: string): void {
      timesForgotten += 1;
      for (const name of [
        recordingName,
        ...RENDITION_KINDS.map((kind) => renditionName(recordingName, kind)),
      ]) {
        asking.delete(name);
        entries.delete(name);
      }
    },

    figures: (): ShelfFigures => ({
      bytes: entries.calculatedSize - entries.size * ENTRY,
      recordings: entries.size,
      hits,
      misses,
    }),
  };
}

/**
 * Resolves when those told have forgotten a recording that is deleted; at the latest when none of them believes any
 * more what it knew before. Never rejects.
 */
export async function forgottenByOthers(name: string, tell: TellOthers | undefined): Promise<void> {
  if (tell !== undefined) await heardOrOutdated(tell(name), BELIEVED_FOR);
}
