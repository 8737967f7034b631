import { opendir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { BlobError, type BlobErrorCode, type StoredBlob } from './blob-store.ts';

/** Every file of a folder, in no order. @throws BlobError `unavailable` */
export async function* filesIn(folder: string): AsyncGenerator<StoredBlob> {
  for await (const entry of await guarded(() => opendir(folder), 'unavailable')) {
    const size = entry.isFile() ? await guarded(() => sizeOf(join(folder, entry.name))) : undefined;
    if (size !== undefined) yield { key: entry.name, size };
  }
}

/** False when there was none. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Undefined when it went away in between. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Does work on files and says its failures as BlobErrors. What is missing is a blob or, where one is made, the folder
 * for it.
 */
export async function guarded<T>(
  work: () => Promise<T>,
  whenMissing: BlobErrorCode = 'not-found',
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw blobErrorFrom(error, whenMissing);
  }
}

const FAULTS: Readonly<Record<string, BlobErrorCode>> = {
  // A link where a blob should be.
  ELOOP: 'not-found',
  ENOSPC: 'full',
  EDQUOT: 'full',
  EMFILE: 'unavailable',
  ENFILE: 'unavailable',
  EIO: 'unavailable',
  EROFS: 'unavailable',
  EACCES: 'unavailable',
  EPERM: 'unavailable',
  ESTALE: 'unavailable',
  ENOTDIR: 'unavailable',
};

/** Errors that a source passed through (a reset connection has an errno too) come back as they are. */
function blobErrorFrom(error: unknown, whenMissing: BlobErrorCode): unknown {
  const errno = errnoOf(error) ?? '';
  const code = errno === 'ENOENT' ? whenMissing : FAULTS[errno];
  // Not the error itself: its message names the path, and whoever reads that in a log could play the blob.
  return code === undefined ? error : new BlobError(code, MESSAGES[code], { cause: new Error(errno) });
}

const MESSAGES: Readonly<Record<BlobErrorCode, string>> = {
  'not-found': 'There is no such blob.',
  full: 'The disk of the blobs is full.',
  unavailable: 'The folder of the blobs cannot be used.',
};

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && 'errno' in error ? String(error.code) : undefined;
}
