import { Readable } from 'node:stream';
import fastifyMultipart from '@fastify/multipart';
import fastifyRateLimit from '@fastify/rate-limit';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Library } from '../library/library.ts';
import { type AuthenticationOptions, createAuthentication } from './authentication.ts';
import { docs } from './docs.ts';
import { answerFailure, answerNotFound } from './envelope.ts';
import { failureOf, RequestError } from './failure.ts';
import { health } from './health.ts';
import { lingerAfterRefusal } from './lingering.ts';
import { logAnswer } from './logging.ts';
import { metrics } from './metrics.ts';
import { playback } from './playback.ts';
import { answerConnect, answerExpectation, answerUnparsable } from './raw-answers.ts';
import { requestIdOf } from './request-id.ts';
import { MULTIPART_LIMITS } from './upload.ts';
import { v1 } from './v1/plugin.ts';
import { answerProblem } from './v1/problem.ts';
import { v3 } from './v3/plugin.ts';

export interface AppOptions {
  readonly library: Library;
  readonly logger: FastifyBaseLogger;
  readonly tokens: AuthenticationOptions;
  readonly maxUploadBytes: number;
  readonly playback: { readonly access: 'link' | 'token'; readonly maxAgeSeconds: number };
  /** 0 = off. */
  readonly rateLimitPerMinute: number;
  /** Called with the app before any route is there, so that a test can watch every answer. */
  readonly observe?: ((app: FastifyInstance) => void) | undefined;
}

/** A socket on which nothing moves for this long is closed, ms. Any upload or playback that moves may go on. */
const IDLE_CONNECTION = 60_000;
/** As long as a header may be: what is too long for an ID is refused as any other text that is none. */
const MAX_PARAM_LENGTH = 16 * 1024;
const V1_PREFIX = '/api/v1';
const SIGNATURE_LENGTH = 86;

/** Builds the HTTP side: one library, its dialects, playback and health. It does not listen yet. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { library } = options;
  const app = fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIdOf,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    connectionTimeout: IDLE_CONNECTION,
    forceCloseConnections: 'idle',
    // Its own 503 while closing would not be in a dialect's shape; see the hook below.
    return503OnClosing: false,
    // Node would refuse a missing Host without a body; see the hook below.
    // Most requests have no body, and a stream that nothing will come from costs a sixth of a quick answer.
    http: { requireHostHeader: false, optimizeEmptyRequests: true },
    clientErrorHandler: answerUnparsable,
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id);
      // Not the error itself: its message repeats the url, which does not belong in a log.
      const { status, message } = failureOf(error);
      const answer = request.url.startsWith(`${V1_PREFIX}/`) ? answerProblem : answerFailure;
      void answer(new RequestError(status, message), request, reply);
    },
  });
  app.server.on('checkExpectation', answerExpectation);
  app.server.on('connect', answerConnect);

  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    if (isClosing) {
      throw new RequestError(503, 'The service is shutting down; try again in a moment.', {
        headers: { 'retry-after': '2', connection: 'close' },
      });
    }
    if (request.raw.httpVersion === '1.1' && request.headers.host === undefined) {
      throw new RequestError(400, 'The request has no Host header; send one.');
    }
  });
  app.addHook('onSend', async (_request, reply) => {
    if (isClosing) reply.header('connection', 'close');
  });
  // A recording's answer is begun before one can know that it will be the last on its connection.
  app.addHook('onResponse', async (request) => {
    if (isClosing) request.raw.socket.end();
  });
  app.addHook('onResponse', lingerAfterRefusal);
  app.addHook('onResponse', logAnswer);
  app.setErrorHandler((error, request, reply) => answerFailure(error, request, reply));
  app.setNotFoundHandler(answerNotFound);

  // The other side of optimizeEmptyRequests: who reads such a body would wait for its end for ever.
  app.addHook('preParsing', async (request, _reply, payload) =>
    request.raw.readableEnded ? Readable.from([]) : payload,
  );

  options.observe?.(app);
  await app.register(fastifyMultipart, { limits: MULTIPART_LIMITS, throwFileSizeLimit: false });
  const authenticate = await createAuthentication(app, options.tokens);

  // Many and dull: only what goes wrong is logged.
  const onAnswered = metrics(app, { library });
  await app.register(docs, { logLevel: 'warn' });
  await app.register(health, { library, logLevel: 'warn' });
  await app.register(playback, {
    library,
    authenticate,
    isClosing: () => isClosing,
    onAnswered,
    ...options.playback,
    logLevel: 'warn',
  });
  await app.register(async (api) => {
    api.addHook('onRequest', authenticate);
    if (options.rateLimitPerMinute > 0) {
      await api.register(fastifyRateLimit, {
        max: options.rateLimitPerMinute,
        timeWindow: 60_000,
        hook: 'preValidation',
        // The end of a token is its signature, which tells tokens apart without keeping them.
        keyGenerator: (request) => (request.headers.authorization ?? '').slice(-SIGNATURE_LENGTH),
        errorResponseBuilder: (_request, context) =>
          new RequestError(
            429,
            'Too many requests with this token; wait as long as the Retry-After header says.',
            {
              headers: { 'retry-after': String(Math.ceil(context.ttl / 1000)) },
            },
          ),
      });
    }
    const { maxUploadBytes } = options;
    await api.register(v3, { prefix: '/v3', library, maxUploadBytes });
    await api.register(v1, {
      prefix: V1_PREFIX,
      library,
      maxUploadBytes,
      contentMaxAgeSeconds: options.playback.maxAgeSeconds,
    });
  });
  return app;
}
