import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { FORMATS } from '../audio/formats.ts';
import type { Prompt } from '../library/prompt.ts';
import type { ByteRange } from './byte-ranges.ts';
import type { Validators, Verdict } from './conditions.ts';

/** What is said of a recording whoever asks; made once for each prompt that is played. */
export interface Face extends Validators {
  readonly contentType: string;
  readonly lastModified: string;
}

/** Header lines as Node takes them without sorting: name, value, name, value. */
export type HeaderLines = readonly (string | number)[];

/** How this route serves recordings. */
export interface Manner {
  readonly cacheControl: string;
  readonly contentDisposition?: string | undefined;
}

/** A status line, headers, and pieces of text and of the file, in order. */
export interface Answer {
  readonly status: 200 | 206 | 304;
  readonly headers: HeaderLines;
  readonly pieces: readonly (string | ByteRange)[];
}

const faces = new WeakMap<Prompt, Face>();
const wholeAnswers = new WeakMap<Manner, WeakMap<Face, Answer>>();

export function faceOf(prompt: Prompt): Face {
  const known = faces.get(prompt);
  if (known !== undefined) return known;
  const { recording, createdOn } = prompt;
  const modifiedAt = Date.parse(createdOn);
  const face = {
    // Engines keep it in small buffers, so half of the hash has to do: 128 bits.
    etag: `"${recording.sha256.slice(0, 32)}"`,
    modifiedAt,
    size: recording.fileSize,
    contentType: FORMATS[recording.container].contentType,
    lastModified: new Date(modifiedAt).toUTCString(),
  };
  faces.set(prompt, face);
  return face;
}

/** The answer to GET or HEAD by a verdict that lets it have one. */
export function answerFor(
  verdict: Exclude<Verdict, { kind: 'precondition-failed' | 'unsatisfiable' }>,
  face: Face,
  manner: Manner,
): Answer {
  if (verdict.kind === 'ranges') return partial(verdict.ranges, face, manner);
  if (verdict.kind === 'whole') return whole(face, manner);
  return { status: 304, headers: validatorLines(face, manner), pieces: [] };
}

/** Writes status and headers. HEAD and 304 have nothing to follow. */
export function writeHead(response: ServerResponse, answer: Answer, requestId: string): void {
  response.writeHead(answer.status, [...answer.headers, 'x-request-id', requestId] as string[]);
}

/** Is the answer complete with its headers? */
export function isBodiless(method: string | undefined, { status }: Answer): boolean {
  return method === 'HEAD' || status === 304;
}

/** Ends an answer whose bytes are at hand: at once, so that head and body leave in one system call. */
export function endWith(response: ServerResponse, { pieces }: Answer, bytes: Buffer): void {
  const chunks = pieces.map((piece) =>
    typeof piece === 'string' ? Buffer.from(piece) : bytes.subarray(piece.start, piece.end),
  );
  // Not put together: whoever stalls would hold a copy.
  for (const chunk of chunks.slice(0, -1)) response.write(chunk);
  response.end(chunks.at(-1));
}

/** The same for everybody who asks for all of it, so it is made once. */
function whole(face: Face, manner: Manner): Answer {
  let answers = wholeAnswers.get(manner);
  if (answers === undefined) {
    answers = new WeakMap();
    wholeAnswers.set(manner, answers);
  }
  let answer = answers.get(face);
  if (answer === undefined) {
    const { contentType, size } = face;
    answer = {
      status: 200,
      headers: bodyLines(face, manner, contentType, size),
      pieces: [{ start: 0, end: size }],
    };
    answers.set(face, answer);
  }
  return answer;
}

function partial(ranges: readonly ByteRange[], face: Face, manner: Manner): Answer {
  const [first, ...others] = ranges;
  if (first === undefined || others.length > 0) return multipart(ranges, face, manner);
  return {
    status: 206,
    headers: [
      ...bodyLines(face, manner, face.contentType, first.end - first.start),
      'content-range',
      contentRange(first, face.size),
    ],
    pieces: [first],
  };
}

/** RFC 9110, 14.6. */
function multipart(ranges: readonly ByteRange[], face: Face, manner: Manner): Answer {
  const boundary = randomUUID();
  const pieces = [
    ...ranges.flatMap((range) => [
      `\r\n--${boundary}\r\nContent-Type: ${face.contentType}\r\nContent-Range: ${contentRange(range, face.size)}\r\n\r\n`,
      range,
    ]),
    `\r\n--${boundary}--\r\n`,
  ];
  const length = pieces.reduce(
    (sum, piece) => sum + (typeof piece === 'string' ? piece.length : piece.end - piece.start),
    0,
  );
  const type = `multipart/byteranges; boundary=${boundary}`;
  return { status: 206, headers: bodyLines(face, manner, type, length), pieces };
}

function bodyLines(face: Face, manner: Manner, contentType: string, length: number): HeaderLines {
  const lines = [
    'content-type',
    contentType,
    'content-length',
    length,
    'etag',
    face.etag,
    'last-modified',
    face.lastModified,
    'cache-control',
    manner.cacheControl,
    'accept-ranges',
    'bytes',
    'x-content-type-options',
    'nosniff',
  ];
  if (manner.contentDisposition !== undefined) lines.push('content-disposition', manner.contentDisposition);
  return lines;
}

function validatorLines({ etag, lastModified }: Face, { cacheControl }: Manner): HeaderLines {
  return ['etag', etag, 'last-modified', lastModified, 'cache-control', cacheControl];
}

function contentRange({ start, end }: ByteRange, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`;
}
