import type { BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { auditUsage, rebuildUsage } from '../catalogue/usage.ts';
import type { Finding } from './findings.ts';
import { sweep } from './sweeper.ts';
import { findStrayBlobs, findStrayEntries } from './verify-ledger.ts';
import { findBadRecordings } from './verify-recordings.ts';
import { findBadRenditions, forgetBadRenditions } from './verify-renditions.ts';

/** How far a verification has come; grows while it runs. */
export interface Progress {
  recordings: number;
  renditions: number;
  /** Of recordings and renditions, read and hashed. */
  bytesRead: number;
  ledgerRows: number;
  files: number;
}

export interface VerifyOptions {
  /** Also reads every byte and compares its sha256. */
  readonly deep: boolean;
  /** Kept up to date for whoever shows it. */
  readonly progress?: Progress;
}

/** A progress that has not begun. */
export const noProgress = (): Progress => ({
  recordings: 0,
  renditions: 0,
  bytesRead: 0,
  ledgerRows: 0,
  files: 0,
});

/**
 * Walks recordings, ledger, files and counters and reports where they differ. Changes nothing, takes no lock, and
 * memory does not grow with their number. It may run beside the service: whatever looks wrong is looked at again,
 * in the order in which the service works, so an upload or a delete on its way is never reported.
 *
 * @throws CatalogueError, BlobError when database or store cannot be asked
 */
export async function* verify(
  db: Database,
  blobs: BlobStore,
  { deep, progress = noProgress() }: VerifyOptions,
): AsyncGenerator<Finding> {
  await blobs.checkReading();
  yield* findBadRecordings(db, blobs, deep, progress);
  yield* findBadRenditions(db, blobs, deep, progress);
  yield* findStrayEntries(db, progress);
  yield* findStrayBlobs(db, blobs, progress);
  yield* findMiscounts(db);
}

/** What was mended. */
export interface Repairs {
  /** Blobs removed that were abandoned or deleted. */
  readonly swept: number;
  /** Counters of use that were wrong. */
  readonly recounted: number;
  /** Renditions that were not as they should be, and are made again by the service. */
  readonly forgotten: number;
}

/**
 * Mends what can be mended without guessing: removes what the ledger says is abandoned or deleted, exactly as the
 * sweeper does, counts anew what is counted wrong, and forgets renditions that are not as they should be, so that they
 * are made again; `deep` reads them for that. It removes no bytes that the ledger does not name and touches no prompt.
 *
 * @throws CatalogueError, BlobError before anything is done when the store cannot be written to
 */
export async function repair(
  db: Database,
  blobs: BlobStore,
  leaseMs: number,
  deep = false,
): Promise<Repairs> {
  await blobs.check();
  return {
    forgotten: await forgetBadRenditions(db, blobs, deep, noProgress(), leaseMs),
    swept: await sweep(db, blobs, leaseMs),
    recounted: await rebuildUsage(db),
  };
}

async function* findMiscounts(db: Database): AsyncGenerator<Finding> {
  for await (const { orgUnitId, messageType, counted, actual } of auditUsage(db)) {
    yield {
      kind: 'miscounted',
      subject: `org unit ${orgUnitId}, ${messageType}`,
      detail:
        `${actual.prompts} prompts of ${actual.bytes} bytes expected, ` +
        `${counted.prompts} of ${counted.bytes} counted`,
    };
  }
}
