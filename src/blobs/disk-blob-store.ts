import { constants } from 'node:fs';
import { access, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { passed } from '../steps.ts';
import { together } from '../together.ts';
import { BlobError, type BlobStore, type OpenBlob, type StagedBlob } from './blob-store.ts';
import { writeDurably } from './durable-file.ts';
import { transferBlocks } from './file-transfer.ts';
import { filesIn, guarded, removeFile } from './files.ts';
import { syncFolder } from './sync-folder.ts';

/** The folder of published blobs, below the root; it is also their path in the urls. */
const PUBLISHED = 'call-flow-recordings';
/** Beside it, on the same file system, so that publishing is a rename. */
const STAGING = '.arriving';
const MARK = '.ledger-clock';

/**
 * Blobs as files below `root`. Order of a write: bytes, fsync of the file, rename, fsync of the folder; so a
 * key that can be seen has all its bytes, also after a power cut.
 */
export async function createDiskBlobStore(root: string): Promise<BlobStore> {
  const published = join(root, PUBLISHED);
  const staging = join(root, STAGING);
  await mkdir(published, { recursive: true });
  await mkdir(staging, { recursive: true });

  // One sync does for all that were renamed before it began.
  const syncPublished = together<void>(() => syncFolder(published));

  return {
    landsLate: false,

    async stage(
      name: string,
      source: Readable,
      signal: AbortSignal,
      look: (chunk: Uint8Array) => void = () => undefined,
    ): Promise<StagedBlob> {
      const path = join(staging, name);
      await guarded(() => writeDurably(path, source, signal, look), 'unavailable');
      return { name, path };
    },

    async publish(staged: StagedBlob, key: string): Promise<void> {
      await guarded(async () => {
        await rename(staged.path, join(published, key));
        passed('published');
        await syncPublished();
        passed('folder-synced');
      });
    },

    async place(staged: StagedBlob, key: string): Promise<void> {
      await guarded(() => rename(staged.path, join(published, key)));
    },

    async settle(): Promise<void> {
      await guarded(() => syncFolder(published), 'unavailable');
    },

    async unstage(name: string): Promise<void> {
      await guarded(async () => {
        if (!(await removeFile(join(staging, name)))) return;
        passed('unstaged');
        await syncFolder(staging);
      });
    },

    async open(key: string): Promise<OpenBlob> {
      return await guarded(async () => {
        // O_NOFOLLOW: a link in the folder is nothing we put there.
        const file = await open(join(published, key), constants.O_RDONLY | constants.O_NOFOLLOW);
        try {
          const { size } = await file.stat();
          return {
            size,
            transfer: (start, end, sink) => transferBlocks(file, start, end, sink),
            close: () => file.close(),
          };
        } catch (error) {
          await file.close();
          throw error;
        }
      });
    },

    async remove(keys: readonly string[]): Promise<void> {
      await guarded(async () => {
        let removed = false;
        for (const key of keys) removed = (await removeFile(join(published, key))) || removed;
        if (!removed) return;
        passed('bytes-removed');
        await syncFolder(published);
      });
    },

    list: () => filesIn(published),

    listStaged: () => filesIn(staging),

    async mark(): Promise<number> {
      const text = await guarded(() => readFile(join(root, MARK), 'utf8')).catch((error: unknown) => {
        if (error instanceof BlobError && error.code === 'not-found') return '';
        throw error;
      });
      return /^\d{1,15}$/.test(text) ? Number(text) : 0;
    },

    async setMark(mark: number): Promise<void> {
      // Each under a name of its own, since several processes may do this at the same time.
      const draft = join(root, `${MARK}-${hostname()}-${process.pid}`);
      await guarded(async () => {
        await writeFile(draft, String(mark));
        await rename(draft, join(root, MARK));
      }, 'unavailable');
    },

    async check(): Promise<void> {
      await guarded(async () => {
        await access(staging, constants.W_OK);
        await access(published, constants.W_OK);
      }, 'unavailable');
    },

    async checkReading(): Promise<void> {
      await guarded(async () => {
        await access(staging, constants.R_OK | constants.X_OK);
        await access(published, constants.R_OK | constants.X_OK);
      }, 'unavailable');
    },
  };
}
