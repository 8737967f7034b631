import type { Readable } from 'node:stream';

/** Bytes that arrived whole, but have no key yet. */
export interface StagedBlob {
  readonly name: string;
  /** A local file to inspect. */
  readonly path: string;
}

/** Takes bytes; they are its own only until the promise it returns settles. */
export type ByteSink = (bytes: Uint8Array) => Promise<void>;

/** Bytes of a blob from `start` up to, not including, `end`. */
export interface BlobPart {
  readonly start: number;
  readonly end: number;
}

/** A blob opened for reading. It holds a descriptor, or a place in memory, until it is closed. */
export interface OpenBlob {
  /** Bytes. */
  readonly size: number;
  /**
   * Hands the bytes from `start` up to, not including, `end` to the sink, in order, as fast as it takes them;
   * memory does not grow with their number. Rejects with whatever the sink rejects with, and with a BlobError
   * when the blob ends before `end`.
   */
  transfer(start: number, end: number, sink: ByteSink): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** One blob as the store knows it, for comparing the store with the ledger. */
export interface StoredBlob {
  readonly key: string;
  readonly size: number;
}

/** What is said of a blob to who fetches it by a link. */
export interface LinkHeaders {
  readonly contentType: string;
  readonly cacheControl: string;
  readonly contentDisposition?: string | undefined;
}

/**
 * The bytes under their keys. Keys and names are ours, always fresh and never reused, so nothing is ever
 * overwritten. Every promise rejects with a BlobError when the store is to blame.
 */
export interface BlobStore {
  /**
   * Whether a publish that was given up may still bring its bytes for a while. Then whoever removes them keeps their
   * row in the ledger, so that the sweeper removes them once more when its lease is over.
   */
  readonly landsLate: boolean;
  /**
   * Writes all of `source` under a staging name. Memory does not grow with the length. Each chunk is shown to `look`
   * before it is taken, and what that throws ends it. When it rejects, because of the source, the signal, `look` or the
   * store, nothing is left, and the source is destroyed.
   */
  stage(
    name: string,
    source: Readable,
    signal: AbortSignal,
    look?: (chunk: Uint8Array) => void,
  ): Promise<StagedBlob>;
  /**
   * Makes staged bytes the blob `key`, at once and whole; bytes and key are durable when this resolves. Where it takes
   * time, that is bounded, and the signal ends it sooner. When it rejects the staged bytes may be gone.
   *
   * @throws BlobError `not-found` when the staged bytes are gone before
   */
  publish(staged: StagedBlob, key: string, signal?: AbortSignal): Promise<void>;
  /**
   * As `publish`, for many at a time: the key is there at once, and durable when `settle` resolves after it.
   *
   * @throws BlobError `not-found` when the staged bytes are gone before
   */
  place(staged: StagedBlob, key: string, signal?: AbortSignal): Promise<void>;
  /** Makes every key durable that is there, whoever put it there. */
  settle(): Promise<void>;
  /** Removes staged bytes; it is no fault if there are none. */
  unstage(name: string): Promise<void>;
  /**
   * `first`, where it is known, is what is going to be read first: a store that is far away begins to bring it.
   *
   * @throws BlobError `not-found`
   */
  open(key: string, first?: BlobPart): Promise<OpenBlob>;
  /**
   * Where somebody can fetch a blob without us, for a few minutes and said with these headers. Only in a store whose
   * operator wants that; whether the blob is there is not looked at.
   */
  link?(key: string, headers: LinkHeaders): Promise<string>;
  /** Removes blobs; it is no fault if some are not there. They do not come back after a power cut. */
  remove(keys: readonly string[]): Promise<void>;
  /** Every published blob, in no order. Memory does not grow with their number. */
  list(): AsyncIterable<StoredBlob>;
  /** Everything staged on this machine, whole or not, under its name as the key, in no order. */
  listStaged(): AsyncIterable<StoredBlob>;
  /** The number that was marked last; 0 when none was, or when it was lost. */
  mark(): Promise<number>;
  /** Keeps a number beside the blobs. A power cut may take it back to an older one. */
  setMark(mark: number): Promise<void>;
  /** Resolves when the store can take bytes. */
  check(): Promise<void>;
  /** Resolves when blobs can be listed and read, also where none can be written. */
  checkReading(): Promise<void>;
}

/**
 * - `not-found`: no such blob.
 * - `full`: no space, no inodes or no quota left.
 * - `unavailable`: the store is away, refuses, or has no descriptor left.
 */
export type BlobErrorCode = 'not-found' | 'full' | 'unavailable';

export class BlobError extends Error {
  override readonly name = 'BlobError';
  readonly code: BlobErrorCode;

  constructor(code: BlobErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A store cannot be used with the settings that it was given; the message tells the operator why. */
export class BlobSettingsError extends Error {
  override readonly name = 'BlobSettingsError';
}
