import { z } from 'zod';
import { createDocument, type ZodOpenApiPathsObject } from 'zod-openapi';
import { failed } from './envelope.ts';
import { errorSchema } from './envelope-schemas.ts';
import { CLOSING } from './failure.ts';
import { retryAfter, trackAnswers, unsatisfiableHeaders } from './openapi-parts.ts';
import { v1Paths } from './v1/openapi.ts';
import { v3AudioPaths } from './v3/audio-openapi.ts';
import { v3Paths } from './v3/openapi.ts';
import { v3OrgUnitPaths } from './v3/org-units-openapi.ts';

const file = z.object({
  file: z.string().meta({
    description: 'The last segment of the url of a prompt, or of one of its renditions.',
    example: 'file-1795170712377-025352233801775856895322771574610352462.wav',
  }),
});

const json = (description: string, schema: z.ZodType, example: unknown) => ({
  description,
  content: { 'application/json': { schema, example } },
});

const failure = (status: number, message: string) => ({
  ...failed(status, message, [], '7eddd4c6-4c38-46dc-a1b9-3a35e1dfb8ae'),
  timestamp: '2026-11-20T10:31:52.486Z',
});

const error = (status: number, description: string, message: string) =>
  json(description, errorSchema, failure(status, message));

const NO_HOST = error(400, 'The request is malformed.', 'The request has no Host header; send one.');
const MANY_HEADERS = error(
  431,
  'The header has too many lines.',
  'The request has more than 200 headers; send fewer.',
);

const PLAYBACK_ERRORS = {
  400: NO_HOST,
  431: MANY_HEADERS,
  401: error(
    401,
    'With PLAYBACK_ACCESS=token: no valid token.',
    'Send a valid token: Authorization: Bearer <token>.',
  ),
  404: error(
    404,
    'The prompt is gone, or never was; or the rendition cannot be made of it, and then the message says why.',
    'There is no such recording; its prompt may have been deleted.',
  ),
  412: error(
    412,
    'If-Match or If-Unmodified-Since does not hold.',
    'The recording is not the one that the condition names.',
  ),
  500: error(
    500,
    'A fault of the service.',
    'Something went wrong on our side; it was logged under the request ID.',
  ),
  501: error(
    501,
    'The rendition was never made, and this service makes none.',
    'This service makes no renditions: Conversion is switched off.',
  ),
  503: {
    ...error(
      503,
      'The database or the store does not answer, or too many wait for it; or the rendition could not be made within ten seconds.',
      'The service cannot reach its storage right now; try again in a moment.',
    ),
    headers: retryAfter,
  },
};

const UNSATISFIABLE = error(
  416,
  'The range lies beyond the end.',
  'The range lies beyond the end; the recording has 43026 bytes.',
);

const healthSchema = z.strictObject({ status: z.literal('ok') }).meta({ id: 'Health' });
const word = z.enum(['ok', 'unavailable']);
const loadWord = z.enum(['ok', 'overloaded']);
const ALL_WELL = {
  database: 'ok',
  blobs: 'ok',
  event_loop: 'ok',
  database_pool: 'ok',
  memory: 'ok',
};
const readinessSchema = z
  .strictObject({
    status: z.enum(['ready', 'not ready']),
    checks: z.strictObject({
      database: z
        .enum([...word.options, 'unknown'])
        .meta({ description: 'Not asked when too many wait for it.' }),
      blobs: word,
      event_loop: loadWord,
      database_pool: loadWord,
      memory: loadWord,
      replica: z.enum(['used', 'behind', 'away']).optional().meta({
        description: 'With DATABASE_READ_URL: whether lists are read there. The service works without.',
      }),
    }),
  })
  .meta({ id: 'Readiness' });

/** What belongs to no dialect. None of it needs a token, unless playback is configured to. */
const commonPaths: ZodOpenApiPathsObject = {
  '/uploads/call-flow-recordings/{file}': {
    get: {
      operationId: 'play',
      summary: 'Play a recording or a rendition of it',
      description:
        'What telephony engines fetch. The bytes under the url of a recording never change. A rendition that is not there yet is made first, which may take ten seconds.',
      tags: ['Playback'],
      security: [{}, { bearer: [] }],
      requestParams: { path: file },
      responses: {
        ...trackAnswers.get,
        ...PLAYBACK_ERRORS,
        416: { ...UNSATISFIABLE, headers: unsatisfiableHeaders },
      },
    },
    head: {
      operationId: 'playHead',
      summary: 'Ask for the headers of a recording',
      tags: ['Playback'],
      security: [{}, { bearer: [] }],
      requestParams: { path: file },
      responses: { ...trackAnswers.head, ...PLAYBACK_ERRORS },
    },
  },
  '/healthz': {
    get: {
      operationId: 'health',
      summary: 'Is the process alive?',
      tags: ['Health'],
      security: [],
      responses: {
        200: json('It is.', healthSchema, { status: 'ok' }),
        400: NO_HOST,
        431: MANY_HEADERS,
        503: error(503, 'It is shutting down.', CLOSING),
      },
    },
  },
  '/readyz': {
    get: {
      operationId: 'readiness',
      summary: 'Do the database and the store answer, and is there room for more work?',
      tags: ['Health'],
      security: [],
      responses: {
        200: json('They do.', readinessSchema, {
          status: 'ready',
          checks: ALL_WELL,
        }),
        400: NO_HOST,
        431: MANY_HEADERS,
        503: {
          description: 'What is not ok keeps it from working, or the service is shutting down.',
          content: {
            'application/json': {
              schema: z.union([readinessSchema, errorSchema]),
              examples: {
                away: {
                  value: { status: 'not ready', checks: { ...ALL_WELL, database: 'unavailable' } },
                },
                closing: { value: failure(503, CLOSING) },
              },
            },
          },
        },
      },
    },
  },
};

/** The API document of both dialects (OpenAPI 3.1), made of the very schemas that check requests. */
export function openApiDocument() {
  return createDocument({
    openapi: '3.1.1',
    info: {
      title: 'media-prompts',
      version: '0.1.0',
      description:
        'Keeps the audio prompts of phone systems. Two dialects over one library: what is uploaded through one is seen, changed and deleted through the other.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'The service that this document comes from.' }],
    security: [{ bearer: [] }],
    tags: [
      { name: 'Prompts (v3)', description: 'The envelope dialect.' },
      { name: 'Media (v1)', description: 'The plain dialect.' },
      { name: 'Playback', description: 'What telephony engines fetch.' },
      { name: 'Health', description: 'For probes.' },
    ],
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'A JWT with org_unit_id, exp, sub (or user_id) and role.',
        },
      },
    },
    paths: { ...v3Paths, ...v3AudioPaths, ...v3OrgUnitPaths, ...v1Paths, ...commonPaths },
  });
}
