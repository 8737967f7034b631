import { LibraryError, type LibraryErrorCode } from '../library/errors.ts';

/** Stable, machine-readable reasons why a field was refused. */
export const FIELD_CODES = [
  'required',
  'invalid',
  'too_long',
  'name_taken',
  'file_too_large',
  'file_empty',
  'unsupported_format',
  'unreadable_audio',
  'unexpected_file',
  'not_found',
] as const;
export type FieldCode = (typeof FIELD_CODES)[number];

/** A field at fault, by the name that the client's dialect gives it. */
export interface FieldFault {
  readonly field: string;
  readonly code: FieldCode;
  /** One sentence for a person. */
  readonly message: string;
}

/** What a refusal of the library is about; a dialect knows which of its fields that is. */
export type Subject = 'file' | 'name' | 'org-unit' | 'prompt' | 'rendition';

/** Anything thrown, told in the terms of HTTP and of no dialect. */
export interface Failure {
  readonly status: number;
  /** One sentence for a person; says nothing of our insides. */
  readonly message: string;
  readonly fields: readonly FieldFault[];
  /** Set where the library refused: what it is about and why. */
  readonly refusal?: { readonly subject: Subject; readonly code: FieldCode };
  readonly headers: Readonly<Record<string, string>>;
}

/** A request refused before the library was asked. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly status: number;
  readonly fields: readonly FieldFault[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    options: {
      readonly fields?: readonly FieldFault[];
      readonly headers?: Readonly<Record<string, string>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.status = status;
    this.fields = options.fields ?? [];
    this.headers = options.headers ?? {};
  }
}

/**
 * Refuses a request for its fields: all of them, with a message that names each when there are several. One that
 * is too large keeps HTTP's own status for that.
 */
export function invalidFields(faults: readonly FieldFault[]): RequestError {
  const fields = distinct(faults);
  const status = fields.some(({ code }) => code === 'file_too_large') ? 413 : 400;
  const [first, ...others] = fields;
  const names = [...new Set(fields.map(({ field }) => field))].join(', ');
  const message =
    first !== undefined && others.length === 0
      ? first.message
      : `The request has ${fields.length} faults; correct these fields: ${names}.`;
  return new RequestError(status, message, { fields });
}

/** A value may be refused on its way in and again by its schema; once is enough. */
function distinct(faults: readonly FieldFault[]): readonly FieldFault[] {
  return [...new Map(faults.map((fault) => [`${fault.field} ${fault.code}`, fault])).values()];
}

/** The one table of statuses. A code without a line here does not compile. */
const STATUSES: Readonly<Record<LibraryErrorCode, number>> = {
  'name-taken': 409,
  'org-unit-not-found': 404,
  'prompt-not-found': 404,
  'file-too-large': 413,
  'file-empty': 422,
  'unsupported-format': 415,
  'unreadable-audio': 422,
  'upload-interrupted': 400,
  'rendition-failed': 404,
  'rendition-pending': 503,
  'no-converter': 501,
  'quota-exceeded': 507,
  'storage-full': 507,
  unavailable: 503,
  'recording-missing': 500,
};

const REFUSALS: Readonly<Partial<Record<LibraryErrorCode, { subject: Subject; code: FieldCode }>>> = {
  'name-taken': { subject: 'name', code: 'name_taken' },
  'org-unit-not-found': { subject: 'org-unit', code: 'not_found' },
  'prompt-not-found': { subject: 'prompt', code: 'not_found' },
  'file-too-large': { subject: 'file', code: 'file_too_large' },
  'file-empty': { subject: 'file', code: 'file_empty' },
  'unsupported-format': { subject: 'file', code: 'unsupported_format' },
  'unreadable-audio': { subject: 'file', code: 'unreadable_audio' },
  'upload-interrupted': { subject: 'file', code: 'invalid' },
  'rendition-failed': { subject: 'rendition', code: 'not_found' },
};

/** What whoever comes while the service ends is told, with 503. */
export const CLOSING = 'The service is shutting down; try again in a moment.';

/** Seconds after which a client may try again what failed for want of the database or the store. */
const RETRY_AFTER = { 'retry-after': '2' };

/** Never the words of whoever threw: those may carry a path, a query or a part of the request. */
const MESSAGES: Readonly<Record<number, string>> = {
  400: 'The request is malformed; check its method, path, headers and body.',
  404: 'There is nothing here; check the path.',
  405: 'The path does not take this method; see the Allow header.',
  406: 'The request is malformed; check its Content-Type and body.',
  408: 'The request took too long to arrive; send it again.',
  413: 'The request body is larger than this service takes.',
  414: 'The path is longer than this service takes.',
  415: 'The body has a Content-Type that this service does not take here.',
  417: 'The Expect header asks for something this service does not do; send 100-continue or nothing.',
  429: 'Too many requests; wait as long as the Retry-After header says.',
  431: 'The header of the request is larger than this service takes.',
  500: 'Something went wrong on our side; it was logged under the request ID.',
  503: 'The service cannot answer right now; try again in a moment.',
};

/** The message for a status that arises outside the library. */
export function messageOf(status: number): string {
  return MESSAGES[status] ?? MESSAGES[status < 500 ? 400 : 500] ?? '';
}

/** Tells any thrown thing as a Failure. What is not known to be the client's fault is a 500. */
export function failureOf(error: unknown): Failure {
  if (error instanceof RequestError) {
    return { status: error.status, message: error.message, fields: error.fields, headers: error.headers };
  }
  if (error instanceof LibraryError) return failureOfLibrary(error);
  const status = clientStatusOf(error) ?? 500;
  return { status, message: messageOf(status), fields: [], headers: {} };
}

function failureOfLibrary(error: LibraryError): Failure {
  const status = STATUSES[error.code];
  const refusal = REFUSALS[error.code];
  return {
    status,
    message: status === 500 ? messageOf(500) : error.message,
    fields: [],
    ...(refusal && { refusal }),
    headers: status === 503 ? RETRY_AFTER : {},
  };
}

/** Fastify's and its plugins' own refusals carry a code that starts with FST_ and a status. */
function clientStatusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return undefined;
  const { code, statusCode } = error;
  const isFastify = typeof code === 'string' && code.startsWith('FST_');
  const isClients = typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500;
  return isFastify && isClients ? statusCode : undefined;
}
