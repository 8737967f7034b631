import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Library, OpenBlob } from '../library/library.ts';
import type { Playable } from '../library/shelf.ts';
import { carriedLines } from './cross-origin.ts';
import { RequestError } from './failure.ts';
import { type Answer, type AnswerTo, endWith, isBodiless, writeHead } from './recording-answer.ts';

/**
 * Answers GET or HEAD with a recording: whole, in parts, or not at all, as the conditions and ranges of the
 * request have it (RFC 9110, 13 and 14). Every header comes from the row, so that HEAD says what GET does and
 * opens no file. Bytes go out as the client takes them; a client that leaves costs nothing more. Where clients are to
 * fetch them from the store itself, a GET that would be answered with bytes is answered with the way there.
 *
 * False, and nothing is answered yet, when the bytes are gone: with their prompt, or those of a rendition, which is
 * made again for whoever asks once more.
 */
export async function sendRecording(
  request: FastifyRequest,
  reply: FastifyReply,
  library: Library,
  playable: Playable,
  answerTo: AnswerTo,
): Promise<boolean> {
  const { track, bytes } = playable;
  const answer = answerTo(track, request.method, request.headers);
  if (answer === 'precondition-failed') {
    throw new RequestError(412, 'The recording is not the one that the condition names.');
  }
  if (answer === 'unsatisfiable') {
    const { fileSize } = track;
    throw new RequestError(416, `The range lies beyond the end; the recording has ${fileSize} bytes.`, {
      headers: { 'content-range': `bytes */${fileSize}` },
    });
  }
  const isWithoutBody = isBodiless(request.method, answer);
  const { contentType } = track;
  const link = isWithoutBody ? undefined : await library.link(playable, { contentType, ...answerTo.manner });
  if (link !== undefined) {
    // It is good for a few minutes, and a prompt that is deleted is silent at once.
    await reply.code(302).headers({ location: link, 'cache-control': 'no-store' }).send();
    return true;
  }
  const needsFile = !isWithoutBody && bytes === undefined;
  const blob = needsFile ? await library.open(playable, firstOf(answer)) : undefined;
  if (needsFile && blob === undefined) return false;

  // Out of Fastify's hands, which would copy the bytes once more.
  reply.hijack();
  const response = reply.raw;
  writeHead(response, answer, request.id, carriedLines(reply));
  if (isWithoutBody) response.end();
  else if (bytes !== undefined) endWith(response, answer, bytes);
  else if (blob !== undefined) await transfer(request, response, answer, blob);
  return true;
}

const firstOf = ({ pieces }: Answer) => pieces.find((piece) => typeof piece !== 'string');

export function goneError(): RequestError {
  return new RequestError(404, 'There is no such recording; its prompt may have been deleted.');
}

async function transfer(
  request: FastifyRequest,
  response: ServerResponse,
  { pieces }: Answer,
  blob: OpenBlob,
): Promise<void> {
  const write = createWriter(response);
  try {
    for (const piece of pieces) {
      if (typeof piece === 'string') await write(Buffer.from(piece));
      else await blob.transfer(piece.start, piece.end, write);
    }
    response.end();
  } catch (error) {
    if (!(error instanceof ClientGoneError)) {
      request.log.error({ err: error }, 'a recording could not be read to its end');
    }
    // The head is out: a cut connection is all that can still tell the client.
    response.destroy();
  } finally {
    await blob.close();
  }
}

/** Nobody reads any more, which is no fault of ours; a reset shows in a write before the response is destroyed. */
class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';

  constructor(options?: ErrorOptions) {
    super('The client is gone.', options);
  }
}

/** Writes that resolve when the bytes are with the kernel, and reject when the client is gone. */
function createWriter(response: ServerResponse): (bytes: Uint8Array) => Promise<void> {
  let giveUp: ((reason: Error) => void) | undefined;
  // A response that is destroyed may forget the callbacks of its writes.
  response.once('close', () => giveUp?.(new ClientGoneError()));
  return (bytes) =>
    new Promise((resolve, reject) => {
      if (response.destroyed) {
        reject(new ClientGoneError());
        return;
      }
      giveUp = reject;
      response.write(bytes, (error) => (error ? reject(new ClientGoneError({ cause: error })) : resolve()));
    });
}
