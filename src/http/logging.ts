import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * One line for each answer. It names the route and not the url: a playback url is a capability, and queries may
 * hold what clients would not want in a log.
 */
export async function logAnswer(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  request.log.info(
    {
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    },
    'answered',
  );
}
