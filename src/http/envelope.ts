import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Failure, type FieldFault, failureOf, messageOf, type Subject } from './failure.ts';
import { logFailure } from './logging.ts';

/** The shape of every answer of v3, and of what belongs to no dialect: playback, unknown routes, health. */
export interface Envelope<T> {
  readonly code: number;
  readonly message: string;
  readonly data: T;
  readonly errors?: readonly FieldFault[];
  readonly request_id: string;
  readonly timestamp: string;
}

/** The body `code` is 200 for every success, also where HTTP says 201. */
export function success<T>(data: T, requestId: string): Envelope<T> {
  return {
    code: 200,
    message: 'Success',
    data,
    request_id: requestId,
    timestamp: new Date().toISOString(),
  };
}

/** The same as the two texts that go around data which is text already. */
export function successAround(requestId: string): readonly [before: string, after: string] {
  const text = JSON.stringify(success(null, requestId));
  const hole = text.indexOf('null');
  return [text.slice(0, hole), text.slice(hole + 'null'.length)];
}

/** `errors` is there only when a field is to blame. */
export function failed(
  status: number,
  message: string,
  fields: readonly FieldFault[],
  requestId: string,
): Envelope<null> {
  return {
    code: status,
    message,
    data: null,
    ...(fields.length > 0 && { errors: fields }),
    request_id: requestId,
    timestamp: new Date().toISOString(),
  };
}

/** The names that the envelope has for what the library refuses. */
const FIELDS: Readonly<Record<Subject, string>> = {
  file: 'file',
  name: 'name',
  'org-unit': 'org_unit_id',
  prompt: 'media_prompt_id',
  rendition: 'rendition',
};

/** Answers any failure in the envelope, with the status that `statusOf` makes of HTTP's own; logs what is ours. */
export async function answerFailure(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  statusOf: (status: number) => number = (status) => status,
): Promise<unknown> {
  const failure = failureOf(error);
  const status = statusOf(failure.status);
  logFailure(request, status, error);
  return await reply
    .code(status)
    .headers(failure.headers)
    .header('cache-control', 'no-store')
    .send(failed(status, failure.message, fieldsOf(failure), request.id));
}

/** Answers a route that does not exist. */
export async function answerNotFound(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  return await reply
    .code(404)
    .header('cache-control', 'no-store')
    .send(failed(404, messageOf(404), [], request.id));
}

function fieldsOf({ fields, refusal, message }: Failure): readonly FieldFault[] {
  if (refusal === undefined) return fields;
  return [{ field: FIELDS[refusal.subject], code: refusal.code, message }];
}
