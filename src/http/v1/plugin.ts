import { create as contentDisposition } from 'content-disposition';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { originalOf } from '../../library/track.ts';
import { requireWriter } from '../authentication.ts';
import { type FieldFault, invalidFields, messageOf, RequestError } from '../failure.ts';
import { methodNotAllowed } from '../method-not-allowed.ts';
import { createAnswers } from '../recording-answer.ts';
import { sendJson } from '../send-json.ts';
import { goneError, sendRecording } from '../send-recording.ts';
import { readUpload } from '../upload.ts';
import { inTurn, type Uploads } from '../upload-turn.ts';
import { check } from '../validation.ts';
import { MEDIA, presentMedia } from './present.ts';
import { answerNoRoute, answerProblem } from './problem.ts';
import { listQuery, mediaChange, mediaParams, uploadFields } from './schemas.ts';

export interface V1Options {
  readonly uploads: Uploads;
  /** How long a client may keep the audio for itself, seconds; a token guards it here, so no shared cache may. */
  readonly contentMaxAgeSeconds: number;
}

/** Of a Content-Disposition line, characters. */
const MAX_DISPOSITION = 900;
/** A file without a name of its own still needs one in the list. */
const NAMELESS = 'audio';

const FIELD_NAMES: ReadonlyMap<string, string> = new Map(
  Object.keys(uploadFields.shape).map((name) => [name.toLowerCase(), name]),
);

const UPLOAD_FORM = {
  filePart: 'File',
  isFilePart: (name: string) => name.toLowerCase() === 'file',
  fieldOf: (name: string) => FIELD_NAMES.get(name.toLowerCase()),
  faultOfType: (mimetype: string): FieldFault | undefined =>
    mimetype.toLowerCase().startsWith('audio/') ? undefined : NO_AUDIO_TYPE,
};

/** The dialect v1: plain JSON and problems. To be registered under `/api/v1`, behind authentication. */
export async function v1(app: FastifyInstance, options: V1Options): Promise<void> {
  const { uploads } = options;
  const { library } = uploads;
  app.setErrorHandler(answerProblem);
  app.setNotFoundHandler(answerNoRoute);
  app.removeContentTypeParser(['application/json', 'text/plain']);
  // Many clients say JSON and send nothing, a delete above all.
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null);
    else void parseJson(request, String(body), done);
  });

  await app.register(async (posts) => {
    // What is no form is refused unread, so that a client that asks first is not told to send it.
    posts.removeContentTypeParser('application/json');
    posts.addContentTypeParser('application/json', (_request, _payload, done) => done(null));
    posts.post('/media', { preHandler: requireWriter }, inTurn(uploads, upload));
  });
  app.get('/media', list);
  app.get('/media/:id', get);
  app.patch('/media/:id', { preHandler: requireWriter }, change);
  app.delete('/media/:id', { preHandler: requireWriter }, remove);
  app.get('/media/:id/content', { exposeHeadRoute: false }, content);
  app.head('/media/:id/content', content);
  methodNotAllowed(app, '/media', ['GET', 'HEAD', 'POST']);
  methodNotAllowed(app, '/media/:id', ['GET', 'HEAD', 'PATCH', 'DELETE']);
  methodNotAllowed(app, '/media/:id/content', ['GET', 'HEAD']);

  async function upload(request: FastifyRequest, reply: FastifyReply) {
    const { principal } = request;
    const { isWhole, fields, file, faults } = await readUpload(request, reply, uploads, UPLOAD_FORM);
    const checked = check(uploadFields, Object.fromEntries(fields));
    if (file === undefined || !checked.success || faults.length > 0) {
      await file?.received.discard();
      const isFileNamed = !isWhole || file !== undefined || faults.some(({ field }) => field === 'File');
      throw invalidFields([
        ...(isFileNamed ? [] : [FILE_REQUIRED]),
        ...faults,
        ...(checked.success ? [] : checked.faults),
      ]);
    }
    const prompt = await library.add(
      principal,
      file.received,
      {
        orgUnitId: principal.orgUnitId,
        name: file.filename ?? NAMELESS,
        messageType: 'prompt',
        recordingFileType: 'uploaded',
        recordingCreatedBy: principal.userId,
        description: checked.data.Description ?? null,
        originalFilename: file.filename,
      },
      'unique',
    );
    request.log.info({ promptId: prompt.id, bytes: prompt.recording.fileSize }, 'prompt added');
    return await reply
      .code(201)
      .header('location', `/api/v1/media/${prompt.uuid}`)
      .send(presentMedia(prompt));
  }

  async function list(request: FastifyRequest, reply: FastifyReply) {
    const checked = check(listQuery, request.query as Record<string, unknown>);
    if (!checked.success) throw invalidFields(checked.faults);
    const { page, pageSize } = checked.data;
    const query = {
      orgUnitId: request.principal.orgUnitId,
      sortBy: 'created_on',
      descending: true,
      limit: pageSize,
      offset: (page - 1) * pageSize,
    } as const;
    const { items, total } = await library.list(request.principal, query, MEDIA);
    return await sendJson(reply.header('x-total-count', total), items);
  }

  async function get(request: FastifyRequest) {
    return presentMedia(await library.get(request.principal, refOf(request)));
  }

  async function change(request: FastifyRequest) {
    const ref = refOf(request);
    if (request.isMultipart()) throw new RequestError(415, messageOf(415));
    const { description } = changeOf(request.body);
    const prompt =
      description === undefined
        ? await library.get(request.principal, ref)
        : await library.describe(request.principal, ref, description);
    return presentMedia(prompt);
  }

  async function remove(request: FastifyRequest, reply: FastifyReply) {
    await library.remove(request.principal, refOf(request));
    return await reply.code(204).send();
  }

  async function content(request: FastifyRequest, reply: FastifyReply) {
    const prompt = await library.getCurrent(request.principal, refOf(request));
    const answerTo = createAnswers({
      cacheControl: `private, max-age=${options.contentMaxAgeSeconds}`,
      contentDisposition: dispositionOf(presentMedia(prompt).originalFileName),
    });
    const playable = { prompt, track: originalOf(prompt), bytes: undefined };
    if (!(await sendRecording(request, reply, library, playable, answerTo))) throw goneError();
  }
}

/** Some engines drop the whole answer for one long header line, so a long name loses its end. */
function dispositionOf(fileName: string): string {
  const header = contentDisposition(fileName);
  return header.length <= MAX_DISPOSITION ? header : dispositionOf([...fileName].slice(0, -10).join(''));
}

function refOf(request: FastifyRequest): { readonly uuid: string } {
  const checked = check(mediaParams, request.params as Record<string, unknown>);
  if (!checked.success) throw invalidFields(checked.faults);
  return { uuid: checked.data.id };
}

function changeOf(body: unknown): { readonly description?: string | null | undefined } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new RequestError(400, 'Send a JSON object, such as {"description": "…"}.');
  }
  const checked = check(mediaChange, body as Record<string, unknown>);
  if (!checked.success) throw invalidFields(checked.faults);
  return checked.data;
}

const FILE_REQUIRED = {
  field: 'File',
  code: 'required',
  message: 'File is required: send the audio as a file part named File.',
} as const;

const NO_AUDIO_TYPE = {
  field: 'File',
  code: 'unsupported_format',
  message: 'File must be declared as audio: give the part a Content-Type that starts with audio/.',
} as const;
