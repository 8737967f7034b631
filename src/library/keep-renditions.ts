import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { RENDITIONS } from '../audio/renditions.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import type { NewRendition } from '../catalogue/finish-rendition-job.ts';
import { announce, renewLeases, strike } from '../catalogue/ledger.ts';
import type { MadeRendition } from '../conversion/render.ts';
import { lostPlace } from './faults.ts';
import { newRecordingName } from './recording-name.ts';

export interface KeepDeps {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly uploadLeaseMs: number;
  /** Told of a clean-up that failed; the sweeper will come back for it. */
  readonly onLeftBehind: (error: unknown) => void;
}

/** Blobs that are published, and belong to nothing until they are committed. */
export interface KeptRenditions {
  readonly rows: readonly NewRendition[];
  /** Removes bytes, and ledger rows unless bytes may land late. Never rejects: what it cannot remove, the sweeper will. */
  discard(): Promise<void>;
}

/** What files of renditions may take beyond the lease of an upload until they are committed, ms. */
const MORE = 5_000;

/**
 * Puts files into the store as blobs under fresh keys, announced in the ledger before the first byte and durable when
 * this resolves. When it rejects nothing stays.
 */
export async function keepRenditions(
  deps: KeepDeps,
  made: readonly MadeRendition[],
  signal: AbortSignal,
): Promise<KeptRenditions> {
  const { db, blobs, uploadLeaseMs, onLeftBehind } = deps;
  const named = made.map((one) => ({ ...one, blobName: newRecordingName() }));
  const names = named.map(({ blobName }) => blobName);
  await announce(db, names, uploadLeaseMs + MORE);

  let isPublishing = false;
  const discard = async () => {
    try {
      for (const name of names) await blobs.unstage(name);
      await blobs.remove(named.map(({ blobName, kind }) => keyOf(blobName, kind)));
      if (!blobs.landsLate || !isPublishing) await strike(db, names);
    } catch (error) {
      onLeftBehind(error);
    }
  };

  try {
    const rows: NewRendition[] = [];
    for (const { kind, path, blobName, codec, sampleRate, channels } of named) {
      const hash = createHash('sha256');
      let fileSize = 0;
      // Those before it may have taken a while, and each must be held until all are committed.
      if (!(await renewLeases(db, names, uploadLeaseMs + MORE))) throw lostPlace();
      const staged = await blobs.stage(blobName, createReadStream(path), signal, (chunk) => {
        hash.update(chunk);
        fileSize += chunk.byteLength;
      });
      isPublishing = true;
      await blobs.place(staged, keyOf(blobName, kind), signal);
      const { extension } = RENDITIONS[kind];
      rows.push({
        kind,
        blobName,
        extension,
        codec,
        sampleRate,
        channels,
        fileSize,
        sha256: hash.digest('hex'),
      });
    }
    await blobs.settle();
    return { rows, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

const keyOf = (blobName: string, kind: MadeRendition['kind']) => `${blobName}.${RENDITIONS[kind].extension}`;
