import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Track } from '../library/track.ts';
import type { ByteRange } from './byte-ranges.ts';
import { isUnconditional, type Validators, weigh } from './conditions.ts';

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

/** What is said of one recording whoever asks. */
interface Face extends Validators {
  readonly contentType: string;
  readonly lastModified: string;
}

interface Prepared {
  readonly face: Face;
  readonly whole: Answer;
  readonly notModified: Answer;
  /** Players ask for the same range again and again, such as Safari for `bytes=0-1`: kept the second time. */
  lastRange: string | undefined;
  lastPartial: Answer | undefined;
}

/** Answers GET or HEAD for what plays by the conditions and ranges of the request, or says why there is no answer. */
export interface AnswerTo {
  (
    track: Track,
    method: string,
    headers: IncomingHttpHeaders,
  ): Answer | 'precondition-failed' | 'unsatisfiable';
  readonly manner: Manner;
}

/** What can be made beforehand is made once for each track, and goes with it. */
export function createAnswers(manner: Manner): AnswerTo {
  const known = new WeakMap<Track, Prepared>();
  const answerTo = (track: Track, method: string, headers: IncomingHttpHeaders): ReturnType<AnswerTo> => {
    let prepared = known.get(track);
    if (prepared === undefined) {
      prepared = prepare(track, manner);
      known.set(track, prepared);
    }
    const { face } = prepared;
    const plainRange = method === 'GET' && isUnconditional(headers) ? headers.range : undefined;
    const isAgain = plainRange !== undefined && plainRange === prepared.lastRange;
    if (isAgain && prepared.lastPartial !== undefined) return prepared.lastPartial;

    const verdict = weigh(method, headers, face);
    switch (verdict.kind) {
      case 'precondition-failed':
      case 'unsatisfiable':
        return verdict.kind;
      case 'not-modified':
        return prepared.notModified;
      case 'whole':
        return prepared.whole;
      case 'ranges': {
        const answer = partial(verdict.ranges, face, manner);
        prepared.lastRange = plainRange;
        // Several parts are set apart by a boundary that is new each time.
        prepared.lastPartial = isAgain && verdict.ranges.length === 1 ? answer : undefined;
        return answer;
      }
    }
  };
  return Object.assign(answerTo, { manner });
}

function prepare({ sha256, fileSize: size, contentType, createdOn }: Track, manner: Manner): Prepared {
  const modifiedAt = Date.parse(createdOn);
  const face = {
    // Engines keep it in small buffers, so half of the hash has to do: 128 bits.
    etag: `"${sha256.slice(0, 32)}"`,
    modifiedAt,
    size,
    contentType,
    lastModified: new Date(modifiedAt).toUTCString(),
  };
  return {
    face,
    whole: {
      status: 200,
      headers: bodyLines(face, manner, face.contentType, size),
      pieces: [{ start: 0, end: size }],
    },
    notModified: { status: 304, headers: validatorLines(face, manner), pieces: [] },
    lastRange: undefined,
    lastPartial: undefined,
  };
}

/** Writes status and headers, with `more` lines after the answer's own. HEAD and 304 have nothing to follow. */
export function writeHead(
  response: ServerResponse,
  answer: Answer,
  requestId: string,
  more: HeaderLines,
): void {
  const lines = answer.headers.concat('x-request-id', requestId);
  response.writeHead(answer.status, (more.length > 0 ? lines.concat(more) : lines) as string[]);
}

/** Is the answer complete with its headers? */
export function isBodiless(method: string | undefined, { status }: Answer): boolean {
  return method === 'HEAD' || status === 304;
}

/** Ends an answer whose bytes are at hand: at once, so that head and body leave in one system call. */
export function endWith(response: ServerResponse, { pieces }: Answer, bytes: Buffer): void {
  // Not put together: whoever stalls would hold a copy.
  const last = pieces.length - 1;
  for (const [i, piece] of pieces.entries()) {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : bytes.subarray(piece.start, piece.end);
    if (i < last) response.write(chunk);
    else response.end(chunk);
  }
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
