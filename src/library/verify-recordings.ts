import { createHash } from 'node:crypto';
import { FORMATS } from '../audio/formats.ts';
import { BlobError, type BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { type RecordingRow, stillRecorded, walkRecordings } from '../catalogue/recordings.ts';
import { mapBounded } from './bounded.ts';
import type { Finding } from './findings.ts';
import type { Progress } from './verify.ts';

/** Files looked at together: enough to keep a disk busy, few enough to leave the service its share. */
const LOOKED_AT_ONCE = 16;
const READ_AT_ONCE = 4;

/** Yields each recording whose bytes or whose row in the ledger are not as they should be. */
export async function* findBadRecordings(
  db: Database,
  blobs: BlobStore,
  deep: boolean,
  progress: Progress,
): AsyncGenerator<Finding> {
  for await (const rows of walkRecordings(db)) {
    const suspicions = await mapBounded(rows, deep ? READ_AT_ONCE : LOOKED_AT_ONCE, async (row) => {
      const finding = faultOfRow(row) ?? (await faultOfBytes(blobs, row, deep, progress));
      progress.recordings += 1;
      return finding === undefined ? [] : [{ name: row.blobName, finding }];
    });
    yield* await confirmed(db, suspicions.flat());
  }
}

/** Rows go before their bytes: a recording that is still there now was not being deleted while we looked. */
async function confirmed(
  db: Database,
  suspicions: readonly { readonly name: string; readonly finding: Finding }[],
): Promise<readonly Finding[]> {
  if (suspicions.length === 0) return [];
  const there = await stillRecorded(
    db,
    suspicions.map(({ name }) => name),
  );
  return suspicions.flatMap(({ name, finding }) => (there.has(name) ? [finding] : []));
}

function faultOfRow(row: RecordingRow): Finding | undefined {
  if (row.state !== 'kept') {
    const detail = row.state === null ? 'the ledger does not name it' : `the ledger says ${row.state}`;
    return findingOf(row, 'unprotected', detail);
  }
  return row.promptId === null ? findingOf(row, 'unclaimed', `${row.fileSize} bytes`) : undefined;
}

async function faultOfBytes(
  blobs: BlobStore,
  row: RecordingRow,
  deep: boolean,
  progress: Progress,
): Promise<Finding | undefined> {
  const expected = `${row.fileSize} bytes expected`;
  try {
    const blob = await blobs.open(keyOfRow(row));
    try {
      if (blob.size !== row.fileSize) {
        return findingOf(row, 'wrong-size', `${expected}, ${blob.size} found`);
      }
      if (!deep) return undefined;
      const hash = createHash('sha256');
      await blob.transfer(0, blob.size, (bytes) => {
        hash.update(bytes);
        progress.bytesRead += bytes.byteLength;
        return Promise.resolve();
      });
      const sha256 = hash.digest('hex');
      return sha256 === row.sha256
        ? undefined
        : findingOf(row, 'damaged', `sha256 ${row.sha256} expected, ${sha256} found`);
    } finally {
      await blob.close();
    }
  } catch (error) {
    if (!isOfStore(error)) throw error;
    if (error instanceof BlobError && error.code === 'not-found') return findingOf(row, 'missing', expected);
    // One bad file is a finding, a store that is away is the end of the walk.
    await blobs.checkReading();
    return findingOf(row, 'unreadable', reasonOf(error));
  }
}

/** The key under which the bytes of a recording lie; `unknown` where its container is none of ours. */
export function keyOfRow({ blobName, container }: Pick<RecordingRow, 'blobName' | 'container'>): string {
  const format = Object.entries(FORMATS).find(([name]) => name === container);
  return `${blobName}.${format?.[1].extension ?? 'unknown'}`;
}

function findingOf(row: RecordingRow, kind: Finding['kind'], detail: string): Finding {
  return { kind, subject: keyOfRow(row), detail, promptId: row.promptId ?? undefined };
}

/** Is the store to blame? Failed system calls of a read come as they are, all others as BlobErrors. */
export function isOfStore(error: unknown): error is Error {
  return error instanceof BlobError || (error instanceof Error && 'syscall' in error);
}

function reasonOf(error: Error): string {
  const { cause } = error;
  if ('syscall' in error && 'code' in error) return String(error.code);
  return cause instanceof Error ? cause.message : error.message;
}
