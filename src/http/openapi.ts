import { z } from 'zod';
import { createDocument, type ZodOpenApiPathsObject } from 'zod-openapi';
import { errorSchema } from './envelope-schemas.ts';
import { audioAnswer, audioHeadAnswer } from './openapi-parts.ts';
import { v1Paths } from './v1/openapi.ts';
import { v3Paths } from './v3/openapi.ts';

const file = z.object({
  file: z.string().meta({
    description: 'The last segment of the url of a prompt.',
    example: 'file-1795170712377-025352233801775856895322771574610352462.wav',
  }),
});

const error = (description: string) => ({
  description,
  content: { 'application/json': { schema: errorSchema } },
});

const PLAYBACK_ERRORS = {
  401: error('With PLAYBACK_ACCESS=token: no valid token.'),
  404: error('The prompt is gone, or never was.'),
  500: error('A fault of the service.'),
  503: error('The database or the store does not answer.'),
};

const healthSchema = z.strictObject({ status: z.literal('ok') }).meta({ id: 'Health' });
const word = z.enum(['ok', 'unavailable']);
const readinessSchema = z
  .strictObject({
    status: z.enum(['ready', 'not ready']),
    checks: z.strictObject({ database: word, blobs: word }),
  })
  .meta({ id: 'Readiness' });

const json = (description: string, schema: z.ZodType, example: unknown) => ({
  description,
  content: { 'application/json': { schema, example } },
});

/** What belongs to no dialect. None of it needs a token, unless playback is configured to. */
const commonPaths: ZodOpenApiPathsObject = {
  '/uploads/call-flow-recordings/{file}': {
    get: {
      operationId: 'play',
      summary: 'Play a recording',
      description: 'What telephony engines fetch. The bytes under a url never change.',
      tags: ['Playback'],
      security: [{}, { bearer: [] }],
      requestParams: { path: file },
      responses: { 200: audioAnswer, ...PLAYBACK_ERRORS },
    },
    head: {
      operationId: 'playHead',
      summary: 'Ask for the headers of a recording',
      tags: ['Playback'],
      security: [{}, { bearer: [] }],
      requestParams: { path: file },
      responses: { 200: audioHeadAnswer, ...PLAYBACK_ERRORS },
    },
  },
  '/healthz': {
    get: {
      operationId: 'health',
      summary: 'Is the process alive?',
      tags: ['Health'],
      security: [],
      responses: { 200: json('It is.', healthSchema, { status: 'ok' }), 503: error('It is shutting down.') },
    },
  },
  '/readyz': {
    get: {
      operationId: 'readiness',
      summary: 'Do the database and the store answer?',
      tags: ['Health'],
      security: [],
      responses: {
        200: json('They do.', readinessSchema, {
          status: 'ready',
          checks: { database: 'ok', blobs: 'ok' },
        }),
        503: json('One of them does not.', readinessSchema, {
          status: 'not ready',
          checks: { database: 'unavailable', blobs: 'ok' },
        }),
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
    paths: { ...v3Paths, ...v1Paths, ...commonPaths },
  });
}
