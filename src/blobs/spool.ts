import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { isRunning } from '../is-running.ts';
import { passed } from '../steps.ts';
import { BlobError, type StoredBlob } from './blob-store.ts';
import { writeLoosely } from './durable-file.ts';
import { filesIn, guarded, removeFile } from './files.ts';

/** A folder for what arrives until it is somewhere else; what is in it may be lost with the machine. */
export interface Spool {
  /**
   * Writes all of `source` into a file of this name and resolves with its path. When it rejects there is no file, and
   * the source is destroyed.
   *
   * @throws BlobError `full` when all files together would have more bytes than the spool may
   */
  take(
    name: string,
    source: Readable,
    signal: AbortSignal,
    look: (chunk: Uint8Array) => void,
  ): Promise<string>;
  /** Removes a file, whichever process of this machine wrote it; it is no fault if there is none. */
  drop(name: string): Promise<void>;
  /** The files of all processes of this machine. */
  list(): AsyncIterable<StoredBlob>;
  /** Resolves when files can be written. */
  check(): Promise<void>;
}

/** A folder in which nothing moved for so long belongs to nobody any more, ms. */
const FORGOTTEN_AFTER = 24 * 3600 * 1000;

/** Folders of this process: a number that is ours may have been another's before. */
const ours = new Set<string>();

/**
 * Opens a spool below `root`, which several processes of a machine may share: each has a folder of its own, and those of
 * processes that ended are removed here. `maxBytes` bounds what this process has in it.
 */
export async function openSpool(root: string, maxBytes: number): Promise<Spool> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const own = await mkdtemp(join(root, `${hostname()}-${process.pid}-`));
  ours.add(own);
  await clearAbandoned(root);
  const sizes = new Map<string, number>();
  let used = 0;

  const release = (name: string) => {
    used -= sizes.get(name) ?? 0;
    sizes.delete(name);
  };

  return {
    async take(name, source, signal, look) {
      const path = join(own, name);
      let taken = 0;
      const count = (chunk: Uint8Array) => {
        look(chunk);
        if (used + chunk.byteLength > maxBytes) throw new BlobError('full', FULL);
        used += chunk.byteLength;
        taken += chunk.byteLength;
      };
      try {
        await guarded(async () => {
          // Who tidies up may take an empty folder away.
          await mkdir(own, { recursive: true, mode: 0o700 });
          await writeLoosely(path, source, signal, count);
        }, 'unavailable');
      } catch (error) {
        used -= taken;
        source.on('error', () => undefined).destroy();
        throw error;
      }
      sizes.set(name, taken);
      return path;
    },

    async drop(name) {
      await guarded(async () => {
        const isOwn = sizes.has(name);
        const folders = isOwn ? [own] : await foldersIn(root);
        for (const folder of folders) {
          if (await removeFile(join(folder, name))) passed('unstaged');
        }
        if (isOwn) release(name);
      });
    },

    async *list() {
      for (const folder of await guarded(() => foldersIn(root), 'unavailable')) {
        // One that went away meanwhile has nothing in it.
        if (await isThere(folder)) yield* filesIn(folder);
      }
    },

    async check() {
      await guarded(() => access(root, constants.W_OK | constants.X_OK), 'unavailable');
    },
  };
}

const FULL = 'The spool for what arrives is full.';

async function foldersIn(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(root, name));
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Never rejects: what cannot be removed now is tried at the next start. */
async function clearAbandoned(root: string): Promise<void> {
  for (const folder of await foldersIn(root).catch(() => [])) {
    if (await isAbandoned(folder).catch(() => false)) {
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

async function isAbandoned(folder: string): Promise<boolean> {
  if (ours.has(folder)) return false;
  const [, host, pid] = /([^/]+)-(\d+)-[^-/]{6}$/.exec(folder) ?? [];
  if (host === undefined) return false;
  // Of another host or container nobody here knows which of its processes run.
  if (host === hostname() && (Number(pid) === process.pid || !isRunning(Number(pid)))) return true;
  return Date.now() - (await lastMoved(folder)) > FORGOTTEN_AFTER;
}

async function lastMoved(folder: string): Promise<number> {
  const names = await readdir(folder);
  const times = await Promise.all(
    ['.', ...names].map(async (name) => (await stat(join(folder, name))).mtimeMs),
  );
  return Math.max(...times);
}
