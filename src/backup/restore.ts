import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { BlobStore } from '../blobs/blob-store.ts';
import { syncFolder } from '../blobs/sync-folder.ts';
import type { Database } from '../catalogue/database.ts';
import { countRows, DUMPED_TABLES, type DumpedTable, isBlank, load } from '../catalogue/dump.ts';
import { knownMigrations } from '../catalogue/migrate.ts';
import { mapBounded } from '../library/bounded.ts';
import type { CopyProgress } from './backup.ts';
import { type DumpedRecording, dumpedRecordings } from './copy-recordings.ts';
import { copySecret } from './copy-secret.ts';
import {
  assertStillThere,
  BackupError,
  type Manifest,
  RECORDINGS,
  readManifest,
  SECRET,
} from './manifest.ts';
import { assertTablesWhole, readTable } from './table-files.ts';

/** Files copied together. */
const AT_ONCE = 4;

/** In the data folder while a restore is on its way: which one. */
const MARKER = 'being-restored';

/** A backup that was looked at and can be restored. */
export interface Restorable {
  readonly folder: string;
  readonly manifest: Manifest;
  /** The migration that its rows are of; the database must be at it, and not beyond. */
  readonly schema: string;
}

/** Reads the manifest and every row of a backup. @throws BackupError when it is not whole, or from the future */
export async function openBackup(folder: string): Promise<Restorable> {
  const path = resolve(folder);
  const manifest = await readManifest(path);
  const unknown = manifest.migrations.filter((name) => !knownMigrations().includes(name));
  const schema = manifest.migrations.at(-1);
  if (unknown.length > 0 || schema === undefined) {
    throw new BackupError('The backup was made by a newer version of the service; restore it with that one.');
  }
  await assertTablesWhole(path, manifest.tables);
  return { folder: path, manifest, schema };
}

/** Where a backup is restored to. */
export interface Destination {
  readonly dataDir: string;
  readonly db: Database;
  readonly blobs: BlobStore;
  /** The file of the secret for tokens; undefined when the operator keeps it elsewhere. */
  readonly secretFile: string | undefined;
}

/**
 * Refuses a store that has audio in it: whatever lies there stays. One that an interrupted restore of the
 * same backup has begun is gone on with. To be called before anything is made there.
 *
 * @throws BackupError
 */
export async function assertRestorable(
  { folder, manifest }: Restorable,
  { dataDir, blobs }: Pick<Destination, 'dataDir' | 'blobs'>,
): Promise<void> {
  if ((await markerIn(dataDir)) === markFor(folder, manifest)) return;
  for (const list of [blobs.list(), blobs.listStaged()]) {
    for await (const { key } of list) {
      throw new BackupError(
        `The store is not empty (it has ${key}); set DATA_DIR to an empty folder, or S3_BUCKET or S3_PREFIX to an empty place, and restore there.`,
      );
    }
  }
}

/**
 * Puts a backup into an empty data folder and a blank database of its schema: the audio first, each file held
 * against its sha256, then all rows in one transaction. Until that commits there is no prompt. Returns the keys
 * whose audio the backup has not, or not whole: their prompts are there without it.
 *
 * @throws BackupError when the database is not blank, or the backup is away
 */
export async function restoreBackup(
  backup: Restorable,
  { dataDir, db, blobs, secretFile }: Destination,
  progress: CopyProgress,
): Promise<readonly string[]> {
  const { folder, manifest } = backup;
  const isLoaded = !(await isBlank(db));
  // Of an interrupted restore the last step may have been done.
  const mayGoOn = (await markerIn(dataDir)) === markFor(folder, manifest) && (await holds(db, manifest));
  if (isLoaded && !mayGoOn) {
    throw new BackupError('The database is not empty; name a new one in DATABASE_URL, or a new DATA_DIR.');
  }
  await markBegun(dataDir, markFor(folder, manifest));
  const without = new Set(manifest.deleted_meanwhile);
  const lost: string[] = [];
  for await (const batch of dumpedRecordings(folder)) {
    const wanted = batch.filter(({ blobName }) => !without.has(blobName));
    const isWhole = await mapBounded(wanted, AT_ONCE, (recording) => restoreOne(blobs, folder, recording));
    for (const [index, { key, fileSize }] of wanted.entries()) {
      if (!isWhole[index]) lost.push(key);
      progress.files += 1;
      progress.bytes += fileSize;
    }
  }
  // Also for what an interrupted restore placed.
  await blobs.settle();
  if (secretFile !== undefined) await copySecret(join(folder, SECRET), secretFile);
  if (!isLoaded)
    await load(db, (table) => readTable(folder, table), { lastIds: manifest.last_ids }, [...without]);
  await rm(join(dataDir, MARKER));
  await syncFolder(dataDir);
  return lost;
}

/** Is a restore into this data folder on its way, or was it interrupted? */
export async function isBeingRestored(dataDir: string): Promise<boolean> {
  return (await markerIn(dataDir)) !== undefined;
}

async function markerIn(dataDir: string): Promise<string | undefined> {
  return await readFile(join(dataDir, MARKER), 'utf8').catch(() => undefined);
}

/** Durable when this resolves: after a power cut, audio without its mark would be taken for a finished restore. */
async function markBegun(dataDir: string, mark: string): Promise<void> {
  // Never half a mark, by which the same restore would not know its own audio again.
  const draft = join(dataDir, `${MARKER}.draft`);
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(mark);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, join(dataDir, MARKER));
  await syncFolder(dataDir);
}

/** Has the database just as many rows as the backup? */
async function holds(db: Database, { tables, deleted_meanwhile }: Manifest): Promise<boolean> {
  const counts = await countRows(db);
  const left = (table: DumpedTable) => (table === 'org_units' ? 0 : deleted_meanwhile.length);
  return DUMPED_TABLES.every((table) => counts[table] === (tables[table]?.rows ?? 0) - left(table));
}

const markFor = (folder: string, { created_on }: Manifest) => `${folder}\n${created_on}\n`;

/** Placed only when it is whole, not settled; false when it is not whole, or cannot be read. */
async function restoreOne(
  blobs: BlobStore,
  folder: string,
  { blobName, key, fileSize, sha256 }: DumpedRecording,
): Promise<boolean> {
  const path = join(folder, RECORDINGS, key);
  const size = await stat(path).then(
    (facts) => facts.size,
    () => undefined,
  );
  if (size === undefined) await assertStillThere(folder);
  if (size !== fileSize || (await isThere(blobs, key, fileSize))) return size === fileSize;
  // What an interrupted restore left.
  await blobs.unstage(blobName);
  const hash = createHash('sha256');
  const source = createReadStream(path);
  let isReadable = true;
  source.on('error', () => {
    isReadable = false;
  });
  const staged = await blobs
    .stage(blobName, source, new AbortController().signal, (chunk) => void hash.update(chunk))
    .catch((error: unknown) => {
      if (isReadable) throw error;
      return undefined;
    });
  if (staged === undefined) {
    await assertStillThere(folder);
    return false;
  }
  if (hash.digest('hex') !== sha256) {
    await blobs.unstage(blobName);
    return false;
  }
  await blobs.place(staged, key);
  return true;
}

/** Restored before the interruption: a key appears only with all its bytes. */
async function isThere(blobs: BlobStore, key: string, size: number): Promise<boolean> {
  const blob = await blobs.open(key).catch(() => undefined);
  await blob?.close();
  return blob?.size === size;
}
