import { v7 as uuidv7 } from 'uuid';
import { FORMATS } from '../audio/formats.ts';
import { BlobError } from '../blobs/blob-store.ts';
import { addPrompt } from '../catalogue/add-prompt.ts';
import { CatalogueError } from '../catalogue/catalogue-error.ts';
import { renewLease } from '../catalogue/ledger.ts';
import { isNameInUse } from '../catalogue/prompts.ts';
import { passed } from '../steps.ts';
import { lostPlace } from './faults.ts';
import { foldName, keyOf, type NewPromptDetails, type Prompt, type Recording } from './prompt.ts';
import type { ReceiveDeps, ReceivedRecording } from './receive.ts';
import { firstFreeNumber, numberedName } from './unique-name.ts';

/** Whether a name that is taken is refused, or made another: "Menu", "Menu (2)", "Menu (3)" … */
export type Naming = 'exact' | 'unique';

/** What adding needs beside what receiving does. */
export interface AddDeps extends ReceiveDeps {
  /** What an org unit without a quota of its own may keep, bytes; 0 = no bound. */
  readonly storageQuotaBytes: number;
  /** Whether renditions are made of what is added now. */
  readonly wantsRenditions: () => boolean;
}

/** How often a name that others took in the meantime is made anew. */
const NAMING_ATTEMPTS = 100;

/**
 * Makes a received recording a prompt: publishes its bytes, then commits the rows. When it rejects nothing
 * stays, except when the catalogue is `unavailable`: then nobody knows, and the ledger decides.
 */
export async function add(
  deps: AddDeps,
  received: ReceivedRecording,
  details: NewPromptDetails,
  naming: Naming,
): Promise<Prompt> {
  try {
    return await commit(deps, received, details, naming);
  } catch (error) {
    if (!isOutcomeUnknown(error)) await removeRefused(deps, received);
    throw error;
  } finally {
    received.lease.release();
  }
}

/** The answer of the database did not come: its statement may have been carried out. */
function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof CatalogueError && error.code === 'unavailable';
}

async function commit(
  deps: AddDeps,
  received: ReceivedRecording,
  { originalFilename, ...details }: NewPromptDetails,
  naming: Naming,
): Promise<Prompt> {
  const recording: Recording = {
    name: received.name,
    originalFilename,
    fileSize: received.fileSize,
    sha256: received.sha256,
    ...received.facts,
  };
  const uuid = uuidv7();
  await publish(deps, received, keyOf(recording));

  const insert = async (name: string): Promise<Prompt> => {
    passed('committing');
    const row = await addPrompt(
      deps.db,
      {
        ...details,
        ...received.facts,
        name,
        nameKey: foldName(name),
        originalFilename,
        uuid,
        blobName: received.name,
        fileSize: received.fileSize,
        sha256: received.sha256,
        extension: FORMATS[received.facts.container].extension,
        wantsRenditions: deps.wantsRenditions(),
      },
      deps.storageQuotaBytes,
    );
    if (row === undefined) throw lostPlace();
    passed('committed');
    return { ...details, ...row, name, uuid, recording };
  };
  return naming === 'exact' ? await insert(details.name) : await insertUnique(deps, details, insert);
}

async function insertUnique(
  { db }: ReceiveDeps,
  { orgUnitId, name }: Pick<NewPromptDetails, 'orgUnitId' | 'name'>,
  insert: (name: string) => Promise<Prompt>,
): Promise<Prompt> {
  const isTaken = (number: number) => isNameInUse(db, orgUnitId, foldName(numberedName(name, number)));
  let candidate = name;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await insert(candidate);
    } catch (error) {
      const isNameTaken = error instanceof CatalogueError && error.code === 'name-taken';
      if (!isNameTaken || attempt === NAMING_ATTEMPTS) throw error;
      candidate = numberedName(name, await firstFreeNumber(isTaken));
    }
  }
}

/** Bytes that are gone went with the sweeper. */
async function publish(deps: ReceiveDeps, received: ReceivedRecording, key: string): Promise<void> {
  const { blobs } = deps;
  if (blobs.landsLate) await confirmPlace(deps, received);
  try {
    await blobs.publish(received.staged, key, received.lease.signal);
  } catch (error) {
    throw error instanceof BlobError && error.code === 'not-found' ? lostPlace({ cause: error }) : error;
  }
}

/**
 * The sweeper cannot take back staged bytes that another machine has, and to send them takes a while. So they are sent
 * only with a whole lease ahead: it is not over, and nobody sweeps, before sending must be.
 */
async function confirmPlace({ db, uploadLeaseMs }: ReceiveDeps, received: ReceivedRecording): Promise<void> {
  try {
    if (!(await renewLease(db, received.name, uploadLeaseMs))) throw lostPlace();
  } catch (error) {
    await received.discard();
    throw error;
  }
}

async function removeRefused(
  { blobs, onLeftBehind }: ReceiveDeps,
  received: ReceivedRecording,
): Promise<void> {
  try {
    await blobs.remove([keyOf({ name: received.name, container: received.facts.container })]);
    // What was published may still land: the sweeper removes it once more when the lease is over.
    if (blobs.landsLate) return;
  } catch (error) {
    onLeftBehind(error);
    return;
  }
  await received.discard();
}
