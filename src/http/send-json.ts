import type { FastifyReply } from 'fastify';

/**
 * Answers JSON that is there as text, in parts. As one text a long part would be copied twice, to be measured and to be
 * sent behind the header; so they are written into bytes, of which the heap holds nothing.
 */
export function sendJson(reply: FastifyReply, ...parts: readonly string[]): FastifyReply {
  const bytes = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0));
  let end = 0;
  for (const part of parts) end += bytes.write(part, end);
  return reply.type('application/json; charset=utf-8').send(bytes);
}
