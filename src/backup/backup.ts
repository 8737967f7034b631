import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import process from 'node:process';
import type { BlobStore } from '../blobs/blob-store.ts';
import { syncFolder } from '../blobs/sync-folder.ts';
import type { Database } from '../catalogue/database.ts';
import { DUMPED_TABLES, dump } from '../catalogue/dump.ts';
import { isRunning } from '../is-running.ts';
import { copyRecordings } from './copy-recordings.ts';
import { copySecret } from './copy-secret.ts';
import { BackupError, type Manifest, RECORDINGS, readManifest, SECRET, writeManifest } from './manifest.ts';
import { createTableWriter } from './table-files.ts';

/** How far a backup or a restore has come; grows while it runs. */
export interface CopyProgress {
  /** Recordings. */
  files: number;
  bytes: number;
}

export interface BackupOptions {
  /** Where the backup shall be: nothing or an empty folder is there, and its parent is. */
  readonly folder: string;
  /** An older backup on the same disk: what it has whole is linked and not copied. */
  readonly previous: string | undefined;
  /** The file of the secret for tokens; undefined when the operator keeps it elsewhere. */
  readonly secretFile: string | undefined;
  readonly progress: CopyProgress;
}

/**
 * Makes a backup while the service runs, and returns its manifest. First the rows, as they are at one instant, then
 * the audio of each, which never changes under its key. A prompt that is deleted in between has no audio any more
 * and is left out; so the backup holds all that was acknowledged before it began and not deleted before its end.
 *
 * The folder appears under its name at once and whole, or not at all.
 *
 * @throws BackupError, CatalogueError, BlobError
 */
export async function createBackup(
  db: Database,
  blobs: BlobStore,
  { folder, previous, secretFile, progress }: BackupOptions,
): Promise<Manifest> {
  const older =
    previous === undefined ? undefined : { folder: previous, manifest: await readManifest(previous) };
  const target = resolve(folder);
  const draft = await openDraft(target);
  try {
    const createdOn = new Date().toISOString();
    const { facts, tables } = await dumpTables(db, draft);
    const copied = await copyRecordings(db, blobs, { folder: draft, previous: older, progress });
    if (secretFile !== undefined) await copySecret(secretFile, join(draft, SECRET));
    const manifest = {
      created_on: createdOn,
      migrations: [...facts.migrations],
      last_ids: facts.lastIds,
      tables,
      recordings: { files: progress.files, bytes: progress.bytes },
      deleted_meanwhile: [...copied.deleted],
      faults: [...copied.faults],
    };
    await rm(join(draft, OWNER));
    await writeManifest(draft, manifest);
    await syncFolder(join(draft, RECORDINGS));
    await syncFolder(draft);
    await rename(draft, target);
    await syncFolder(dirname(target));
    return { format: 1, ...manifest };
  } catch (error) {
    // What kept the backup from being made is what the operator must see.
    await rm(draft, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}

/** In a backup that is being made: by whom. */
const OWNER = 'being-made-by';

/** A folder beside the target. One that a killed process left is made anew. */
async function openDraft(target: string): Promise<string> {
  await assertNothingAt(target);
  const draft = join(dirname(target), `.${basename(target)}.partial`);
  const owner = await readFile(join(draft, OWNER), 'utf8').catch(() => undefined);
  if (owner !== undefined && isAtWork(owner)) {
    throw new BackupError(
      `Another backup to ${target} is being made; wait for it, or remove ${draft} if it was broken off.`,
    );
  }
  try {
    await rm(draft, { recursive: true, force: true });
    // Not recursive: where the parent is not there, a disk may not be mounted.
    await mkdir(draft, { mode: 0o700 });
    await mkdir(join(draft, RECORDINGS), { mode: 0o700 });
    await writeFile(join(draft, OWNER), `${hostname()} ${process.pid}`, { mode: 0o600 });
  } catch (cause) {
    throw new BackupError(`No folder can be made in ${dirname(target)}; name one that you may write to.`, {
      cause,
    });
  }
  return draft;
}

async function assertNothingAt(target: string): Promise<void> {
  const entries = await readdir(target).catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? [] : ['something'],
  );
  if (entries.length > 0) {
    throw new BackupError(`${target} is there already; name a folder that does not exist yet.`);
  }
}

/** Of a process on another machine nobody here knows; it counts as at work. */
function isAtWork(owner: string): boolean {
  const [host, pid] = owner.split(' ');
  if (host !== hostname()) return true;
  return Number(pid) !== process.pid && isRunning(Number(pid));
}

async function dumpTables(db: Database, draft: string) {
  const writer = createTableWriter(draft, DUMPED_TABLES);
  try {
    await writer.open();
    const facts = await dump(db, (table, lines) => inBackupTerms(draft, () => writer.take(table, lines)));
    return { facts, tables: await inBackupTerms(draft, () => writer.finish()) };
  } finally {
    await writer.close();
  }
}

/** What fails at the backup's own files must not be taken for a failure of the library. */
async function inBackupTerms<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BackupError(`The backup in ${dirname(folder)} cannot be written: ${reason}.`, { cause });
  }
}
