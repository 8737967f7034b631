import type { BlobChoice } from '../config-blobs.ts';
import { BlobSettingsError, type BlobStore } from './blob-store.ts';
import { createDiskBlobStore } from './disk-blob-store.ts';

/** Of the lease of an upload, what sending its bytes to the store may take. */
const SENDING_SHARE = 1 / 2;

/**
 * Opens the store that the configuration names. An object store that is away is opened all the same, since it may come
 * back; one that refuses these settings is not.
 *
 * @throws BlobSettingsError
 */
export async function openBlobStore(choice: BlobChoice, uploadLeaseMs: number): Promise<BlobStore> {
  if (choice.kind === 'disk') return await createDiskBlobStore(choice.directory);
  const { assertSettings, createS3BlobStore } = await loadS3();
  await assertSettings(choice);
  return await createS3BlobStore({
    ...choice,
    givesLinks: choice.serve === 'redirect',
    sendingMs: uploadLeaseMs * SENDING_SHARE,
  });
}

/** Its packages are optional, and take longer to load than the rest of a start. */
async function loadS3(): Promise<typeof import('./s3-blob-store.ts')> {
  return await import('./s3-blob-store.ts').catch((cause: unknown) => {
    const isAbsent = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND';
    if (!isAbsent) throw cause;
    throw new BlobSettingsError(
      'BLOB_STORE=s3 needs the packages @aws-sdk/client-s3 and @aws-sdk/s3-request-presigner; install them with npm ci, without --omit=optional.',
      { cause },
    );
  });
}
