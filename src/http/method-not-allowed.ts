import type { FastifyInstance, HTTPMethods } from 'fastify';
import { RequestError } from './failure.ts';

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];

/** Refuses with 405 and the Allow header it requires (RFC 9110, 15.5.6) every method but the allowed ones. */
export function methodNotAllowed(app: FastifyInstance, url: string, allowed: readonly HTTPMethods[]): void {
  const allow = allowed.join(', ');
  app.route({
    method: METHODS.filter((method) => !allowed.includes(method)),
    url,
    handler: () =>
      Promise.reject(new RequestError(405, `This path takes only ${allow}.`, { headers: { allow } })),
  });
}
