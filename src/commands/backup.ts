import { type CopyProgress, createBackup } from '../backup/backup.ts';
import { type Destination, type Restorable, restoreBackup } from '../backup/restore.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { type Console, showProgress } from './console.ts';

/** What the operator asks of `backup`. */
export interface BackupRequest {
  readonly folder: string;
  readonly previous: string | undefined;
  /** Undefined: only where stderr is a terminal. */
  readonly progress: boolean | undefined;
  readonly secretFile: string | undefined;
}

/** Makes a backup and prints what is in it. @returns whether every prompt is in it with its audio */
export async function runBackup(
  db: Database,
  blobs: BlobStore,
  request: BackupRequest,
  console: Console,
): Promise<boolean> {
  const progress: CopyProgress = { files: 0, bytes: 0 };
  const bar = showProgress(console, request.progress, () => line(progress));
  const manifest = await createBackup(db, blobs, { ...request, progress }).finally(() => bar.end());
  for (const { key, reason } of manifest.faults) console.print(`${reason}\t${key}`);
  const deleted = manifest.deleted_meanwhile.length;
  const prompts = (manifest.tables['prompts']?.rows ?? 0) - deleted;
  console.print(`Backed up to ${request.folder}: prompts ${prompts}, ${line(progress)}.`);
  if (deleted > 0) console.print(`Deleted while it was made, and not in it: ${deleted}.`);
  if (manifest.faults.length > 0) {
    console.print(
      `Missing, damaged or unreadable in the library: ${manifest.faults.length}; "verify --deep" tells more.`,
    );
  }
  return manifest.faults.length === 0;
}

/** Restores a backup and prints what came back. @returns whether every prompt has its audio */
export async function runRestore(
  backup: Restorable,
  destination: Destination,
  wantsProgress: boolean | undefined,
  console: Console,
): Promise<boolean> {
  const progress: CopyProgress = { files: 0, bytes: 0 };
  const bar = showProgress(console, wantsProgress, () => line(progress));
  const lost = await restoreBackup(backup, destination, progress).finally(() => bar.end());
  for (const key of lost) console.print(`missing\t${key}`);
  console.print(`Restored, as it was on ${backup.manifest.created_on}: ${line(progress)}.`);
  if (lost.length > 0) console.print(`Missing or damaged in the backup: ${lost.length}.`);
  return lost.length === 0;
}

const line = ({ files, bytes }: CopyProgress) => `recordings ${files}, bytes ${bytes}`;
