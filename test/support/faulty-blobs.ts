import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { BlobError, type BlobErrorCode, type BlobStore } from '../../src/blobs/blob-store.ts';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';

/** A folder that goes when the test ends. */
export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-faults-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder of blobs of which single verbs can be made to fail. */
export async function createFaultyBlobs() {
  const dataDir = await newFolder();
  const disk = await createDiskBlobStore(join(dataDir, 'uploads'));
  const faults = new Map<keyof BlobStore, BlobErrorCode>();
  const blobs = new Proxy(disk, {
    get(target, verb: keyof BlobStore) {
      const code = faults.get(verb);
      return code === undefined
        ? target[verb]
        : () => Promise.reject(new BlobError(code, `${verb} fails in this test`));
    },
  });
  return { dataDir, blobs, faults };
}
