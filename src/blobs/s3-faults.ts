import { BlobError } from './blob-store.ts';

/** What a request to an object store failed with: the store's own code, or that of the connection. */
interface Reason {
  readonly code: string;
  /** Of the answer; undefined when there was none. */
  readonly status: number | undefined;
}

/** Says any failure of a request to the object store as a BlobError. */
export function blobErrorFrom(error: unknown): BlobError {
  if (error instanceof BlobError) return error;
  const { code, status } = reasonOf(error);
  // Not the error itself: what a store writes there may repeat keys and signatures.
  const cause = new Error(status === undefined ? code : `${code} (${status})`);
  if (isMissing({ code, status })) return new BlobError('not-found', 'There is no such blob.', { cause });
  if (isFull({ code, status })) {
    return new BlobError('full', 'The object store has no room left.', { cause });
  }
  return new BlobError('unavailable', 'The object store cannot be used.', { cause });
}

/** A HEAD has no body that could tell a missing bucket from a missing object: see `open`. */
const isMissing = ({ code, status }: Reason) =>
  code === 'NoSuchKey' || (code === 'NotFound' && status === 404);

/** No two engines call it the same. */
const isFull = ({ code, status }: Reason) =>
  status === 507 || /(?:QuotaExceeded|StorageFull|InsufficientStorage)$/.test(code);

/** Whether the store itself refused, rather than not being reached or being too slow. */
export function wasAnswered(error: unknown): boolean {
  return reasonOf(error).status !== undefined;
}

/**
 * Whether the same request may do better a moment later: the store answered that it is busy or broken, or was not
 * reached, or the connection broke. Not when time ran out or somebody gave it up.
 */
export function isPassing(error: unknown): boolean {
  const { code, status } = reasonOf(error);
  if (PASSING.has(code)) return true;
  return status === 429 || status === 500 || status === 502 || status === 503 || status === 504;
}

const PASSING: ReadonlySet<string> = new Set([
  'SlowDown',
  'RequestTimeout',
  // The next try is signed by the clock of the store.
  'RequestTimeTooSkewed',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'EAI_AGAIN',
  'TimeoutError',
]);

/** What the operator has to mend, in one sentence; undefined for what may pass by itself. */
export function faultOfSettings(error: unknown): string | undefined {
  const { code, status } = reasonOf(error);
  if (error instanceof Error && /region is missing/i.test(error.message)) return 'S3_REGION is not set';
  const known = SETTINGS[code];
  if (known !== undefined) return `${known} (${code})`;
  return status === 301 || status === 400 || status === 403 ? `the store refuses it (${code})` : undefined;
}

const SETTINGS: Readonly<Record<string, string>> = {
  CredentialsProviderError: 'there are no credentials, in AWS_ACCESS_KEY_ID or elsewhere',
  NoSuchBucket: 'there is no bucket of the name in S3_BUCKET',
  AccessDenied: 'the credentials may not list the bucket',
  InvalidAccessKeyId: 'the store does not know the access key',
  SignatureDoesNotMatch: 'the secret access key is wrong',
  InvalidBucketName: 'S3_BUCKET is no name of a bucket',
  PermanentRedirect: 'S3_REGION or S3_ENDPOINT is that of another region',
  AuthorizationHeaderMalformed: 'S3_REGION is that of another region',
};

function reasonOf(error: unknown): Reason {
  if (!(error instanceof Error)) return { code: 'unknown', status: undefined };
  const status = statusOf(error);
  if (status !== undefined) return { code: error.name, status };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return { code, status };
}

function statusOf(error: Error): number | undefined {
  if (!('$metadata' in error) || typeof error.$metadata !== 'object' || error.$metadata === null)
    return undefined;
  const { $metadata } = error;
  return 'httpStatusCode' in $metadata && typeof $metadata.httpStatusCode === 'number'
    ? $metadata.httpStatusCode
    : undefined;
}
