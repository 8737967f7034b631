import type { FastifyInstance } from 'fastify';
import { CLOSING, RequestError } from './failure.ts';

/** How long the answers to uploads that were ended have for their way, clean-up included, ms. */
const LAST_ANSWERS = 2_000;

/** What whoever comes too late is told, and whoever is not done when the grace is over. */
export function closing(): RequestError {
  return new RequestError(503, CLOSING, { headers: { 'retry-after': '2', connection: 'close' } });
}

/**
 * Takes no new connection and lets running requests finish for at most `graceMs`. Then `endUploads` is called, which
 * has those that are not yet being committed answered, and a little later all that is left is cut off.
 */
export async function closeApp(app: FastifyInstance, endUploads: () => void, graceMs: number): Promise<void> {
  const ending = setTimeout(endUploads, graceMs);
  const cutOff = setTimeout(() => app.server.closeAllConnections(), graceMs + LAST_ANSWERS);
  try {
    await app.close();
  } finally {
    clearTimeout(ending);
    clearTimeout(cutOff);
  }
}
