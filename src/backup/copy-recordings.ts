import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BlobError, type BlobStore, type OpenBlob } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { stillRecorded } from '../catalogue/recordings.ts';
import { mapBounded } from '../library/bounded.ts';
import { isOfStore } from '../library/verify-bytes.ts';
import { keyOfRow } from '../library/verify-recordings.ts';
import type { CopyProgress } from './backup.ts';
import { BackupError, type Manifest, RECORDINGS } from './manifest.ts';
import { readTable } from './table-files.ts';

/** Files copied together. */
const AT_ONCE = 4;
const BATCH = 200;

/** A recording as its row was dumped. */
export interface DumpedRecording {
  readonly blobName: string;
  readonly key: string;
  /** Bytes. */
  readonly fileSize: number;
  readonly sha256: string;
}

/** Undefined when the copy is whole; a damaged recording is copied as it is. */
type Fault = 'missing' | 'unreadable' | 'damaged' | undefined;

interface CopyOptions {
  readonly folder: string;
  readonly previous: { readonly folder: string; readonly manifest: Manifest } | undefined;
  readonly progress: CopyProgress;
}

/**
 * Copies the audio of every recording that the backup's tables name, each held against its sha256 on the way. What
 * is missing because its prompt was deleted meanwhile is told apart from what should be there.
 *
 * @throws BlobError when the store is away; one bad file is a fault
 */
export async function copyRecordings(
  db: Database,
  blobs: BlobStore,
  options: CopyOptions,
): Promise<{
  readonly deleted: readonly string[];
  readonly faults: readonly { key: string; reason: string }[];
}> {
  const deleted: string[] = [];
  const faults: { key: string; reason: string }[] = [];
  const notToLink = new Set(options.previous?.manifest.faults.map(({ key }) => key));
  for await (const batch of dumpedRecordings(options.folder)) {
    const outcomes = await mapBounded(batch, AT_ONCE, async (recording) => ({
      recording,
      fault: await copyOne(blobs, recording, options, notToLink),
    }));
    const lacking = outcomes.filter(({ fault }) => isLacking(fault));
    const names = lacking.map(({ recording }) => recording.blobName);
    const there = names.length === 0 ? new Set<string>() : await stillRecorded(db, names);
    for (const { recording, fault } of outcomes) {
      if (isLacking(fault) && !there.has(recording.blobName)) deleted.push(recording.blobName);
      else if (fault !== undefined) faults.push({ key: recording.key, reason: fault });
    }
  }
  return { deleted, faults };
}

/** The recordings of a backup, some at a time. */
export async function* dumpedRecordings(folder: string): AsyncGenerator<readonly DumpedRecording[]> {
  const batch: DumpedRecording[] = [];
  for await (const line of readTable(folder, 'recordings')) {
    const row = JSON.parse(line) as {
      blob_name: string;
      container: string;
      file_size: number;
      sha256: string;
    };
    const { blob_name: blobName, container, file_size: fileSize, sha256 } = row;
    batch.push({ blobName, key: keyOfRow({ blobName, container }), fileSize, sha256 });
    if (batch.length === BATCH) yield batch.splice(0);
  }
  if (batch.length > 0) yield batch;
}

/** Has the backup no file of it? */
const isLacking = (fault: Fault) => fault === 'missing' || fault === 'unreadable';

async function copyOne(
  blobs: BlobStore,
  recording: DumpedRecording,
  { folder, previous, progress }: CopyOptions,
  notToLink: ReadonlySet<string>,
): Promise<Fault> {
  const target = join(folder, RECORDINGS, recording.key);
  const isLinked =
    previous !== undefined &&
    !notToLink.has(recording.key) &&
    (await linked(join(previous.folder, RECORDINGS, recording.key), target, recording));
  const fault = isLinked ? undefined : await copied(blobs, recording, target);
  if (!isLacking(fault)) {
    progress.files += 1;
    progress.bytes += recording.fileSize;
  }
  return fault;
}

/**
 * A backup's files never change, so two backups may share one; but a disk may have damaged it since. It is read
 * before it is shared, since a fault that is linked would be in every backup to come.
 */
async function linked(
  source: string,
  target: string,
  { fileSize, sha256 }: DumpedRecording,
): Promise<boolean> {
  try {
    if ((await stat(source)).size !== fileSize) return false;
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(source) as AsyncIterable<Buffer>) hash.update(chunk);
    if (hash.digest('hex') !== sha256) return false;
    await link(source, target);
    return true;
  } catch {
    // Not there, not readable, on another disk, or with too many links: it is copied.
    return false;
  }
}

async function copied(blobs: BlobStore, recording: DumpedRecording, target: string): Promise<Fault> {
  try {
    const blob = await blobs.open(recording.key);
    try {
      return (await writtenHash(blob, target)) === recording.sha256 ? undefined : 'damaged';
    } finally {
      await blob.close();
    }
  } catch (error) {
    if (!isOfStore(error)) throw error;
    if (error instanceof BlobError && error.code === 'not-found') return 'missing';
    // One bad file is a fault, a store that is away is the end of the backup.
    await blobs.checkReading();
    await rm(target, { force: true }).catch(cannotWrite);
    return 'unreadable';
  }
}

/** Writes all of a blob to a new file, durable when this resolves to the sha256 of it. */
async function writtenHash(blob: OpenBlob, target: string): Promise<string> {
  const file = await open(target, 'wx', 0o600).catch(cannotWrite);
  try {
    const hash = createHash('sha256');
    await blob.transfer(0, blob.size, async (bytes) => {
      hash.update(bytes);
      await file.writeFile(bytes).catch(cannotWrite);
    });
    await file.sync().catch(cannotWrite);
    return hash.digest('hex');
  } finally {
    await file.close().catch(cannotWrite);
  }
}

function cannotWrite(cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new BackupError(`The backup cannot be written: ${reason}.`, { cause });
}
