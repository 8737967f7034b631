import { Readable } from 'node:stream';
import fastifyMultipart from '@fastify/multipart';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Library } from '../library/library.ts';
import { type AuthenticationOptions, createAuthentication } from './authentication.ts';
import { HEADER_BOUNDS, setBounds } from './bounds.ts';
import { closing } from './closing.ts';
import { type ConsoleOptions, webConsole } from './console.ts';
import { allowOrigins, linesForAll } from './cross-origin.ts';
import { docs } from './docs.ts';
import { answerFailure, answerNotFound } from './envelope.ts';
import { failureOf, RequestError } from './failure.ts';
import { health } from './health.ts';
import { lingerAfterRefusal } from './lingering.ts';
import { type LoadBounds, watchLoad } from './load-shedding.ts';
import { logAnswer } from './logging.ts';
import { metrics, type SharedMetrics } from './metrics.ts';
import { playback } from './playback.ts';
import { createRateLimits, type RateLimits } from './rate-limits.ts';
import { createRawAnswers } from './raw-answers.ts';
import { requestIdOf } from './request-id.ts';
import { addSecurityHeaders, securityHeaders } from './security-headers.ts';
import { createUploadGate, type GateLimits } from './upload-gate.ts';
import { type BodyLimits, MULTIPART_OPTIONS } from './upload-parts.ts';
import { v1 } from './v1/plugin.ts';
import { answerProblem } from './v1/problem.ts';
import { v3 } from './v3/plugin.ts';

export interface AppOptions {
  readonly library: Library;
  readonly logger: FastifyBaseLogger;
  readonly tokens: AuthenticationOptions;
  readonly uploads: GateLimits;
  readonly uploadBody: BodyLimits;
  /** Ends all uploads that are not yet being committed. */
  readonly endOfUploads: AbortSignal;
  /** Bytes of every body but an upload's. */
  readonly maxJsonBytes: number;
  /** At once; one more is closed before it is heard. */
  readonly maxConnections: number;
  /** Addresses and networks whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly playback: { readonly access: 'link' | 'token'; readonly maxAgeSeconds: number };
  /** What urls for engines begin with; undefined: they are told as paths. */
  readonly publicBaseUrl: string | undefined;
  /** What renditions are brought to, LUFS. */
  readonly loudnessLufs: number | 'off';
  /** The web page for people; undefined where there shall be none. */
  readonly console: ConsoleOptions | undefined;
  readonly rateLimits: RateLimits;
  /** Past these, the API refuses work. */
  readonly load: LoadBounds;
  /** The sites whose pages may use the API and play, as browsers name them. */
  readonly corsOrigins: readonly string[];
  /** For how long a browser shall come by TLS alone, s; 0 = it is not told. */
  readonly hstsMaxAgeSeconds: number;
  /** Of one of several processes; undefined where there is no other. */
  readonly metrics?: SharedMetrics | undefined;
  /** Called with the app before any route is there, so that a test can watch every answer. */
  readonly observe?: ((app: FastifyInstance) => void) | undefined;
}

/** A socket on which nothing moves for this long is closed, ms. Any upload or playback that moves may go on. */
const IDLE_CONNECTION = 60_000;
/** As long as a header may be: what is too long for an ID is refused as any other text that is none. */
const MAX_PARAM_LENGTH = 16 * 1024;
const V1_PREFIX = '/api/v1';

/** Builds the HTTP side: one library, its dialects, playback and health. It does not listen yet. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { library, corsOrigins } = options;
  const headers = securityHeaders(options.hstsMaxAgeSeconds);
  const raw = createRawAnswers(headers);
  const app = fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIdOf,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    bodyLimit: options.maxJsonBytes,
    connectionTimeout: IDLE_CONNECTION,
    ...(options.trustedProxies.length > 0 && { trustProxy: [...options.trustedProxies] }),
    forceCloseConnections: 'idle',
    // Its own 503 while closing would not be in a dialect's shape; see the hook below.
    return503OnClosing: false,
    // Node would refuse a missing Host without a body; see the hook below.
    // Most requests have no body, and a stream that nothing will come from costs a sixth of a quick answer.
    http: {
      requireHostHeader: false,
      optimizeEmptyRequests: true,
      ...HEADER_BOUNDS,
    },
    clientErrorHandler: raw.answerUnparsable,
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id).headers(headers);
      // Not the error itself: its message repeats the url, which does not belong in a log.
      const { status, message } = failureOf(error);
      const answer = request.url.startsWith(`${V1_PREFIX}/`) ? answerProblem : answerFailure;
      void answer(new RequestError(status, message), request, reply);
    },
  });
  app.server.on('checkExpectation', raw.answerExpectation);
  app.server.on('connect', raw.answerConnect);
  addSecurityHeaders(app, headers);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  await allowOrigins(app, corsOrigins);

  const gate = createUploadGate(options.uploads);

  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
    gate.close();
  });
  app.addHook('onRequest', async (request) => {
    if (isClosing) throw closing();
    if (request.raw.httpVersion === '1.1' && request.headers.host === undefined) {
      throw new RequestError(400, 'The request has no Host header; send one.');
    }
  });
  setBounds(app, { maxConnections: options.maxConnections });
  app.addHook('onSend', async (_request, reply) => {
    if (isClosing) reply.header('connection', 'close');
  });
  app.addHook('onSend', lingerAfterRefusal);
  // A recording's answer is begun before one can know that it will be the last on its connection.
  app.addHook('onResponse', async (request) => {
    if (isClosing) request.raw.socket.end();
  });
  app.addHook('onResponse', logAnswer);
  app.setErrorHandler((error, request, reply) => answerFailure(error, request, reply));
  app.setNotFoundHandler(answerNotFound);

  // The other side of optimizeEmptyRequests: who reads such a body would wait for its end for ever. Of a GET nobody does.
  app.addHook('preParsing', async (request, _reply, payload) =>
    request.raw.readableEnded && request.method !== 'GET' ? Readable.from([]) : payload,
  );

  options.observe?.(app);
  await app.register(fastifyMultipart, MULTIPART_OPTIONS);
  const authenticate = await createAuthentication(app, options.tokens);
  const limits = await createRateLimits(app, options.rateLimits);

  // Many and dull: only what goes wrong is logged.
  const load = watchLoad(options.load, library.databaseQueue, options.logger);
  app.addHook('onClose', async () => load.stop());
  const onAnswered = metrics(app, { library, load, gate, shared: options.metrics });
  await app.register(docs, { logLevel: 'warn' });
  const { console } = options;
  if (console !== undefined) {
    await app.register(async (page) => {
      page.addHook('onRequest', load.refuseWork);
      page.addHook('onRequest', limits.byAddress);
      await page.register(webConsole, console);
    });
  }
  await app.register(health, { library, load, logLevel: 'warn' });
  await app.register(playback, {
    library,
    authenticate,
    load,
    isClosing: () => isClosing,
    carried: linesForAll(headers, corsOrigins),
    hasOrigins: corsOrigins.length > 0,
    onAnswered,
    ...options.playback,
    logLevel: 'warn',
  });
  await app.register(async (api) => {
    api.addHook('onRequest', load.refuseWork);
    if (options.trustedProxies.length === 0) warnOfProxy(api);
    api.addHook('onRequest', limits.byAddress);
    api.addHook('onRequest', authenticate);
    api.addHook('onRequest', limits.byToken);
    const uploads = { library, gate, limits: options.uploadBody, end: options.endOfUploads };
    const { playback, publicBaseUrl, loudnessLufs } = options;
    const { access, maxAgeSeconds } = playback;
    const audio = { delivery: { publicBaseUrl, access, maxAgeSeconds }, loudnessLufs };
    await api.register(v3, { prefix: '/v3', uploads, audio });
    await api.register(v1, {
      prefix: V1_PREFIX,
      uploads,
      contentMaxAgeSeconds: maxAgeSeconds,
    });
  });
  return app;
}

/** Says once that a proxy stands in front whose clients all count as one. */
function warnOfProxy(api: FastifyInstance): void {
  let isSaid = false;
  api.addHook('onRequest', async (request) => {
    if (isSaid || request.headers['x-forwarded-for'] === undefined) return;
    isSaid = true;
    request.log.warn(
      'requests come with X-Forwarded-For, and TRUST_PROXY names no proxy: all clients of a proxy share its rate limit',
    );
  });
}
