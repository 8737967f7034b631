import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { FORMATS } from '../audio/formats.ts';
import type { Library } from '../library/library.ts';
import type { Prompt } from '../library/prompt.ts';
import { RequestError } from './failure.ts';
import { methodNotAllowed } from './method-not-allowed.ts';

const PREFIX = '/uploads/call-flow-recordings';

/** The path that plays a recording; the same as that of the file below the blobs' folder. */
export function playbackPath(key: string): string {
  return `${PREFIX}/${key}`;
}

export interface PlaybackOptions {
  readonly library: Library;
  /** `link`: the unguessable url is the permission. `token`: a bearer token that reaches the prompt, too. */
  readonly access: 'link' | 'token';
  readonly maxAgeSeconds: number;
  readonly authenticate: (request: FastifyRequest) => Promise<void>;
}

/**
 * Serves recordings to telephony engines: the whole file, no redirect, no compression, and headers that are the
 * same for GET and HEAD. HEAD is a route of its own, since an automatic one would read the file to its end.
 */
export async function playback(app: FastifyInstance, options: PlaybackOptions): Promise<void> {
  const { library, access, maxAgeSeconds } = options;
  if (access === 'token') app.addHook('onRequest', options.authenticate);
  const cacheControl = `${access === 'link' ? 'public' : 'private'}, max-age=${maxAgeSeconds}`;

  const url = `${PREFIX}/:file`;
  const play = async (request: FastifyRequest, reply: FastifyReply) =>
    await sendRecording(request, reply, library, await find(request), { cacheControl });
  app.head(url, play);
  app.get(url, { exposeHeadRoute: false }, play);
  methodNotAllowed(app, url, ['GET', 'HEAD']);

  async function find(request: FastifyRequest): Promise<Prompt> {
    const { file } = request.params as { file: string };
    const [, name = '', extension = ''] = /^([^.]+)\.([^.]+)$/.exec(file) ?? [];
    const prompt = await library.findPlayable(name, extension);
    if (prompt === undefined) throw notFound();
    if (access === 'token') await library.get(request.principal, { id: prompt.id });
    return prompt;
  }
}

/**
 * Answers GET or HEAD with the audio of a prompt. Every header comes from the row, so that both say the same and
 * HEAD opens no file.
 */
export async function sendRecording(
  request: FastifyRequest,
  reply: FastifyReply,
  library: Library,
  { recording, createdOn }: Prompt,
  { cacheControl }: { readonly cacheControl: string },
): Promise<FastifyReply> {
  const blob = request.method === 'HEAD' ? undefined : await library.open(recording);
  if (request.method !== 'HEAD' && blob === undefined) throw notFound();
  return await reply
    .headers({
      'content-type': FORMATS[recording.container].contentType,
      'content-length': recording.fileSize,
      etag: `"${recording.sha256.slice(0, 32)}"`,
      'last-modified': new Date(createdOn).toUTCString(),
      'cache-control': cacheControl,
      'x-content-type-options': 'nosniff',
    })
    .send(blob?.stream());
}

function notFound(): RequestError {
  return new RequestError(404, 'There is no such recording; its prompt may have been deleted.');
}
