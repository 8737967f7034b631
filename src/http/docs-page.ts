import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import fastify, { type FastifyInstance } from 'fastify';
import { answerFailure, answerNotFound } from './envelope.ts';
import { openApiDocument } from './openapi.ts';
import { requestIdOf } from './request-id.ts';

/** The page's own files alone, and requests to the service it comes from; it writes styles and draws with data urls. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** An app of its own that answers `/openapi.json`, and `/docs` with a page that asks no other host for anything. */
export async function buildDocsPage(): Promise<FastifyInstance> {
  const app = fastify({ genReqId: requestIdOf, logger: false });
  app.setErrorHandler((error, request, reply) => answerFailure(error, request, reply));
  app.setNotFoundHandler(answerNotFound);
  const document = openApiDocument();
  app.get('/openapi.json', () => document);
  await app.register(fastifySwagger, {
    mode: 'static',
    // The document is 3.1, which the page understands and the plugin's type does not name.
    specification: { document: document as never },
  });
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    uiConfig: { validatorUrl: null, persistAuthorization: false },
    staticCSP: PAGE_POLICY,
    theme: { title: 'media-prompts API' },
  });
  await app.ready();
  return app;
}
