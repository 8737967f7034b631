import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Failure, failureOf, messageOf, type Subject } from '../failure.ts';
import { logFailure } from '../logging.ts';

/** What v1 calls what the library refuses. */
const FIELDS: Readonly<Record<Subject, string>> = {
  file: 'File',
  name: 'File',
  'org-unit': 'org_unit_id',
  prompt: 'id',
  rendition: 'id',
};

/** HTTP has a status of its own for these; v1 documents them as validation errors. */
const DOCUMENTED_AS_400: ReadonlySet<number> = new Set([406, 409, 414]);
const NOT_FOUND = 404;

/** Answers any failure as a problem (RFC 9457), and logs it when it is ours. */
export async function answerProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const failure = failureOf(error);
  const status = statusOf(failure);
  logFailure(request, status, error);
  return await send(request, reply.headers(failure.headers), status, failure.message, fieldsOf(failure));
}

/** Answers a route that does not exist. */
export async function answerNoRoute(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  return await send(request, reply, NOT_FOUND, messageOf(NOT_FOUND), {});
}

/** 415 is for the body as a whole; a file of the wrong kind in the right body is a fault of its field. */
function statusOf({ status, refusal }: Failure): number {
  const isWrongKind = status === 415 && refusal?.subject === 'file';
  return isWrongKind || DOCUMENTED_AS_400.has(status) ? 400 : status;
}

function fieldsOf({ status, fields, refusal, message }: Failure): Readonly<Record<string, string[]>> {
  if (refusal !== undefined) return status === NOT_FOUND ? {} : { [FIELDS[refusal.subject]]: [message] };
  const byField = Object.entries(Object.groupBy(fields, ({ field }) => field));
  return Object.fromEntries(
    byField.map(([field, faults = []]) => [field, faults.map((fault) => fault.message)]),
  );
}

/** A failure as v1 writes it; 431 arises where there is no request yet, nor always a url. */
export function problemOf(failure: {
  readonly status: number;
  readonly detail: string;
  readonly errors: Readonly<Record<string, string[]>>;
  readonly url: string | undefined;
  readonly requestId: string;
}) {
  const { status, detail, errors, url, requestId } = failure;
  const hasErrors = Object.keys(errors).length > 0;
  return {
    type: `https://tools.ietf.org/html/${DEFINITIONS[status] ?? 'rfc9110#section-15'}`,
    title:
      hasErrors && status === 400
        ? 'One or more validation errors occurred.'
        : (STATUS_CODES[status] ?? 'Error'),
    status,
    detail,
    instance: url?.split('?')[0],
    ...(hasErrors && { errors }),
    traceId: requestId,
  };
}

async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  detail: string,
  errors: Readonly<Record<string, string[]>>,
): Promise<unknown> {
  const problem = problemOf({ status, detail, errors, url: request.url, requestId: request.id });
  return await reply
    .code(status)
    .header('cache-control', 'no-store')
    .header('content-type', 'application/problem+json')
    // Without a serializer of its own Fastify would append a charset, which the media type does not have.
    .serializer((payload: unknown) => JSON.stringify(payload))
    .send(problem);
}

/** Where the status is defined. */
const DEFINITIONS: Readonly<Record<number, string>> = {
  400: 'rfc9110#section-15.5.1',
  401: 'rfc9110#section-15.5.2',
  403: 'rfc9110#section-15.5.4',
  404: 'rfc9110#section-15.5.5',
  405: 'rfc9110#section-15.5.6',
  412: 'rfc9110#section-15.5.13',
  413: 'rfc9110#section-15.5.14',
  415: 'rfc9110#section-15.5.16',
  416: 'rfc9110#section-15.5.17',
  408: 'rfc9110#section-15.5.9',
  429: 'rfc6585#section-4',
  431: 'rfc6585#section-5',
  500: 'rfc9110#section-15.6.1',
  503: 'rfc9110#section-15.6.4',
  507: 'rfc4918#section-11.5',
};
