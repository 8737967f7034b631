import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RequestError } from './failure.ts';
import { holdContinue } from './held-continue.ts';

/** How long a client may take for the header of a request, ms. */
const HEADERS_TIMEOUT = 20_000;
/** Lines of a header; browsers behind proxies send some thirty. Their bytes are bounded by Node: 16 KiB. */
const MAX_HEADERS = 200;
/**
 * How long a body that is no form may take to arrive, ms. The largest, of 64 KiB unless configured, comes in time over
 * any line that an upload may have but the slowest: it needs 2 KiB a second.
 */
const BODY_TIMEOUT = 30_000;

/** For the making of the server. */
export const HEADER_BOUNDS = {
  headersTimeout: HEADERS_TIMEOUT,
  connectionsCheckingInterval: HEADERS_TIMEOUT / 4,
} as const;

/** Between two times that idle connections are closed to make room, ms: looking for them takes a look at all. */
const ROOM_PAUSE = 100;

export interface Bounds {
  /** At once; one more is closed before it is heard, and those that are idle with it. */
  readonly maxConnections: number;
}

/** Bounds what a client may take with connections, headers and bodies that are no uploads. */
export function setBounds(app: FastifyInstance, { maxConnections }: Bounds): void {
  app.server.maxConnections = maxConnections;
  app.server.on('drop', createRoomMaker(app));
  // Some versions of Node drop what is beyond in silence, others refuse it without knowing the path.
  app.server.maxHeadersCount = 0;
  holdContinue(app.server);
  app.addHook('onRequest', async (request) => {
    if (request.raw.rawHeaders.length > 2 * MAX_HEADERS) {
      throw new RequestError(431, `The request has more than ${MAX_HEADERS} headers; send fewer.`);
    }
  });
  app.addHook('preParsing', async (request, _reply, payload) => {
    if (!isForm(request)) boundBody(request, payload as Readable);
    return payload;
  });
}

/** Clients keep connections for later, and must not keep others out with them. */
function createRoomMaker(app: FastifyInstance): () => void {
  let madeAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now - madeAt < ROOM_PAUSE) return;
    madeAt = now;
    app.server.closeIdleConnections();
  };
}

/** A form is read later, when it is its turn, and judged by its pace. */
const isForm = ({ headers }: FastifyRequest): boolean =>
  /^\s*multipart\//i.test(headers['content-type'] ?? '');

function boundBody(request: FastifyRequest, body: Readable): void {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
  if (length === '0' && encoding === undefined) return;
  const deadline = setTimeout(() => {
    // Nobody listens when nobody reads it; then there is nothing to give up.
    if (body.listenerCount('error') > 0) body.emit('error', tooSlow());
  }, BODY_TIMEOUT);
  body.once('close', () => clearTimeout(deadline));
}

function tooSlow(): RequestError {
  return new RequestError(408, 'The request took too long to arrive; send it again.', {
    headers: { connection: 'close' },
  });
}
