import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';

/** Which bucket, and how it is reached. */
export interface S3Place {
  readonly bucket: string;
  /** Undefined: Amazon's own, of the region. */
  readonly endpoint: string | undefined;
  /** Undefined: what the SDK finds. */
  readonly region: string | undefined;
  /** What all keys begin with, with its last slash; may be empty. */
  readonly prefix: string;
}

/** A connection of its own for each kind of request, so that none waits for another. */
export interface S3Clients {
  /** For what is small and answered at once. */
  readonly quick: S3Client;
  /** For reading bytes, at the pace of whoever takes them. */
  readonly reading: S3Client;
  /** For writing bytes. */
  readonly writing: S3Client;
}

/** For a connection to be made, ms. */
const CONNECTING = 2_000;
/** For the answer to a small request, each time it is tried, ms. */
const ANSWERING = 2_000;
const ATTEMPTS = 3;
/** Connections. Who reads slowly keeps one for as long as the service lets him. */
const QUICK_AT_ONCE = 64;
const READING_AT_ONCE = 1024;
const WRITING_AT_ONCE = 256;

/** Clients for one store. They share their credentials, which the SDK looks for where it always does. */
export function createClients(place: S3Place): S3Clients {
  const quick = createClient(place, {
    maxAttempts: ATTEMPTS,
    requestHandler: handler(QUICK_AT_ONCE, { requestTimeout: ANSWERING, throwOnRequestTimeout: true }),
  });
  const { credentials } = quick.config;
  return {
    quick,
    reading: createClient(place, {
      credentials,
      maxAttempts: ATTEMPTS,
      requestHandler: handler(READING_AT_ONCE, {}),
    }),
    // A stream is not sent twice by the SDK; see `putFile`.
    writing: createClient(place, {
      credentials,
      maxAttempts: 1,
      requestHandler: handler(WRITING_AT_ONCE, {}),
    }),
  };
}

const handler = (maxSockets: number, options: object) => {
  const agent = { keepAlive: true, maxSockets };
  return { connectionTimeout: CONNECTING, httpAgent: agent, httpsAgent: agent, ...options };
};

function createClient({ endpoint, region }: S3Place, config: S3ClientConfig): S3Client {
  return new S3Client({
    ...(region !== undefined && { region }),
    // Names of buckets are no hosts where the endpoint is an address.
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    // By default a body is sent in chunks with a checksum behind it, which several engines do not take.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    logger: SILENT,
    ...config,
  });
}

const say = () => undefined;
/** Errors tell what there is to tell; the SDK would write to the console. */
const SILENT = { trace: say, debug: say, info: say, warn: say, error: say };

/**
 * Does work that must be over after so many ms, whatever it waits for. Rejects at that moment, or with the reason of
 * `given` when that fires; the signal that the work gets fires then.
 */
export async function within<T>(
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  given?: AbortSignal,
): Promise<T> {
  given?.throwIfAborted();
  const over = new AbortController();
  const { promise: end, reject } = Promise.withResolvers<never>();
  const finish = (reason: unknown) => {
    reject(reason);
    over.abort(reason);
  };
  const timer = setTimeout(() => finish(new OverdueError(ms)), Math.max(ms, 0));
  const onGiven = () => finish(given?.reason);
  given?.addEventListener('abort', onGiven, { once: true });
  try {
    return await Promise.race([work(over.signal), end]);
  } finally {
    clearTimeout(timer);
    given?.removeEventListener('abort', onGiven);
  }
}

/**
 * As `within`, and once more when the store refuses for the time: that of its answer was taken over meanwhile. The SDK
 * asks again by itself when a clock is found to be off, but not when one was that has been set right.
 */
export async function withinByItsClock<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return await within(ms, work).catch((error: unknown) => {
    if (error instanceof Error && error.name === 'RequestTimeTooSkewed') return within(ms, work);
    throw error;
  });
}

/** There was no answer in time; what the store did with the request is unknown. */
class OverdueError extends Error {
  override readonly name = 'OverdueError';

  constructor(ms: number) {
    super(`There was no answer within ${Math.round(ms)} ms.`);
  }
}
