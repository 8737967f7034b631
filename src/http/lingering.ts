import { finished } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** How long a client may go on sending a body that was refused, ms. */
const LINGER = 10_000;

/**
 * Lets a client that is still sending read why it was refused: closing at once would reset the connection and
 * the answer with it (RFC 9112, 9.6). What it sends is thrown away, for a bounded time. A hook for onSend.
 */
export async function lingerAfterRefusal(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { raw } = request;
  if (raw.readableEnded || raw.destroyed) return;
  const { socket } = raw;
  // What Node calls after the last answer of a connection; it would stop listening as well.
  socket.destroySoon = () => void socket.end();
  reply.raw.once('finish', () => {
    const cutOff = setTimeout(() => socket.destroy(), LINGER).unref();
    finished(raw, { writable: false }, () => {
      clearTimeout(cutOff);
      Reflect.deleteProperty(socket, 'destroySoon');
      if (socket.writableEnded) socket.destroySoon();
    });
    raw.resume();
  });
}
