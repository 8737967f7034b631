import type { FastifyReply, FastifyRequest } from 'fastify';
import { LibraryError, type LibraryErrorCode } from '../library/errors.ts';
import { RequestError } from './failure.ts';

/**
 * One line for each answer. It names the route and not the url: a playback url is a capability, and queries may
 * hold what clients would not want in a log.
 */
export async function logAnswer(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  request.log.info(
    {
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    },
    'answered',
  );
}

/**
 * A 500 is a fault of the program; the other 5xx say that something around it is away or full. Those without a
 * cause are refusals that whoever decided on them tells of once, and not as often as somebody asks.
 */
export function logFailure(request: FastifyRequest, status: number, error: unknown): void {
  if (status === 500) request.log.error({ err: error }, 'request failed');
  else if (status > 500 && hasCause(error)) request.log.warn({ err: error }, 'request could not be served');
  else request.log.debug({ err: error }, 'request refused');
}

const hasCause = (error: unknown) =>
  error instanceof LibraryError
    ? !TOLD_ELSEWHERE.has(error.code)
    : !(error instanceof RequestError) || error.cause !== undefined;

/** That there is no converter is told at the start, and what keeps it from its work where it happens. */
const TOLD_ELSEWHERE: ReadonlySet<LibraryErrorCode> = new Set(['no-converter', 'rendition-pending']);
