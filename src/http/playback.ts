import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LibraryError } from '../library/errors.ts';
import type { Library } from '../library/library.ts';
import type { Playable } from '../library/shelf.ts';
import { partsOf } from '../library/track.ts';
import { type ExpressLaneOptions, openExpressLane } from './express-lane.ts';
import type { Load } from './load-shedding.ts';
import { methodNotAllowed } from './method-not-allowed.ts';
import { createAnswers } from './recording-answer.ts';
import { goneError, sendRecording } from './send-recording.ts';

/** Where tracks play, each under its file. */
export const PLAYBACK = '/uploads/call-flow-recordings/';

/** The path that plays a track, by its file. */
export const playbackPath = (file: string): string => PLAYBACK + file;

export interface PlaybackOptions {
  readonly library: Library;
  /** `link`: the unguessable url is the permission. `token`: a bearer token that reaches the prompt, too. */
  readonly access: 'link' | 'token';
  readonly maxAgeSeconds: number;
  readonly authenticate: (request: FastifyRequest) => Promise<void>;
  readonly isClosing: () => boolean;
  readonly load: Pick<Load, 'hasRoomToPlay' | 'refusePlayback'>;
  readonly carried: ExpressLaneOptions['carried'];
  readonly hasOrigins: boolean;
  /** Told of the status of answers that Fastify's hooks do not see. */
  readonly onAnswered: (status: number) => void;
}

/**
 * Serves recordings to telephony engines: no redirect, no compression, no long header lines, and headers that are
 * the same for GET and HEAD. HEAD is a route of its own, since an automatic one would read the file to its end.
 */
export async function playback(app: FastifyInstance, options: PlaybackOptions): Promise<void> {
  const { library, access, load, maxAgeSeconds } = options;
  if (access === 'token') app.addHook('onRequest', options.authenticate);
  const cacheControl = `${access === 'link' ? 'public' : 'private'}, max-age=${maxAgeSeconds}`;
  const answerTo = createAnswers({ cacheControl });

  const url = `${PLAYBACK}:file`;
  const play = async (request: FastifyRequest, reply: FastifyReply) => {
    const send = async () => await sendRecording(request, reply, library, await find(request), answerTo);
    if (!(await send()) && !(await send())) throw goneError();
  };
  app.head(url, play);
  app.get(url, { exposeHeadRoute: false }, play);
  methodNotAllowed(app, url, ['GET', 'HEAD']);
  if (access === 'link') {
    openExpressLane(app, { ...options, prefix: PLAYBACK, answerTo });
  }

  async function find(request: FastifyRequest): Promise<Playable> {
    const { file } = request.params as { file: string };
    const [, name = '', extension = ''] = /^([^.]+)\.([^.]+)$/.exec(file) ?? [];
    const isFull = !load.hasRoomToPlay();
    if (isFull && access === 'token') load.refusePlayback();
    if (access === 'token' && !(await isReached(request, name))) throw goneError();
    const playable = isFull ? library.atHand(file) : await library.findPlayable(name, extension);
    if (isFull && playable === undefined) load.refusePlayback();
    if (playable === undefined) throw goneError();
    return playable;
  }

  /** What a token does not reach must look like what never was, and nothing is made of it. */
  async function isReached({ principal }: FastifyRequest, name: string): Promise<boolean> {
    const prompt = await library.findByRecording(partsOf(name).recordingName);
    if (prompt === undefined) return false;
    try {
      await library.getCurrent(principal, { id: prompt.id });
      return true;
    } catch (error) {
      if (error instanceof LibraryError && error.code === 'prompt-not-found') return false;
      throw error;
    }
  }
}
