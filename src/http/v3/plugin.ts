import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LibraryError } from '../../library/errors.ts';
import { requireWriter } from '../authentication.ts';
import { answerFailure, answerNotFound, success, successAround } from '../envelope.ts';
import { type FieldFault, invalidFields } from '../failure.ts';
import { methodNotAllowed } from '../method-not-allowed.ts';
import { sendJson } from '../send-json.ts';
import { readUpload, type Upload } from '../upload.ts';
import { inTurn, type Uploads } from '../upload-turn.ts';
import { check } from '../validation.ts';
import { type AudioOptions, audioRoutes } from './audio.ts';
import { promptIdOf } from './input.ts';
import { orgUnitRoutes } from './org-units.ts';
import { PROMPT, presentPrompt } from './present.ts';
import { presentAudio } from './present-audio.ts';
import { listQuery, UPLOAD_FIELDS, uploadFields } from './schemas.ts';

export interface V3Options {
  readonly uploads: Uploads;
  readonly audio: Omit<AudioOptions, 'library' | 'maxUploadBytes'>;
}

/** v3 documents 400 for every refusal of the input, whatever HTTP has for it. */
const DOCUMENTED_AS_400: ReadonlySet<number> = new Set([406, 409, 413, 414, 415, 422]);

const FILE_REQUIRED = {
  field: 'file',
  code: 'required',
  message: 'file is required: send the audio as a file part named file.',
} as const;

const nothing = check(uploadFields, {});

const UPLOAD_FORM = {
  faultsOfNothing: nothing.success ? [] : nothing.faults,
  filePart: 'file',
  isFilePart: (name: string) => name === 'file',
  fieldOf: (name: string) => (UPLOAD_FIELDS.includes(name) ? name : undefined),
};

/** The dialect v3: paths, fields, statuses and the envelope. To be registered under `/v3`, behind authentication. */
export async function v3(app: FastifyInstance, { uploads, audio }: V3Options): Promise<void> {
  const { library, limits } = uploads;
  app.setErrorHandler((error, request, reply) =>
    answerFailure(error, request, reply, (status) => (DOCUMENTED_AS_400.has(status) ? 400 : status)),
  );
  app.setNotFoundHandler(answerNotFound);
  // Clients send all kinds of types with an empty body; only the upload looks at one.
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));

  app.post('/media-prompts', { preHandler: requireWriter }, inTurn(uploads, upload));
  app.get('/media-prompts', list);
  app.get('/media-prompts/list', list);
  app.get('/media-prompts/:media_prompt_id', get);
  app.delete('/media-prompts/:media_prompt_id', { preHandler: requireWriter }, remove);
  methodNotAllowed(app, '/media-prompts', ['GET', 'HEAD', 'POST']);
  methodNotAllowed(app, '/media-prompts/list', ['GET', 'HEAD']);
  methodNotAllowed(app, '/media-prompts/:media_prompt_id', ['GET', 'HEAD', 'DELETE']);
  orgUnitRoutes(app, { library });
  audioRoutes(app, { ...audio, library, maxUploadBytes: limits.maxBytes });

  async function upload(request: FastifyRequest, reply: FastifyReply) {
    const { principal } = request;
    const upload = await readUpload(request, reply, uploads, {
      ...UPLOAD_FORM,
      beforeFile: (early) => refuseEarly(request, early),
    });
    const { fields, file, faults } = upload;
    const checked = check(uploadFields, Object.fromEntries(fields));
    if (file === undefined || !checked.success || faults.length > 0) {
      await file?.received.discard();
      throw invalidFields([
        ...missingFile(upload),
        ...faults,
        ...(checked.success ? [] : expected(checked.faults, upload)),
        ...(await faultOfName(request, fields)),
      ]);
    }
    const { data } = checked;
    const prompt = await library.add(principal, file.received, {
      orgUnitId: data.org_unit_id ?? principal.orgUnitId,
      name: data.name,
      messageType: data.message_type,
      recordingFileType: data.recording_file_type,
      recordingCreatedBy: data.recording_created_by ?? principal.userId,
      description: null,
      originalFilename: file.filename,
    });
    request.log.info({ promptId: prompt.id, bytes: prompt.recording.fileSize }, 'prompt added');
    return await reply
      .code(201)
      .header('location', `/v3/media-prompts/${prompt.id}`)
      .send(success(presentPrompt(prompt), request.id));
  }

  /** A name that is taken is named among the other faults; it alone is left to the unique index. */
  async function faultOfName(
    { principal }: FastifyRequest,
    fields: ReadonlyMap<string, string>,
  ): Promise<readonly FieldFault[]> {
    const checked = check(uploadFields.pick({ name: true, org_unit_id: true }), Object.fromEntries(fields));
    if (!checked.success) return [];
    const { org_unit_id: unit = principal.orgUnitId, name } = checked.data;
    try {
      await library.assertRoomFor(principal, unit, name);
      return [];
    } catch (error) {
      const isTaken = error instanceof LibraryError && error.code === 'name-taken';
      return isTaken ? [{ field: 'name', code: 'name_taken', message: error.message }] : [];
    }
  }

  /** Only where the unit came before the file too: one that comes later could make the name a free one. */
  async function refuseEarly(
    { principal }: FastifyRequest,
    fields: ReadonlyMap<string, string>,
  ): Promise<void> {
    const checked = check(uploadFields.pick({ name: true, org_unit_id: true }), Object.fromEntries(fields));
    if (!checked.success || checked.data.org_unit_id === undefined) return;
    await library.assertRoomFor(principal, checked.data.org_unit_id, checked.data.name);
  }

  async function list(request: FastifyRequest, reply: FastifyReply) {
    const checked = check(listQuery, request.query as Record<string, unknown>);
    if (!checked.success) throw invalidFields(checked.faults);
    const { data } = checked;
    const query = {
      orgUnitId: data.org_unit_id ?? request.principal.orgUnitId,
      messageType: data.message_type,
      name: data.name,
      sortBy: data.sort_by,
      descending: data.sort_order === 'desc',
      limit: data.limit,
      offset: data.offset,
      after: data.cursor,
    };
    const { items, total, nextCursor } = await library.list(request.principal, query, PROMPT);
    const [before, after] = successAround(request.id);
    const rest = `,"total":${total},"next_cursor":${JSON.stringify(nextCursor ?? null)}}${after}`;
    return await sendJson(reply, `${before}{"media_prompts":`, items, rest);
  }

  async function get(request: FastifyRequest) {
    const found = await library.getWithAudio(request.principal, { id: promptIdOf(request) });
    return success({ ...presentPrompt(found.prompt), ...presentAudio(found) }, request.id);
  }

  async function remove(request: FastifyRequest) {
    const id = promptIdOf(request);
    await library.remove(request.principal, { id });
    request.log.info({ promptId: id }, 'prompt removed');
    return success({ media_prompt_id: id }, request.id);
  }
}

function missingFile({ isWhole, file, faults }: Upload): readonly FieldFault[] {
  const isNamed = file !== undefined || faults.some(({ field }) => field === 'file');
  return isWhole && !isNamed ? [FILE_REQUIRED] : [];
}

/** Of a body that was cut off, what is not here is not missing. */
function expected(faults: readonly FieldFault[], { isWhole }: Upload): readonly FieldFault[] {
  return isWhole ? faults : faults.filter(({ code }) => code !== 'required');
}
