import { access } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { answerFailure, answerNotFound } from './envelope.ts';
import { RequestError } from './failure.ts';
import { requestIdOf } from './request-id.ts';

/** Of the one style element that the page makes, that of the waveform; another release of it says so in the tests. */
const WAVEFORM_STYLE = "'sha256-7Wn/5ghbhb9U5yM332FZpa4jDUilNGJdZ87eJ6XZFBA='";

/** Its own files and the API of the service it comes from; audio that needs a token is played from memory (blob). */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  `style-src 'self' ${WAVEFORM_STYLE}`,
  "img-src 'self'",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const YEAR_MS = 31_536_000_000;

/**
 * An app of its own that serves the built page in `folder`, each file as small as the browser takes it. Files whose name
 * has a hash are kept for ever, the page itself is asked for again with its ETag.
 *
 * @throws RequestError 404 when the page was not built
 */
export async function buildConsolePage(folder: string): Promise<FastifyInstance> {
  await access(join(folder, 'index.html')).catch(() => {
    throw new RequestError(404, 'The console is not built here; run npm run build.');
  });
  const app = fastify({ genReqId: requestIdOf, logger: false });
  app.setErrorHandler((error, request, reply) => answerFailure(error, request, reply));
  app.setNotFoundHandler(answerNotFound);
  await app.register(fastifyStatic, {
    root: folder,
    serve: false,
    preCompressed: true,
    setHeaders: (reply) => {
      reply
        .header('content-security-policy', PAGE_POLICY)
        .header('cross-origin-opener-policy', 'same-origin');
    },
  });
  const page = (_request: FastifyRequest, reply: FastifyReply) =>
    reply.header('cache-control', 'no-cache').sendFile('index.html', { cacheControl: false });
  app.get('/console', page);
  app.get('/console/', page);
  app.get<{ Params: { '*': string } }>('/console/assets/*', (request, reply) =>
    reply.sendFile(`assets/${request.params['*']}`, { immutable: true, maxAge: YEAR_MS }),
  );
  await app.ready();
  return app;
}
