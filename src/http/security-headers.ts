import type { FastifyInstance } from 'fastify';

/** Header lines that say to a browser what it must not do with an answer. */
export type SecurityHeaders = Readonly<Record<string, string>>;

/** Nothing of ours is a page, except the one of the API document, which has a policy of its own. */
const NOT_A_PAGE = "default-src 'none'; frame-ancestors 'none'";

/**
 * What every answer carries beside recordings: those go to engines with small buffers and to pages of any site, and
 * say no more than nosniff. HSTS is for those who are reached by TLS
 * alone: a browser that has seen it takes no other way for `hstsMaxAgeSeconds`; 0 = it is not sent.
 */
export function securityHeaders(hstsMaxAgeSeconds: number): SecurityHeaders {
  return {
    'x-content-type-options': 'nosniff',
    'content-security-policy': NOT_A_PAGE,
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    ...(hstsMaxAgeSeconds > 0 && { 'strict-transport-security': `max-age=${hstsMaxAgeSeconds}` }),
  };
}

/** Adds them to all that Fastify answers. To be called before any other hook, so that refusals have them, too. */
export function addSecurityHeaders(app: FastifyInstance, headers: SecurityHeaders): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(headers);
  });
}
