import { z } from 'zod';
import type { ZodOpenApiPathsObject, ZodOpenApiResponsesObject } from 'zod-openapi';
import { errorSchema } from '../envelope-schemas.ts';
import { binaryFile } from '../fields.ts';
import { FILE_DESCRIPTION, retryAfter, uploadLocation } from '../openapi-parts.ts';
import { AUDIO } from './audio-examples.ts';
import { promptWithAudioAnswer } from './audio-schemas.ts';
import { deleteAnswer, listAnswer, listQuery, promptAnswer, promptParams, uploadFields } from './schemas.ts';

const REQUEST_ID = '7eddd4c6-4c38-46dc-a1b9-3a35e1dfb8ae';
const TIMESTAMP = '2026-11-20T10:31:52.486Z';

const PROMPT = {
  media_prompt_id: 42,
  url: '/uploads/call-flow-recordings/file-1795170712377-025352233801775856895322771574610352462.wav',
  filename: 'Main menu',
  recording_name: 'file-1795170712377-025352233801775856895322771574610352462',
  name: 'Main menu',
  message_type: 'prompt',
  org_unit_id: 1,
  recording_file_type: 'uploaded',
  recording_created_by: 1234,
  original_filename: 'welcome.wav',
  content_type: 'audio/wav',
  file_size: 43_026,
  sha256: 'a5e3b2f2cb9bd142d450e2e82261fb36fdef4b1518e36831e7ff1af558f4287e',
  container: 'wav',
  codec: 'pcm_s16le',
  sample_rate: 8000,
  channels: 1,
  duration_ms: 2686,
  description: null,
  created_on: '2026-11-20T10:31:52.483Z',
  modified_on: '2026-11-20T10:31:52.483Z',
};

export const success = (data: unknown) => ({
  code: 200,
  message: 'Success',
  data,
  request_id: REQUEST_ID,
  timestamp: TIMESTAMP,
});

export const failure = (code: number, message: string, fault?: { field: string; code: string }) => ({
  code,
  message,
  data: null,
  ...(fault && { errors: [{ ...fault, message }] }),
  request_id: REQUEST_ID,
  timestamp: TIMESTAMP,
});

export const answer = (description: string, schema: z.ZodType, example: unknown) => ({
  description,
  content: { 'application/json': { schema, example } },
});

export const refusal = (description: string, example: ReturnType<typeof failure>) =>
  answer(description, errorSchema, example);

/** What every route that needs a token may answer. */
export const COMMON: ZodOpenApiResponsesObject = {
  401: {
    ...refusal('No valid token.', failure(401, 'Send a valid token: Authorization: Bearer <token>.')),
    headers: z.object({ 'WWW-Authenticate': z.literal('Bearer') }),
  },
  429: {
    ...refusal(
      'Too many requests with this token or from this address, or too many uploads with this token at once.',
      failure(429, 'Too many requests with this token; wait as long as the Retry-After header says.'),
    ),
    headers: retryAfter,
  },
  431: refusal(
    'The header has too many lines.',
    failure(431, 'The request has more than 200 headers; send fewer.'),
  ),
  500: refusal(
    'A fault of the service, logged under the request ID.',
    failure(500, 'Something went wrong on our side; it was logged under the request ID.'),
  ),
  503: {
    ...refusal(
      'The database or the store does not answer, and whether a change happened is then unknown; or there is too much to do, and nothing happened.',
      failure(503, 'The service cannot reach its storage right now; try again in a moment.'),
    ),
    headers: retryAfter,
  },
};

const READ_ONLY = refusal(
  'The role of the token may only read.',
  failure(403, 'Your role may only read; ask for a token with the role standard or admin.'),
);

export const NO_UNIT = refusal(
  'The org unit does not exist within the reach of the token.',
  failure(404, 'There is no such org unit within the reach of your token.', {
    field: 'org_unit_id',
    code: 'not_found',
  }),
);

export const NO_PROMPT = refusal(
  'The prompt does not exist within the reach of the token.',
  failure(404, 'There is no such prompt within the reach of your token.', {
    field: 'media_prompt_id',
    code: 'not_found',
  }),
);

export const BAD_ID = refusal(
  'The ID is no ID.',
  failure(400, 'media_prompt_id must be a whole number from 1.', {
    field: 'media_prompt_id',
    code: 'invalid',
  }),
);

const LIST = {
  tags: ['Prompts (v3)'],
  requestParams: { query: listQuery },
  responses: {
    200: answer(
      'One page, newest first unless asked otherwise, and the exact total.',
      listAnswer,
      success({ media_prompts: [PROMPT], total: 1, next_cursor: null }),
    ),
    400: refusal(
      'A parameter is out of range or unknown; nothing is clamped.',
      failure(400, 'limit must be a whole number from 1 to 200.', { field: 'limit', code: 'invalid' }),
    ),
    404: NO_UNIT,
    ...COMMON,
  },
};

/** The routes of v3 as the API document has them, made of the schemas that check requests. */
export const v3Paths: ZodOpenApiPathsObject = {
  '/v3/media-prompts': {
    post: {
      operationId: 'uploadPrompt',
      summary: 'Upload a prompt',
      description:
        'The parts may come in any order. Unknown text parts are ignored; a second file, or one under another name, is refused. Every refusal of the input is a 400 that names each field at fault with a stable code.',
      tags: ['Prompts (v3)'],
      requestBody: {
        required: true,
        content: {
          'multipart/form-data': {
            schema: z
              .object({ file: binaryFile(FILE_DESCRIPTION), ...uploadFields.shape })
              .meta({ id: 'PromptUpload' }),
          },
        },
      },
      responses: {
        201: {
          ...answer(
            'The prompt; bytes and rows are durable. HTTP says 201, the body code 200.',
            promptAnswer,
            success(PROMPT),
          ),
          headers: uploadLocation,
        },
        400: refusal(
          'The input is refused: a field, the name, or the file for its size, format or content.',
          failure(
            400,
            'A prompt of this name already exists in the org unit; choose another name or delete that prompt first.',
            { field: 'name', code: 'name_taken' },
          ),
        ),
        403: READ_ONLY,
        404: NO_UNIT,
        ...COMMON,
        507: refusal(
          'The org unit keeps as much as it may, or the disk is full. Nothing was stored.',
          failure(
            507,
            'The org unit keeps 1048500 of the 1048576 bytes it may, which leaves too little room; delete prompts that are no longer needed or ask for a larger quota.',
          ),
        ),
      },
    },
    get: {
      operationId: 'listPrompts',
      summary: 'List prompts',
      description: 'Prompts of an org unit and everything below it.',
      ...LIST,
    },
  },
  '/v3/media-prompts/list': {
    get: {
      operationId: 'listPromptsAlias',
      summary: 'List prompts (alias)',
      description: 'The same as GET /v3/media-prompts.',
      ...LIST,
    },
  },
  '/v3/media-prompts/{media_prompt_id}': {
    get: {
      operationId: 'getPrompt',
      summary: 'Get a prompt',
      tags: ['Prompts (v3)'],
      requestParams: { path: promptParams },
      responses: {
        200: answer(
          'The prompt, with its renditions and what was measured of its audio.',
          promptWithAudioAnswer,
          success({ ...PROMPT, ...AUDIO }),
        ),
        400: BAD_ID,
        404: NO_PROMPT,
        ...COMMON,
      },
    },
    delete: {
      operationId: 'deletePrompt',
      summary: 'Delete a prompt',
      description: 'After the answer the url is a 404 and the name is free. The second delete is a 404.',
      tags: ['Prompts (v3)'],
      requestParams: { path: promptParams },
      responses: {
        200: answer('It is gone.', deleteAnswer, success({ media_prompt_id: 42 })),
        400: BAD_ID,
        403: READ_ONLY,
        404: NO_PROMPT,
        ...COMMON,
      },
    },
  },
};
