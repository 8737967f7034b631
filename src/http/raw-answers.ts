import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { failed } from './envelope.ts';
import { messageOf } from './failure.ts';
import { requestIdOf } from './request-id.ts';

/** Node's parser refuses these before there is a request that Fastify could answer. */
const PARSER_STATUSES: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** Answers bytes that are no HTTP request, in the envelope, and closes. */
export function answerUnparsable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  // An answer that is under way must not get another one in its middle.
  if (!socket.writable || isAnswering(socket)) {
    socket.destroy(error);
    return;
  }
  answerOnSocket(socket, PARSER_STATUSES[error.code ?? ''] ?? 400, requestIdOf({ headers: {} }));
}

/** Answers CONNECT, which Node hands over as a bare socket. */
export function answerConnect(request: IncomingMessage, socket: Duplex): void {
  answerOnSocket(socket, 405, requestIdOf(request));
}

/** The response that Node is writing on a socket stands in a member without a name in its types. */
function isAnswering(socket: Socket): boolean {
  const response: unknown = Reflect.get(socket, '_httpMessage');
  return response instanceof ServerResponse && response.headersSent;
}

function answerOnSocket(socket: Duplex, status: number, requestId: string): void {
  const body = JSON.stringify(failed(status, messageOf(status), [], requestId));
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Cache-Control: no-store',
      `X-Request-Id: ${requestId}`,
      ...(status === 405 ? ['Allow: GET, HEAD, POST, PATCH, DELETE'] : []),
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
    () => socket.destroy(),
  );
}

/** Answers an Expect header that asks for anything but 100-continue; Node would answer without a body. */
export function answerExpectation(request: IncomingMessage, response: ServerResponse): void {
  const requestId = requestIdOf(request);
  const body = JSON.stringify(failed(417, messageOf(417), [], requestId));
  response
    .writeHead(417, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-request-id': requestId,
      connection: 'close',
    })
    .end(body);
}
