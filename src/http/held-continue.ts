import type { Server, ServerResponse } from 'node:http';

/** Answers whose client waits for 100 Continue before it sends its body. */
const held = new WeakSet<ServerResponse>();

/**
 * Keeps Node from saying 100 Continue by itself: a client that asks first sends its body only once somebody is
 * there to read it, and not at all when it is refused.
 */
export function holdContinue(server: Server): void {
  server.on('checkContinue', (request, response) => {
    held.add(response);
    server.emit('request', request, response);
  });
}

/** Lets the client send its body, if it waits to be told. To be called before the body is read. */
export function sayContinue(response: ServerResponse): void {
  if (held.delete(response)) response.writeContinue();
}

/** Does the client still wait? */
export const isHeld = (response: ServerResponse): boolean => held.has(response);
