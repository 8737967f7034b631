import type { Readable } from 'node:stream';
import type { MultipartFile, MultipartValue } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { tooLarge } from '../library/receive.ts';
import { RequestError } from './failure.ts';
import { keepPace, type PaceLimits } from './upload-pace.ts';

/** Bytes that a form may take beside its file: fields, part headers, preamble, epilogue. */
const FORM_OVERHEAD = 1024 * 1024;
/** Text parts a form may have; a dialect knows fewer than ten. */
const MAX_FIELDS = 100;
/** Bytes of one text part; the longest that a dialect takes is a description of 1000 characters. */
const MAX_FIELD_BYTES = 16 * 1024;
/** Bytes of a part's name. */
export const MAX_PART_NAME_BYTES = 100;

/**
 * Bytes that the parser may hold before the request has to wait: more than one chunk of a socket, or every chunk would
 * stop and start it. What holds a chunk is the file's stream, and only while the disk is slower than the network.
 */
const PARSER_BUFFER = 128 * 1024;
/** Bytes that the stream of a file holds before it lets the parser wait: less than one chunk. */
const FILE_BUFFER = 16 * 1024;

/** For the registration of @fastify/multipart. The byte limit of the file itself is the library's. */
export const MULTIPART_OPTIONS = {
  throwFileSizeLimit: false,
  highWaterMark: PARSER_BUFFER,
  fileHwm: FILE_BUFFER,
  limits: {
    fileSize: Number.POSITIVE_INFINITY,
    files: 10,
    fields: MAX_FIELDS,
    parts: MAX_FIELDS + 10,
    fieldSize: MAX_FIELD_BYTES,
    fieldNameSize: MAX_PART_NAME_BYTES,
  },
} as const;

/** What the body of an upload may take. */
export interface BodyLimits {
  /** Bytes of the file alone. */
  readonly maxBytes: number;
  readonly pace: PaceLimits;
}

/**
 * The parts of a form in the order in which they come. Ends with a LibraryError `file-too-large` when the body as
 * a whole grows past the bound, or says that it will, and `upload-interrupted` when it comes too slowly; with a
 * RequestError when it is no form, and with the reason of the signal once that aborts.
 */
export async function* partsOf(
  request: FastifyRequest,
  filePart: string,
  { maxBytes, pace: paceLimits }: BodyLimits,
  signal: AbortSignal,
): AsyncGenerator<MultipartFile | MultipartValue> {
  const maxBodyBytes = maxBytes + FORM_OVERHEAD;
  if (isDeclaredTooLarge(request, maxBytes)) throw tooLarge(maxBytes);
  const { raw } = request;
  // A request without a body has ended before anybody listens, and the parser would wait for ever.
  if (raw.readableEnded) throw malformed(new Error('The request has no body.'), filePart);
  const parts = request.parts();
  const giveUp = Promise.withResolvers<never>();
  giveUp.promise.catch(() => undefined);
  let current: Readable | undefined;
  let bytes = 0;
  const end = (reason: Error) => {
    raw.off('data', count);
    raw.unpipe();
    giveUp.reject(reason);
    current?.destroy(reason);
  };
  const pace = keepPace(raw, paceLimits, end);
  const stop = () => end(signal.reason);
  signal.addEventListener('abort', stop);
  const count = (chunk: Buffer) => {
    bytes += chunk.byteLength;
    pace.arrived(chunk.byteLength);
    if (bytes > maxBodyBytes) end(tooLarge(maxBytes));
  };
  const next = async () => {
    try {
      return await parts.next();
    } catch (error) {
      throw malformed(error, filePart);
    }
  };
  try {
    let arriving = next();
    // Asking for the first part has just connected the parser: a listener before that would let the body
    // flow past it.
    raw.on('data', count);
    for (;;) {
      const { value: part, done } = await Promise.race([arriving, giveUp.promise]);
      if (done) return;
      current = part.type === 'file' ? part.file : undefined;
      yield part as MultipartFile | MultipartValue;
      current = undefined;
      arriving = next();
    }
  } finally {
    pace.stop();
    signal.removeEventListener('abort', stop);
    raw.off('data', count);
  }
}

/** Does the header of a request say already that its body is too large? */
export function isDeclaredTooLarge({ headers }: FastifyRequest, maxBytes: number): boolean {
  return Number(headers['content-length'] ?? 0) > maxBytes + FORM_OVERHEAD;
}

/** The parser's errors are plain, or have statuses of their own choice: all say that the form is no form. */
function malformed(cause: unknown, filePart: string): RequestError {
  const message =
    'The multipart body is malformed or has too many parts; build it with an HTTP library or curl -F.';
  return new RequestError(400, message, {
    fields: [{ field: filePart, code: 'invalid', message }],
    cause,
  });
}
