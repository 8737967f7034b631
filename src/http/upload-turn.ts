import type { FastifyReply, FastifyRequest } from 'fastify';
import { LibraryError } from '../library/errors.ts';
import type { Library } from '../library/library.ts';
import { closing } from './closing.ts';
import { isHeld } from './held-continue.ts';
import type { UploadGate } from './upload-gate.ts';
import { whenSlow } from './upload-pace.ts';
import { type BodyLimits, isDeclaredTooLarge } from './upload-parts.ts';

/** What a dialect needs for taking uploads. */
export interface Uploads {
  readonly library: Library;
  readonly gate: UploadGate;
  readonly limits: BodyLimits;
  /** Aborts when the service ends and has no more time. */
  readonly end: AbortSignal;
}

type Handler<Answer> = (request: FastifyRequest, reply: FastifyReply) => Promise<Answer>;

/**
 * Runs the handler of an upload when it is its turn, and gives its place back once it is through. Until then no
 * byte of the body is read: the client is told to wait by 100 Continue, or by a connection that takes no more.
 *
 * One that leaves while it waits loses its place: at once if it still waits to be told to send, otherwise, since
 * nothing is read that would tell, no later than at its turn. One whose client turns out to be slow gives way to
 * the others while its body comes.
 */
export function inTurn<Answer>({ gate, limits, end }: Uploads, handler: Handler<Answer>): Handler<Answer> {
  return async (request, reply) => {
    const isRefusedUnread = !request.isMultipart() || isDeclaredTooLarge(request, limits.maxBytes);
    if (isRefusedUnread) return await handler(request, reply);
    const { socket } = request.raw;
    // Silence is ours while it waits for its turn, and judged by the pace of its body after that.
    const idleMs = socket.timeout ?? 0;
    socket.setTimeout(0);
    try {
      const place = await gate
        .enter(request.principal.tokenKey, signalOfEnd(reply, end), () => {
          // Node would take in what fits its buffers, which for a thousand that wait is a lot.
          if (!isHeld(reply.raw)) socket.pause();
        })
        .finally(() => socket.resume());
      const stopWatching = whenSlow(request.raw, () => place.giveWay());
      try {
        return await handler(request, reply);
      } finally {
        stopWatching();
        place.leave();
      }
    } finally {
      socket.setTimeout(idleMs);
    }
  };
}

/**
 * Aborts when the client goes away before it has its answer, and with the refusal of a service that closes when `end`
 * does. The request itself closes once its body is read.
 */
export function signalOfEnd(reply: FastifyReply, end: AbortSignal): AbortSignal {
  const over = new AbortController();
  const refuse = () => over.abort(closing());
  const depart = () => {
    end.removeEventListener('abort', refuse);
    if (reply.raw.writableFinished) return;
    over.abort(new LibraryError('upload-interrupted', 'The client went away before its answer.'));
  };
  if (end.aborted) refuse();
  else end.addEventListener('abort', refuse);
  // It may have left while its token was checked.
  if (reply.raw.closed) depart();
  else reply.raw.once('close', depart);
  return over.signal;
}
