import type { FastifyReply, FastifyRequest } from 'fastify';

/** How long a client may go on sending a body that was refused, ms. */
const LINGER = 10_000;

/**
 * Lets a client that is still sending read why it was refused: closing at once would reset the connection and
 * the answer with it (RFC 9112, 9.6). What it sends is thrown away, for a bounded time. A hook for onResponse.
 */
export function lingerAfterRefusal(request: FastifyRequest, _reply: FastifyReply): Promise<void> {
  const { raw } = request;
  if (!raw.readableEnded && !raw.destroyed) {
    raw.resume();
    const cutOff = setTimeout(() => raw.socket.destroy(), LINGER).unref();
    raw.once('close', () => clearTimeout(cutOff));
  }
  return Promise.resolve();
}
