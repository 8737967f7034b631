import { createHash } from 'node:crypto';
import { link, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BlobError, type BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { stillRecorded } from '../catalogue/recordings.ts';
import { mapBounded } from '../library/bounded.ts';
import { keyOfRow } from '../library/verify-recordings.ts';
import type { CopyProgress } from './backup.ts';
import { BackupError, RECORDINGS } from './manifest.ts';
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

interface Outcome {
  readonly recording: DumpedRecording;
  /** Undefined when the copy is whole. */
  readonly fault: string | undefined;
  readonly isMissing: boolean;
}

/**
 * Copies the audio of every recording that the backup's tables name, each held against its sha256 on the way. What
 * is missing because its prompt was deleted meanwhile is told apart from what should be there.
 */
export async function copyRecordings(
  db: Database,
  blobs: BlobStore,
  options: {
    readonly folder: string;
    readonly previous: string | undefined;
    readonly progress: CopyProgress;
  },
): Promise<{
  readonly deleted: readonly string[];
  readonly faults: readonly { key: string; reason: string }[];
}> {
  const deleted: string[] = [];
  const faults: { key: string; reason: string }[] = [];
  for await (const batch of dumpedRecordings(options.folder)) {
    const outcomes = await mapBounded(batch, AT_ONCE, (recording) => copyOne(blobs, recording, options));
    const missing = outcomes.filter(({ isMissing }) => isMissing).map(({ recording }) => recording.blobName);
    const there = missing.length === 0 ? new Set<string>() : await stillRecorded(db, missing);
    for (const { recording, fault, isMissing } of outcomes) {
      if (isMissing && !there.has(recording.blobName)) deleted.push(recording.blobName);
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

async function copyOne(
  blobs: BlobStore,
  recording: DumpedRecording,
  options: {
    readonly folder: string;
    readonly previous: string | undefined;
    readonly progress: CopyProgress;
  },
): Promise<Outcome> {
  const { folder, previous, progress } = options;
  const target = join(folder, RECORDINGS, recording.key);
  const isLinked =
    previous !== undefined && (await linked(join(previous, RECORDINGS, recording.key), target, recording));
  const outcome = isLinked
    ? { recording, fault: undefined, isMissing: false }
    : await copied(blobs, recording, target);
  if (!outcome.isMissing) {
    progress.files += 1;
    progress.bytes += recording.fileSize;
  }
  return outcome;
}

/** A backup's files never change, so two backups may share one. */
async function linked(source: string, target: string, { fileSize }: DumpedRecording): Promise<boolean> {
  try {
    if ((await stat(source)).size !== fileSize) return false;
    await link(source, target);
    return true;
  } catch {
    // Not there, on another disk, or with too many links: it is copied.
    return false;
  }
}

async function copied(blobs: BlobStore, recording: DumpedRecording, target: string): Promise<Outcome> {
  const blob = await blobs.open(recording.key).catch((error: unknown) => {
    if (error instanceof BlobError && error.code === 'not-found') return undefined;
    throw error;
  });
  if (blob === undefined) return { recording, fault: 'missing', isMissing: true };
  try {
    const file = await open(target, 'wx', 0o600).catch(cannotWrite);
    try {
      const hash = createHash('sha256');
      await blob.transfer(0, blob.size, async (bytes) => {
        hash.update(bytes);
        await file.writeFile(bytes).catch(cannotWrite);
      });
      await file.sync().catch(cannotWrite);
      const isWhole = hash.digest('hex') === recording.sha256;
      return { recording, fault: isWhole ? undefined : 'damaged', isMissing: false };
    } finally {
      await file.close();
    }
  } finally {
    await blob.close();
  }
}

function cannotWrite(cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new BackupError(`The backup cannot be written: ${reason}.`, { cause });
}
