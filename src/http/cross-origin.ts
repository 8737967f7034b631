import fastifyCors from '@fastify/cors';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { HeaderLines } from './recording-answer.ts';
import type { SecurityHeaders } from './security-headers.ts';

/** What the API and playback understand, beside what a page may always send. */
const REQUEST_HEADERS = [
  'authorization',
  'content-type',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'x-request-id',
];
/** What a page may read, beside what it may always read. */
const ANSWER_HEADERS = [
  'accept-ranges',
  'allow',
  'content-disposition',
  'content-range',
  'etag',
  'location',
  'retry-after',
  'www-authenticate',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'x-request-id',
  'x-total-count',
];
/** How long a browser may remember what was allowed, s; Chromium remembers no longer. */
const REMEMBER = 7200;

/**
 * Lets pages of the given origins use the API and play, by the rules of CORS; without any, says nothing, and
 * browsers refuse all. Credentials are never allowed: a token is sent in a header, there is no cookie. To be
 * called before any hook that refuses, since a page cannot read a refusal without these headers.
 */
export async function allowOrigins(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return;
  const allowed = new Set(origins);
  await app.register(fastifyCors, {
    // A function, since to a list the package tells strangers what it would tell the others.
    origin: (origin, answer) => answer(null, origin !== undefined && allowed.has(origin) ? origin : false),
    methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
    allowedHeaders: REQUEST_HEADERS,
    exposedHeaders: ANSWER_HEADERS,
    maxAge: REMEMBER,
    // It would refuse half a preflight as plain text.
    strictPreflight: false,
  });
}

/** The lines of those below that are the same for all who send no Origin. */
export function linesForAll(headers: SecurityHeaders, origins: readonly string[]): HeaderLines {
  const hsts = headers['strict-transport-security'];
  return [
    ...(origins.length > 0 ? ['vary', 'Origin'] : []),
    ...(hsts === undefined ? [] : ['strict-transport-security', hsts]),
  ];
}

/** Whatever else a recording's own header lines must carry because of how the service is configured. */
const CARRIED = [
  'vary',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'strict-transport-security',
] as const;

/** The lines of an answer that Fastify will not write itself. */
export function carriedLines(reply: FastifyReply): HeaderLines {
  return CARRIED.flatMap((name) => {
    const value = reply.getHeader(name);
    return value === undefined ? [] : [name, String(value)];
  });
}
