import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Library } from '../library/library.ts';
import { type AnswerTo, endWith, type HeaderLines, isBodiless, writeHead } from './recording-answer.ts';
import { requestIdOf } from './request-id.ts';

export interface ExpressLaneOptions {
  readonly library: Library;
  /** The path below which recordings lie, with its last slash. */
  readonly prefix: string;
  readonly answerTo: AnswerTo;
  readonly isClosing: () => boolean;
  /** Lines that every answer carries because of how the service is configured. */
  readonly carried: HeaderLines;
  /** Whether answers depend on where a page comes from; then those to pages go the ordinary way. */
  readonly hasOrigins: boolean;
  /** Told of the status of every answer that goes this way. */
  readonly onAnswered: (status: number) => void;
}

/**
 * Answers requests for recordings that are at hand before Fastify sees them: routing and hooks take longer than
 * handing 200 KB to the kernel. Only what needs no question, no file and no error goes this way; everything else,
 * and every request while it is not sure, takes the ordinary one, which answers the same to the byte.
 */
export function openExpressLane(app: FastifyInstance, options: ExpressLaneOptions): void {
  const { server } = app;
  const ordinary = takeListener(server);
  server.on('request', (request, response) => {
    if (!answeredAtOnce(request, response, options)) ordinary(request, response);
  });
}

function answeredAtOnce(
  request: IncomingMessage,
  response: ServerResponse,
  { library, prefix, answerTo, isClosing, carried, hasOrigins, onAnswered }: ExpressLaneOptions,
): boolean {
  const { url = '', method = '', headers } = request;
  if (!url.startsWith(prefix) || (method !== 'GET' && method !== 'HEAD')) return false;
  if (headers.host === undefined || isClosing()) return false;
  if (hasOrigins && headers.origin !== undefined) return false;
  const playable = library.atHand(url.slice(prefix.length));
  if (playable === undefined) return false;

  const answer = answerTo(playable.track, method, headers);
  if (typeof answer === 'string') return false;
  const isWithoutBody = isBodiless(method, answer);
  if (!isWithoutBody && playable.bytes === undefined) return false;

  onAnswered(answer.status);
  writeHead(response, answer, requestIdOf(request), carried);
  if (isWithoutBody || playable.bytes === undefined) response.end();
  else endWith(response, answer, playable.bytes);
  return true;
}

/** Fastify's own listener, which is the only one there is. */
function takeListener(server: Server): RequestListener {
  const [listener, ...others] = server.listeners('request') as RequestListener[];
  if (listener === undefined || others.length > 0) throw new Error('one listener for requests was expected');
  server.off('request', listener);
  return listener;
}
