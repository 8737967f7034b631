import { FORMATS } from '../audio/formats.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { type RecordingRow, stillRecorded, walkRecordings } from '../catalogue/recordings.ts';
import { mapBounded } from './bounded.ts';
import type { Finding } from './findings.ts';
import type { Progress } from './verify.ts';
import { faultOfBytes } from './verify-bytes.ts';

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
      const finding = faultOfRow(row) ?? (await faultOfRowsBytes(blobs, row, deep, progress));
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

async function faultOfRowsBytes(
  blobs: BlobStore,
  row: RecordingRow,
  deep: boolean,
  progress: Progress,
): Promise<Finding | undefined> {
  const { fileSize, sha256 } = row;
  const fault = await faultOfBytes(blobs, { key: keyOfRow(row), fileSize, sha256 }, deep, progress);
  return fault && findingOf(row, fault.kind, fault.detail);
}

/** The key under which the bytes of a recording lie; `unknown` where its container is none of ours. */
export function keyOfRow({ blobName, container }: Pick<RecordingRow, 'blobName' | 'container'>): string {
  const format = Object.entries(FORMATS).find(([name]) => name === container);
  return `${blobName}.${format?.[1].extension ?? 'unknown'}`;
}

function findingOf(row: RecordingRow, kind: Finding['kind'], detail: string): Finding {
  return { kind, subject: keyOfRow(row), detail, promptId: row.promptId ?? undefined };
}
