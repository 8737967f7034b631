import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { BlobError, type BlobStore, type OpenBlob } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { stillRecorded, walkRecordings } from '../catalogue/recordings.ts';
import { stillRendered, walkRenditions } from '../catalogue/renditions.ts';
import { mapBounded } from './bounded.ts';
import { isOfStore } from './verify-bytes.ts';
import { keyOfRow } from './verify-recordings.ts';

/** How far a copy has come; grows while it runs. */
export interface CopyingProgress {
  copied: number;
  /** Of those, bytes. */
  bytes: number;
  /** From an earlier run, or written there by the service. */
  alreadyThere: number;
}

/** A blob that could not be copied. */
export interface CopyingFault {
  readonly key: string;
  /** What is wrong with it in the store that it comes from. */
  readonly reason: 'missing' | 'unreadable' | 'damaged';
}

const COPIED_AT_ONCE = 4;
/** Read at a time, bytes: large enough where each reading is a request. */
const PIECE = 4 * 1024 * 1024;

interface Wanted {
  readonly blobName: string;
  readonly key: string;
  readonly fileSize: number;
  readonly sha256: string;
}

/**
 * Copies every blob that a recording or a rendition names from one store to another, each held against its sha256 on the
 * way, and yields those that could not be. What is there already, of the right size, is not copied again: a key appears
 * only with all its bytes, so a copy that was broken off goes on where it was. It may run beside the service, and is then
 * to be run once more without it for what came in between. What is deleted meanwhile is not left at the destination.
 *
 * @throws BlobError, CatalogueError when a store or the database is away; one bad file is a fault
 */
export async function* copyBlobs(
  db: Database,
  from: BlobStore,
  to: BlobStore,
  progress: CopyingProgress,
): AsyncGenerator<CopyingFault> {
  await from.checkReading();
  await to.check();
  for await (const { wanted, stillNamed } of wantedBlobs(db)) {
    const outcomes = await mapBounded(wanted, COPIED_AT_ONCE, async (blob) => ({
      blob,
      outcome: await copyOne(from, to, blob, progress),
    }));
    // Rows go before their bytes: what is not named any more was deleted while it was copied.
    const touched = outcomes.filter(({ outcome }) => outcome !== 'there');
    const there =
      touched.length === 0 ? new Set<string>() : await stillNamed(touched.map(({ blob }) => blob.blobName));
    const gone = touched.filter(({ blob }) => !there.has(blob.blobName));
    await to.remove(gone.map(({ blob }) => blob.key));
    for (const { blob, outcome } of touched) {
      if (outcome === 'there' || outcome === 'copied' || !there.has(blob.blobName)) continue;
      yield { key: blob.key, reason: outcome };
    }
  }
  await to.settle();
  // By this the sweeper knows a database that was set back.
  await to.setMark(await from.mark());
}

/** Blobs, and how to ask which of some are still named. */
interface Batch {
  readonly wanted: readonly Wanted[];
  stillNamed(blobNames: readonly string[]): Promise<ReadonlySet<string>>;
}

async function* wantedBlobs(db: Database): AsyncGenerator<Batch> {
  for await (const rows of walkRecordings(db)) {
    yield {
      wanted: rows.map((row) => ({ ...row, key: keyOfRow(row) })),
      stillNamed: (names: readonly string[]) => stillRecorded(db, names),
    };
  }
  for await (const rows of walkRenditions(db)) {
    yield {
      wanted: rows.map((row) => ({ ...row, key: `${row.blobName}.${row.extension ?? 'unknown'}` })),
      stillNamed: (names: readonly string[]) => stillRendered(db, names),
    };
  }
}

async function copyOne(
  from: BlobStore,
  to: BlobStore,
  { blobName, key, fileSize, sha256 }: Wanted,
  progress: CopyingProgress,
): Promise<CopyingFault['reason'] | 'copied' | 'there'> {
  if ((await sizeIn(to, key)) === fileSize) {
    progress.alreadyThere += 1;
    return 'there';
  }
  const blob = await openedIn(from, key);
  if (typeof blob === 'string') return blob;
  try {
    // What a copy that was broken off left.
    await to.unstage(blobName);
    const hash = createHash('sha256');
    const source = reading(blob);
    const staged = await to
      .stage(blobName, source.bytes, new AbortController().signal, (chunk) => void hash.update(chunk))
      .catch((error: unknown) => {
        if (source.fault() === undefined) throw error;
        return undefined;
      });
    if (staged === undefined) return await unreadable(from, source.fault());
    if (blob.size !== fileSize || hash.digest('hex') !== sha256) {
      await to.unstage(blobName);
      return 'damaged';
    }
    await to.place(staged, key);
  } finally {
    await blob.close();
  }
  progress.copied += 1;
  progress.bytes += fileSize;
  return 'copied';
}

async function sizeIn(store: BlobStore, key: string): Promise<number | undefined> {
  const blob = await openedIn(store, key);
  if (typeof blob === 'string') return undefined;
  await blob.close();
  return blob.size;
}

async function openedIn(store: BlobStore, key: string): Promise<OpenBlob | 'missing' | 'unreadable'> {
  try {
    return await store.open(key);
  } catch (error) {
    if (error instanceof BlobError && error.code === 'not-found') return 'missing';
    return await unreadable(store, error);
  }
}

/** One bad file is a fault, a store that is away is the end. */
async function unreadable(store: BlobStore, error: unknown): Promise<'unreadable'> {
  if (!isOfStore(error)) throw error;
  await store.checkReading();
  return 'unreadable';
}

/** The bytes of a blob as a stream, and what reading them failed with. */
function reading(blob: OpenBlob): { readonly bytes: Readable; fault(): unknown } {
  let fault: unknown;
  async function* pieces() {
    for (let start = 0; start < blob.size; start += PIECE) {
      const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, blob.size - start));
      let filled = 0;
      try {
        await blob.transfer(start, start + piece.byteLength, async (bytes) => {
          piece.set(bytes, filled);
          filled += bytes.byteLength;
        });
      } catch (error) {
        fault = error;
        throw error;
      }
      yield piece;
    }
  }
  return { bytes: Readable.from(pieces()), fault: () => fault };
}
