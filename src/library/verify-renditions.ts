import type { BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import {
  forgetRendition,
  type RenditionEntry,
  stillRendered,
  walkRenditions,
} from '../catalogue/renditions.ts';
import { mapBounded } from './bounded.ts';
import type { Finding } from './findings.ts';
import type { Progress } from './verify.ts';
import { faultOfBytes } from './verify-bytes.ts';

const LOOKED_AT_ONCE = 16;
const READ_AT_ONCE = 4;

interface BadRendition {
  readonly entry: RenditionEntry;
  readonly finding: Finding;
}

/** Yields each rendition whose bytes or whose row in the ledger are not as they should be. */
export async function* findBadRenditions(
  db: Database,
  blobs: BlobStore,
  deep: boolean,
  progress: Progress,
): AsyncGenerator<Finding> {
  for await (const { finding } of badRenditions(db, blobs, deep, progress)) yield finding;
}

/** Has every rendition that is not as it should be made again, and returns how many: nothing else knows their bytes. */
export async function forgetBadRenditions(
  db: Database,
  blobs: BlobStore,
  deep: boolean,
  progress: Progress,
  leaseMs: number,
): Promise<number> {
  let forgotten = 0;
  for await (const { entry } of badRenditions(db, blobs, deep, progress)) {
    if (await forgetRendition(db, entry.blobName, leaseMs)) forgotten += 1;
  }
  return forgotten;
}

async function* badRenditions(
  db: Database,
  blobs: BlobStore,
  deep: boolean,
  progress: Progress,
): AsyncGenerator<BadRendition> {
  for await (const entries of walkRenditions(db)) {
    const suspects = await mapBounded(entries, deep ? READ_AT_ONCE : LOOKED_AT_ONCE, async (entry) => {
      const fault = await faultOf(blobs, entry, deep, progress);
      progress.renditions += 1;
      return fault === undefined ? [] : [{ entry, finding: { kind: 'bad-rendition', ...fault } as const }];
    });
    const bad = suspects.flat();
    // Rows go before their bytes: one that is still there now was not being deleted while we looked.
    const names = bad.map(({ entry }) => entry.blobName);
    const there = bad.length === 0 ? new Set<string>() : await stillRendered(db, names);
    yield* bad.filter(({ entry }) => there.has(entry.blobName));
  }
}

async function faultOf(blobs: BlobStore, entry: RenditionEntry, deep: boolean, progress: Progress) {
  const { blobName, extension, state, fileSize, sha256 } = entry;
  const key = `${blobName}.${extension ?? 'unknown'}`;
  if (state !== 'kept') return { subject: key, detail: `the ledger says ${state ?? 'nothing of it'}` };
  const fault = await faultOfBytes(blobs, { key, fileSize, sha256 }, deep, progress);
  return fault && { subject: key, detail: `${fault.kind}: ${fault.detail}` };
}
