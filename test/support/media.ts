import { expect } from 'vitest';
import { fixture, multipart, type Part } from './multipart.ts';
import type { CallOptions, TestService } from './service.ts';

/** A prompt as v1 says it. */
export interface WireMedia {
  readonly id: string;
  readonly fileName: string;
  readonly originalFileName: string;
  readonly fileSizeBytes: number;
  readonly contentType: string;
  readonly createdTime: string;
  readonly description: string | null;
}

export interface MediaAnswer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export const MEDIA = '/api/v1/media';

/** Calls v1, which has no envelope. */
export async function callV1<T = WireMedia>(
  service: TestService,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<MediaAnswer<T>> {
  const { status, headers, body } = await service.call(method, path, options);
  // What a body is, is what the tests are about; its shape is held against the API document anyway.
  return { status, headers, body: body as unknown as T };
}

/** The file part of v1 with whatever is different about it. */
export const audio = (part: Partial<Part> = {}): Part => ({
  name: 'File',
  content: fixture('tone.wav'),
  filename: 'welcome.wav',
  type: 'audio/wav',
  ...part,
});

export async function uploadMedia(
  service: TestService,
  parts: readonly Part[],
  options: CallOptions = {},
): Promise<MediaAnswer<WireMedia>> {
  const { body, contentType } = multipart(parts);
  return await callV1(service, 'POST', MEDIA, {
    ...options,
    body,
    headers: { 'content-type': contentType, ...options.headers },
  });
}

/** Uploads a file of this name, which must be taken. */
export async function addMedia(
  service: TestService,
  filename: string,
  options: CallOptions = {},
): Promise<WireMedia> {
  const { status, body } = await uploadMedia(service, [audio({ filename })], options);
  expect(status).toBe(201);
  return body;
}

export async function changeMedia(
  service: TestService,
  id: string,
  change: unknown,
  options: CallOptions = {},
): Promise<MediaAnswer<WireMedia>> {
  return await callV1(service, 'PATCH', `${MEDIA}/${id}`, {
    ...options,
    body: JSON.stringify(change),
    headers: { 'content-type': 'application/json', ...options.headers },
  });
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Payload Too Large',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  507: 'Insufficient Storage',
};

/** What every refusal and fault of v1 is: a problem of one shape, with these fields at fault and no others. */
export function expectProblem(
  { status, headers, body }: MediaAnswer<unknown>,
  expected: { readonly status: number; readonly path?: string; readonly fields?: readonly string[] },
): void {
  const { path = MEDIA, fields = [] } = expected;
  const isValidation = expected.status === 400 && fields.length > 0;
  expect(status).toBe(expected.status);
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(headers.get('cache-control')).toBe('no-store');
  expect(body).toEqual({
    type: expect.stringMatching(/^https:\/\/tools\.ietf\.org\/html\/rfc\d{4}#section-[\d.]+$/),
    title: isValidation ? 'One or more validation errors occurred.' : TITLES[expected.status],
    status: expected.status,
    detail: expect.stringMatching(/^[A-Za-z].*[.}]$/),
    instance: path,
    ...(fields.length > 0 && {
      errors: Object.fromEntries(fields.map((field) => [field, [expect.stringMatching(/\.$/)]])),
    }),
    traceId: headers.get('x-request-id'),
  });
  expect(Object.keys(body as object)).toEqual(
    ['type', 'title', 'status', 'detail', 'instance', 'errors', 'traceId'].filter(
      (member) => member !== 'errors' || fields.length > 0,
    ),
  );
}
