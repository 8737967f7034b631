import { BlobError, type BlobStore, type StoredBlob } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { lookUp, walkLedger } from '../catalogue/ledger-walk.ts';
import { mapBounded } from './bounded.ts';
import type { Finding } from './findings.ts';
import type { Progress } from './verify.ts';

/** A running service sweeps at least every 30 s; what is overdue for less than this is on its way. */
const SWEPT_WITHIN_SECONDS = 90;
/** Files looked up in the ledger at once. */
const BATCH = 500;
const STATED_AT_ONCE = 16;

/** Yields each row of the ledger that no recording stands behind and nobody is at work at. */
export async function* findStrayEntries(db: Database, progress: Progress): AsyncGenerator<Finding> {
  for await (const { rows, loose } of walkLedger(db)) {
    progress.ledgerRows += rows;
    for (const { name, state, overdueSeconds } of loose) {
      if (overdueSeconds === null) {
        yield { kind: 'unclaimed', subject: name, detail: 'kept, but no recording names it' };
      } else if (overdueSeconds > SWEPT_WITHIN_SECONDS) {
        const detail = `${state}, its lease ran out ${Math.round(overdueSeconds)} seconds ago`;
        yield { kind: 'overdue', subject: name, detail };
      }
    }
  }
}

/** Yields each file, published or staged, that the ledger does not name. */
export async function* findStrayBlobs(
  db: Database,
  blobs: BlobStore,
  progress: Progress,
): AsyncGenerator<Finding> {
  for await (const batch of batched(blobs.list(), BATCH)) {
    progress.files += batch.length;
    const known = await lookUp(
      db,
      batch.map(({ key }) => nameIn(key)),
    );
    const suspects = batch.filter(({ key }) => {
      const extension = known.get(nameIn(key));
      return extension === undefined || (extension !== null && key !== `${nameIn(key)}.${extension}`);
    });
    // Bytes go before their row: a file that is still there now, after its row was not, is nobody's.
    const stayed = await mapBounded(suspects, STATED_AT_ONCE, ({ key }) => isThere(blobs, key));
    for (const [index, { key, size }] of suspects.entries()) {
      if (stayed[index]) yield { kind: 'unknown', subject: key, detail: `${size} bytes` };
    }
  }
  for await (const batch of batched(blobs.listStaged(), BATCH)) {
    progress.files += batch.length;
    yield* await strayStaged(db, blobs, batch);
  }
}

async function strayStaged(
  db: Database,
  blobs: BlobStore,
  batch: readonly StoredBlob[],
): Promise<readonly Finding[]> {
  const known = await lookUp(
    db,
    batch.map(({ key }) => key),
  );
  const suspects = batch.filter(({ key }) => !known.has(key));
  if (suspects.length === 0) return [];
  const stillThere = new Set<string>();
  for await (const { key } of blobs.listStaged()) stillThere.add(key);
  return suspects
    .filter(({ key }) => stillThere.has(key))
    .map(({ key, size }) => ({ kind: 'unknown', subject: key, detail: `${size} bytes of an upload` }));
}

async function isThere(blobs: BlobStore, key: string): Promise<boolean> {
  try {
    await (await blobs.open(key)).close();
    return true;
  } catch (error) {
    if (error instanceof BlobError) return error.code !== 'not-found';
    throw error;
  }
}

/** The name of a blob is what its key has before the extension. */
function nameIn(key: string): string {
  const dot = key.indexOf('.');
  return dot < 0 ? key : key.slice(0, dot);
}

async function* batched<T>(source: AsyncIterable<T>, size: number): AsyncGenerator<readonly T[]> {
  let batch: T[] = [];
  for await (const item of source) {
    batch.push(item);
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
