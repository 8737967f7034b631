import { createHash } from 'node:crypto';
import { BlobError, type BlobStore } from '../blobs/blob-store.ts';
import type { Finding } from './findings.ts';
import type { Progress } from './verify.ts';

/** What a row says of a blob. */
export interface ExpectedBytes {
  readonly key: string;
  readonly fileSize: number;
  readonly sha256: string;
}

/**
 * What is wrong with the bytes of a blob; `deep` reads all of them. Undefined when nothing is.
 *
 * @throws BlobError when the store is away; one bad file is a finding
 */
export async function faultOfBytes(
  blobs: BlobStore,
  { key, fileSize, sha256 }: ExpectedBytes,
  deep: boolean,
  progress: Progress,
): Promise<Pick<Finding, 'kind' | 'detail'> | undefined> {
  const expected = `${fileSize} bytes expected`;
  try {
    const blob = await blobs.open(key);
    try {
      if (blob.size !== fileSize) return { kind: 'wrong-size', detail: `${expected}, ${blob.size} found` };
      if (!deep) return undefined;
      const hash = createHash('sha256');
      await blob.transfer(0, blob.size, (bytes) => {
        hash.update(bytes);
        progress.bytesRead += bytes.byteLength;
        return Promise.resolve();
      });
      const found = hash.digest('hex');
      return found === sha256
        ? undefined
        : { kind: 'damaged', detail: `sha256 ${sha256} expected, ${found} found` };
    } finally {
      await blob.close();
    }
  } catch (error) {
    if (!isOfStore(error)) throw error;
    if (error instanceof BlobError && error.code === 'not-found')
      return { kind: 'missing', detail: expected };
    // One bad file is a finding, a store that is away is the end of the walk.
    await blobs.checkReading();
    return { kind: 'unreadable', detail: reasonOf(error) };
  }
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
