import { BlobError } from '../blobs/blob-store.ts';
import { CatalogueError, QuotaExceededError } from '../catalogue/catalogue-error.ts';
import { LibraryError } from './errors.ts';

/** Runs a verb of the library and says its failures in the library's own closed set of codes. */
export async function inLibraryTerms<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw libraryErrorFrom(error);
  }
}

function libraryErrorFrom(cause: unknown): unknown {
  if (cause instanceof QuotaExceededError) return quotaExceeded(cause.room, { cause });
  if (cause instanceof CatalogueError) {
    switch (cause.code) {
      case 'name-taken':
        return nameTaken({ cause });
      case 'unit-gone':
        return orgUnitNotFound({ cause });
      case 'full':
        return storageFull({ cause });
      case 'unavailable':
      case 'outdated':
        return unavailable({ cause });
    }
  }
  if (cause instanceof BlobError) {
    switch (cause.code) {
      case 'full':
        return storageFull({ cause });
      case 'unavailable':
        return unavailable({ cause });
      case 'not-found':
        return new LibraryError('recording-missing', 'The recording of this prompt is missing.', { cause });
    }
  }
  return cause;
}

export function nameTaken(options?: ErrorOptions): LibraryError {
  return new LibraryError(
    'name-taken',
    'A prompt of this name already exists in the org unit; choose another name or delete that prompt first.',
    options,
  );
}

export function orgUnitNotFound(options?: ErrorOptions): LibraryError {
  return new LibraryError(
    'org-unit-not-found',
    'There is no such org unit within the reach of your token.',
    options,
  );
}

export function promptNotFound(): LibraryError {
  return new LibraryError('prompt-not-found', 'There is no such prompt within the reach of your token.');
}

/** Tells what the unit keeps and may keep. */
export function quotaExceeded(
  { used, quota }: { readonly used: number; readonly quota: number },
  options?: ErrorOptions,
): LibraryError {
  return new LibraryError(
    'quota-exceeded',
    `The org unit keeps ${used} of the ${quota} bytes it may, which leaves too little room; delete prompts that are no longer needed or ask for a larger quota.`,
    options,
  );
}

/** The lease ran out and the sweeper took the upload. */
export function lostPlace(options?: ErrorOptions): LibraryError {
  return new LibraryError(
    'upload-interrupted',
    'The upload took too long and lost its place; send it again.',
    options,
  );
}

function storageFull(options: ErrorOptions): LibraryError {
  return new LibraryError(
    'storage-full',
    'The service has no room left; nothing was stored, try again later.',
    options,
  );
}

function unavailable(options: ErrorOptions): LibraryError {
  return new LibraryError(
    'unavailable',
    'The service cannot reach its storage right now; try again in a moment.',
    options,
  );
}
