import { z } from 'zod';
import type { ZodOpenApiPathsObject, ZodOpenApiResponsesObject } from 'zod-openapi';
import { binaryFile } from '../fields.ts';
import {
  FILE_DESCRIPTION,
  recordingAnswers,
  retryAfter,
  unsatisfiableHeaders,
  uploadLocation,
} from '../openapi-parts.ts';
import {
  listQuery,
  mediaChange,
  mediaListSchema,
  mediaParams,
  mediaSchema,
  problemSchema,
  uploadFields,
} from './schemas.ts';

const TAGS = ['Media (v1)'];
const TRACE_ID = '7eddd4c6-4c38-46dc-a1b9-3a35e1dfb8ae';

const MEDIA = {
  id: '019a9f6e-3c4b-7d21-9a51-0e2f6c1d8b47',
  fileName: 'file-1795170712377-025352233801775856895322771574610352462.wav',
  originalFileName: 'welcome.wav',
  fileSizeBytes: 43_026,
  contentType: 'audio/wav',
  createdTime: '2026-11-20T10:31:52.483Z',
  description: null,
};

const answer = (description: string, schema: z.ZodType, example: unknown) => ({
  description,
  content: { 'application/json': { schema, example } },
});

const problem = (
  status: number,
  description: string,
  example: {
    readonly section: string;
    readonly title: string;
    readonly detail: string;
    readonly field?: string;
  },
) => ({
  description,
  content: {
    'application/problem+json': {
      schema: problemSchema,
      example: {
        type: `https://tools.ietf.org/html/${example.section}`,
        title: example.title,
        status,
        detail: example.detail,
        instance: '/api/v1/media',
        ...(example.field !== undefined && { errors: { [example.field]: [example.detail] } }),
        traceId: TRACE_ID,
      },
    },
  },
});

const invalid = (description: string, field: string, detail: string) =>
  problem(400, description, {
    section: 'rfc9110#section-15.5.1',
    title: 'One or more validation errors occurred.',
    detail,
    field,
  });

/** What every route that needs a token may answer. */
const COMMON: ZodOpenApiResponsesObject = {
  401: {
    ...problem(401, 'No valid token.', {
      section: 'rfc9110#section-15.5.2',
      title: 'Unauthorized',
      detail: 'Send a valid token: Authorization: Bearer <token>.',
    }),
    headers: z.object({ 'WWW-Authenticate': z.literal('Bearer') }),
  },
  429: {
    ...problem(
      429,
      'Too many requests with this token or from this address, or too many uploads with this token at once.',
      {
        section: 'rfc6585#section-4',
        title: 'Too Many Requests',
        detail: 'Too many requests with this token; wait as long as the Retry-After header says.',
      },
    ),
    headers: retryAfter,
  },
  431: problem(431, 'The header has too many lines.', {
    section: 'rfc6585#section-5',
    title: 'Request Header Fields Too Large',
    detail: 'The request has more than 200 headers; send fewer.',
  }),
  500: problem(500, 'A fault of the service, logged under the trace ID.', {
    section: 'rfc9110#section-15.6.1',
    title: 'Internal Server Error',
    detail: 'Something went wrong on our side; it was logged under the request ID.',
  }),
  503: {
    ...problem(
      503,
      'The database or the store does not answer, and whether a change happened is then unknown; or there is too much to do, and nothing happened.',
      {
        section: 'rfc9110#section-15.6.4',
        title: 'Service Unavailable',
        detail: 'The service cannot reach its storage right now; try again in a moment.',
      },
    ),
    headers: retryAfter,
  },
};

const READ_ONLY = problem(403, 'The role of the token may only read.', {
  section: 'rfc9110#section-15.5.4',
  title: 'Forbidden',
  detail: 'Your role may only read; ask for a token with the role standard or admin.',
});

const NOT_FOUND = problem(404, 'It does not exist within the reach of the token.', {
  section: 'rfc9110#section-15.5.5',
  title: 'Not Found',
  detail: 'There is no such prompt within the reach of your token.',
});

const NOT_ACCEPTED = (detail: string, field?: string) =>
  problem(415, 'The body has the wrong Content-Type.', {
    section: 'rfc9110#section-15.5.16',
    title: 'Unsupported Media Type',
    detail,
    ...(field !== undefined && { field }),
  });

const TOO_LARGE = (description: string, detail: string, field?: string) =>
  problem(413, description, {
    section: 'rfc9110#section-15.5.14',
    title: 'Payload Too Large',
    detail,
    ...(field !== undefined && { field }),
  });

const PRECONDITION_FAILED = problem(412, 'If-Match or If-Unmodified-Since does not hold.', {
  section: 'rfc9110#section-15.5.13',
  title: 'Precondition Failed',
  detail: 'The recording is not the one that the condition names.',
});

const UNSATISFIABLE = {
  ...problem(416, 'The range lies beyond the end.', {
    section: 'rfc9110#section-15.5.17',
    title: 'Range Not Satisfiable',
    detail: 'The range lies beyond the end; the recording has 43026 bytes.',
  }),
  headers: unsatisfiableHeaders,
};

const BAD_ID = invalid('The ID is no UUID.', 'id', 'id must be a UUID.');

const ONE = { tags: TAGS, requestParams: { path: mediaParams } };

/** The routes of v1 as the API document has them, made of the schemas that check requests. */
export const v1Paths: ZodOpenApiPathsObject = {
  '/api/v1/media': {
    post: {
      operationId: 'uploadMedia',
      summary: 'Upload a media file',
      description:
        'The names of the parts may be written in any case and come in any order. The File part must be declared as audio/*. The prompt is named after the file, made unique by (2), (3) …',
      tags: TAGS,
      requestBody: {
        required: true,
        content: {
          'multipart/form-data': {
            schema: z
              .object({ File: binaryFile(FILE_DESCRIPTION), ...uploadFields.shape })
              .meta({ id: 'MediaUpload' }),
            encoding: { File: { contentType: 'audio/*' } },
          },
        },
      },
      responses: {
        201: {
          ...answer('The media file; bytes and rows are durable.', mediaSchema, MEDIA),
          headers: uploadLocation,
        },
        400: invalid(
          'A field or the file is refused.',
          'File',
          'File is required: send the audio as a file part named File.',
        ),
        403: READ_ONLY,
        404: NOT_FOUND,
        413: TOO_LARGE(
          'The file is over the limit.',
          'The file is larger than 52428800 bytes, the most that this service takes; shorten or compress it.',
          'File',
        ),
        415: NOT_ACCEPTED('Send the prompt as multipart/form-data with the audio as a file part.', 'File'),
        ...COMMON,
        507: problem(507, 'The org unit keeps as much as it may, or the disk is full. Nothing was stored.', {
          section: 'rfc4918#section-11.5',
          title: 'Insufficient Storage',
          detail:
            'The org unit keeps 1048500 of the 1048576 bytes it may, which leaves too little room; delete prompts that are no longer needed or ask for a larger quota.',
        }),
      },
    },
    get: {
      operationId: 'listMedia',
      summary: 'List media files',
      description: 'Newest first. Past the end the list is empty.',
      tags: TAGS,
      requestParams: { query: listQuery },
      responses: {
        200: {
          ...answer('One page, a bare array.', mediaListSchema, [MEDIA]),
          headers: z.object({
            'X-Total-Count': z.int().min(0).meta({ description: 'Of all there are.', example: 1 }),
          }),
        },
        400: invalid(
          'A parameter is out of range.',
          'pageSize',
          'pageSize must be a whole number from 1 to 1000.',
        ),
        404: NOT_FOUND,
        ...COMMON,
      },
    },
  },
  '/api/v1/media/{id}': {
    get: {
      operationId: 'getMedia',
      summary: 'Get a media file',
      ...ONE,
      responses: {
        200: answer('The media file.', mediaSchema, MEDIA),
        400: BAD_ID,
        404: NOT_FOUND,
        ...COMMON,
      },
    },
    patch: {
      operationId: 'changeMedia',
      summary: 'Change the description',
      description: 'null or an empty text clears it; absent changes nothing; unknown members are ignored.',
      ...ONE,
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: mediaChange.meta({ id: 'MediaChange' }),
            example: { description: 'Recorded in the spring' },
          },
        },
      },
      responses: {
        200: answer('The media file as it is now.', mediaSchema, {
          ...MEDIA,
          description: 'Recorded in the spring',
        }),
        400: BAD_ID,
        403: READ_ONLY,
        404: NOT_FOUND,
        408: problem(408, 'The body took too long to arrive.', {
          section: 'rfc9110#section-15.5.9',
          title: 'Request Timeout',
          detail: 'The request took too long to arrive; send it again.',
        }),
        413: TOO_LARGE('The body is too large.', 'The request body is larger than this service takes.'),
        415: NOT_ACCEPTED('The body has a Content-Type that this service does not take here.'),
        ...COMMON,
      },
    },
    delete: {
      operationId: 'deleteMedia',
      summary: 'Delete a media file',
      description: 'The second delete is a 404.',
      ...ONE,
      responses: {
        204: { description: 'It is gone.' },
        400: BAD_ID,
        403: READ_ONLY,
        404: NOT_FOUND,
        413: TOO_LARGE(
          'There is a body and it is too large.',
          'The request body is larger than this service takes.',
        ),
        415: NOT_ACCEPTED('The body has a Content-Type that this service does not take here.'),
        ...COMMON,
      },
    },
  },
  '/api/v1/media/{id}/content': {
    get: {
      operationId: 'getMediaContent',
      summary: 'Get the audio',
      ...ONE,
      responses: {
        ...recordingAnswers.get,
        400: BAD_ID,
        404: NOT_FOUND,
        412: PRECONDITION_FAILED,
        416: UNSATISFIABLE,
        ...COMMON,
      },
    },
    head: {
      operationId: 'headMediaContent',
      summary: 'Get the headers of the audio',
      ...ONE,
      responses: {
        ...recordingAnswers.head,
        400: BAD_ID,
        404: NOT_FOUND,
        412: PRECONDITION_FAILED,
        ...COMMON,
      },
    },
  },
};
