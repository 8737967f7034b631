import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { AudioFacts, Inspector } from '../audio/inspector.ts';
import { BlobError, type BlobStore, type StagedBlob } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { renewLease } from '../catalogue/ledger.ts';
import { passed } from '../steps.ts';
import type { AnnouncedNames } from './announced-names.ts';
import { LibraryError } from './errors.ts';
import { lostPlace } from './faults.ts';
import { holdLease, type Lease } from './lease.ts';

export interface ReceiveDeps {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly inspector: Inspector;
  readonly names: AnnouncedNames;
  readonly maxUploadBytes: number;
  readonly uploadLeaseMs: number;
  /** Told of a clean-up that failed; the sweeper will come back for it. */
  readonly onLeftBehind: (error: unknown) => void;
}

/** Audio that arrived whole, is durable and was found fit, but belongs to no prompt yet. */
export interface ReceivedRecording {
  readonly name: string;
  /** Bytes. */
  readonly fileSize: number;
  readonly sha256: string;
  readonly facts: AudioFacts;
  readonly staged: StagedBlob;
  readonly lease: Lease;
  /** Removes the bytes and their ledger row. Never rejects: what it cannot remove, the sweeper will. */
  discard(): Promise<void>;
}

/**
 * Takes arriving bytes in one pass: counts, hashes and stores them, then looks what they are. Memory does not
 * grow with their number, and no transaction is open meanwhile. On any refusal or fault nothing stays.
 *
 * @throws LibraryError `file-too-large` (as soon as the limit is passed), `file-empty`, `unsupported-format`,
 *   `unreadable-audio`, `upload-interrupted`, and what the stores fail with.
 */
export async function receive(
  deps: ReceiveDeps,
  source: Readable,
  signal: AbortSignal,
): Promise<ReceivedRecording> {
  const { db, blobs, names, uploadLeaseMs } = deps;
  const name = await names.take();
  passed('announced');
  const lease = holdLease(() => renewLease(db, name, uploadLeaseMs), uploadLeaseMs, lostPlace);

  const discard = async () => {
    lease.release();
    try {
      await blobs.unstage(name);
    } catch (error) {
      deps.onLeftBehind(error);
      return;
    }
    await names.giveBack(name);
  };

  try {
    const meter = createMeter(deps.maxUploadBytes);
    const stop = AbortSignal.any([signal, lease.signal]);
    const staged = await blobs.stage(name, source, stop, meter.look).catch((error: unknown) => {
      throw causeOf(error, lease);
    });
    const { fileSize, sha256 } = meter.result();
    if (fileSize === 0) {
      throw new LibraryError('file-empty', 'The file is empty; upload a file with audio in it.');
    }
    const facts = await factsOf(deps.inspector, staged.path, stop);
    passed('inspected');
    return { name, fileSize, sha256, facts, staged, lease, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

/** Hashing where the chunk passes costs no copy and no thread. */
function createMeter(limit: number) {
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    look(chunk: Uint8Array): void {
      bytes += chunk.byteLength;
      if (bytes > limit) throw tooLarge(limit);
      hash.update(chunk);
    },
    result: () => ({ fileSize: bytes, sha256: hash.digest('hex') }),
  };
}

async function factsOf(inspector: Inspector, path: string, signal: AbortSignal): Promise<AudioFacts> {
  const inspection = await inspector.inspect(path, signal).catch((cause: unknown) => {
    if (signal.aborted) throw signal.reason;
    // Whatever the bytes do is a verdict; only for want of a descriptor, a thread or the disk there is none.
    throw new BlobError('unavailable', 'The bytes that arrived cannot be read.', { cause });
  });
  if (inspection.fit) return inspection.facts;
  const code = inspection.reason === 'unsupported' ? 'unsupported-format' : 'unreadable-audio';
  throw new LibraryError(code, inspection.why);
}

export function tooLarge(limit: number): LibraryError {
  return new LibraryError(
    'file-too-large',
    `The file is larger than ${limit} bytes, the most that this service takes; shorten or compress it.`,
  );
}

/** Whatever else ends the source is a client that went away or a body that broke off. */
function causeOf(error: unknown, lease: Lease): unknown {
  if (lease.signal.aborted) return lease.signal.reason;
  if (error instanceof LibraryError || error instanceof BlobError) return error;
  return new LibraryError(
    'upload-interrupted',
    'The upload ended before the file was complete; send it again.',
    { cause: error },
  );
}
