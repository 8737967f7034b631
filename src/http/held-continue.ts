import type { Server, ServerResponse } from 'node:http';

/** Answers whose client waits for 100 Continue before it sends its body. */
const held = new WeakSet<ServerResponse>();

/**
 * Keeps Node from saying 100 Continue by itself: a client that asks first is told to send its body once somebody
 * begins to read it, and never when it is refused unread.
 */
export function holdContinue(server: Server): void {
  server.on('checkContinue', (request, response) => {
    held.add(response);
    request.once('resume', () => {
      held.delete(response);
      // What is read after the answer is thrown away.
      if (!response.headersSent) response.writeContinue();
    });
    server.emit('request', request, response);
  });
}

/** Does the client still wait? */
export const isHeld = (response: ServerResponse): boolean => held.has(response);
