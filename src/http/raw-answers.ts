import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { failed } from './envelope.ts';
import { messageOf } from './failure.ts';
import { requestIdOf } from './request-id.ts';
import type { SecurityHeaders } from './security-headers.ts';
import { problemOf } from './v1/problem.ts';

/** Node's parser refuses these before there is a request that Fastify could answer. */
const PARSER_STATUSES: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** Answers what Fastify never sees, in the dialect of its path where there is one, and with `headers` as every other answer has them. */
export function createRawAnswers(headers: SecurityHeaders) {
  return {
    /** Answers bytes that are no HTTP request, and closes. */
    answerUnparsable: (error: Error & { code?: string }, socket: Socket) =>
      answerUnparsable(error, socket, headers),
    /** Answers CONNECT, which Node hands over as a bare socket. */
    answerConnect: (request: IncomingMessage, socket: Duplex) => {
      // Node no longer listens to this socket, and an error that nobody hears ends the process.
      socket.on('error', () => undefined);
      answerOnSocket(socket, 405, headers, requestIdOf(request), undefined);
    },
    /** Answers an Expect header that asks for anything but 100-continue; Node would answer without a body. */
    answerExpectation: (request: IncomingMessage, response: ServerResponse) =>
      answerExpectation(request, response, headers),
  };
}

function answerUnparsable(
  error: Error & { code?: string; rawPacket?: Buffer },
  socket: Socket,
  headers: SecurityHeaders,
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  // An answer that is under way must not get another one in its middle.
  if (!socket.writable || isAnswering(socket)) {
    socket.destroy(error);
    return;
  }
  const status = PARSER_STATUSES[error.code ?? ''] ?? 400;
  answerOnSocket(socket, status, headers, requestIdOf({ headers: {} }), urlFrom(error.rawPacket));
}

/** Bytes of a packet that are looked at for a url: all paths of ours are shorter. */
const LOOKED_AT = 200;

/** The url of a request that was refused for its header; known when its first line came in the same packet. */
function urlFrom(packet: Buffer | undefined): string | undefined {
  return /^[A-Z]+ (\/[^\s?]*)/.exec(packet?.toString('latin1', 0, LOOKED_AT) ?? '')?.[1];
}

/** A failure as the dialect of `url` has it. */
function failureFor(url: string | undefined, status: number, requestId: string) {
  return url?.startsWith('/api/v1/')
    ? {
        type: 'application/problem+json',
        body: JSON.stringify(problemOf({ status, detail: messageOf(status), errors: {}, url, requestId })),
      }
    : {
        type: 'application/json; charset=utf-8',
        body: JSON.stringify(failed(status, messageOf(status), [], requestId)),
      };
}

/** The response that Node is writing on a socket stands in a member without a name in its types. */
function isAnswering(socket: Socket): boolean {
  const response: unknown = Reflect.get(socket, '_httpMessage');
  return response instanceof ServerResponse && response.headersSent;
}

function answerOnSocket(
  socket: Duplex,
  status: number,
  headers: SecurityHeaders,
  requestId: string,
  url: string | undefined,
): void {
  const { type, body } = failureFor(url, status, requestId);
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      `Content-Type: ${type}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Cache-Control: no-store',
      `X-Request-Id: ${requestId}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      ...(status === 405 ? ['Allow: GET, HEAD, POST, PATCH, DELETE'] : []),
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
    () => socket.destroy(),
  );
}

function answerExpectation(
  request: IncomingMessage,
  response: ServerResponse,
  headers: SecurityHeaders,
): void {
  const requestId = requestIdOf(request);
  const { type, body } = failureFor(request.url, 417, requestId);
  response
    .writeHead(417, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-request-id': requestId,
      ...headers,
      connection: 'close',
    })
    .end(body);
}
