import { FORMATS } from '../audio/formats.ts';
import { BlobError, type BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { isInLedger } from '../catalogue/ledger.ts';
import { walkRecordings } from '../catalogue/recordings.ts';

/** One difference between rows and bytes. */
export interface Finding {
  /** `missing`: a prompt without bytes; `wrong-size`; `unknown`: bytes that no ledger row names. */
  readonly kind: 'missing' | 'wrong-size' | 'unknown';
  readonly key: string;
  readonly detail: string;
  /** Unknown bytes harm nobody: they may be what an older backup of the database does not know of. */
  readonly isFault: boolean;
}

/** Walks rows and blobs and reports where they differ. Changes nothing; memory does not grow with their number. */
export async function* verify(db: Database, blobs: BlobStore): AsyncGenerator<Finding> {
  for await (const { blobName, container, fileSize } of walkRecordings(db)) {
    const key = `${blobName}.${FORMATS[container as keyof typeof FORMATS].extension}`;
    const size = await sizeOf(blobs, key);
    if (size === undefined) {
      yield { kind: 'missing', key, detail: `${fileSize} bytes expected`, isFault: true };
    } else if (size !== fileSize) {
      yield { kind: 'wrong-size', key, detail: `${fileSize} bytes expected, ${size} found`, isFault: true };
    }
  }
  for await (const { key, size } of blobs.list()) {
    const name = key.slice(0, key.indexOf('.'));
    if (!(await isInLedger(db, name))) {
      yield { kind: 'unknown', key, detail: `${size} bytes`, isFault: false };
    }
  }
}

async function sizeOf(blobs: BlobStore, key: string): Promise<number | undefined> {
  try {
    const blob = await blobs.open(key);
    await blob.close();
    return blob.size;
  } catch (error) {
    if (error instanceof BlobError && error.code === 'not-found') return undefined;
    throw error;
  }
}
