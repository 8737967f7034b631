import type { Readable } from 'node:stream';
import type { MultipartFile, MultipartValue } from '@fastify/multipart';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LibraryError, type LibraryErrorCode } from '../library/errors.ts';
import type { ReceivedRecording } from '../library/receive.ts';
import { type FieldFault, failureOf, RequestError } from './failure.ts';
import { MAX_PART_NAME_BYTES, partsOf } from './upload-parts.ts';
import { signalOfEnd, type Uploads } from './upload-turn.ts';

/** Bytes of a body that take less than the network holds on its way. */
const SMALL = 512 * 1024;
/** What we keep of a file name, characters. */
const MAX_FILE_NAME = 255;

/** How a dialect wants its form read. */
export interface UploadForm {
  /** The name of the file part, as faults name it. */
  readonly filePart: string;
  readonly isFilePart: (name: string) => boolean;
  /** The text parts to keep; all others are ignored. Undefined for a name that is not known. */
  readonly fieldOf: (name: string) => string | undefined;
  /** What else is missing from a body that is no form. */
  readonly faultsOfNothing?: readonly FieldFault[];
  /** What is wrong with a file of this declared type, before its bytes are looked at. */
  readonly faultOfType?: (mimetype: string) => FieldFault | undefined;
  /** Called with what came before a file that is not small; may reject to refuse the upload early. */
  readonly beforeFile?: (fields: ReadonlyMap<string, string>) => Promise<void>;
}

export interface Upload {
  /** False when the body was refused before its end: what is not here may still have been on its way. */
  readonly isWhole: boolean;
  readonly fields: ReadonlyMap<string, string>;
  readonly file: { readonly received: ReceivedRecording; readonly filename: string | null } | undefined;
  /** What is wrong with the parts as parts; their values are the dialect's to check. */
  readonly faults: readonly FieldFault[];
}

/**
 * Reads a multipart form with its parts in any order and hands the file to the library as it arrives. A file
 * that is refused for what it is becomes a fault, so that the answer can name the other fields' faults too.
 *
 * The caller owns `file.received`. When this rejects, nothing that arrived is left.
 */
export async function readUpload(
  request: FastifyRequest,
  reply: FastifyReply,
  { library, limits, end }: Uploads,
  form: UploadForm,
): Promise<Upload> {
  if (!request.isMultipart()) {
    const message = 'Send the prompt as multipart/form-data with the audio as a file part.';
    throw new RequestError(415, message, {
      fields: [fault(form.filePart, 'required', message), ...(form.faultsOfNothing ?? [])],
    });
  }

  const fields = new Map<string, string>();
  const faults: FieldFault[] = [];
  const signal = signalOfEnd(reply, end);
  let file: Upload['file'];
  let hasSeenFile = false;

  const takeField = (part: MultipartValue) => {
    const partName = nameOf(part);
    if (form.isFilePart(partName)) {
      faults.push(fault(form.filePart, 'invalid', 'Send the audio as a file part, with a file name.'));
      return;
    }
    const field = form.fieldOf(partName);
    if (field === undefined) return;
    if (part.valueTruncated === true) {
      faults.push(fault(field, 'too_long', `The field ${field} is too long; shorten it.`));
    } else if (fields.has(field)) {
      faults.push(fault(field, 'invalid', `The field ${field} came twice; send it once.`));
    }
    fields.set(field, typeof part.value === 'string' ? part.value : JSON.stringify(part.value));
  };

  const takeFile = async (part: MultipartFile) => {
    const partName = nameOf(part);
    const filename = fileNameFrom(part.filename);
    if (!form.isFilePart(partName) || hasSeenFile) {
      await drain(part.file);
      const message = `Send one file, in the part ${form.filePart}.`;
      faults.push(fault(partName.slice(0, MAX_PART_NAME_BYTES), 'unexpected_file', message));
      return;
    }
    hasSeenFile = true;
    const wrongType = form.faultOfType?.(part.mimetype);
    if (wrongType !== undefined) {
      await drain(part.file);
      faults.push(wrongType);
      return;
    }
    if (isWorthAsking(request)) await form.beforeFile?.(fields);
    try {
      file = { received: await library.receive(part.file, signal), filename };
    } catch (error) {
      faults.push(faultOfFile(error, form.filePart));
    }
  };

  try {
    for await (const part of partsOf(request, form.filePart, limits, signal)) {
      if (part.type === 'file') await takeFile(part);
      else takeField(part as MultipartValue);
    }
  } catch (error) {
    request.raw.unpipe();
    await file?.received.discard();
    // Whatever it broke off with is a consequence.
    if (signal.aborted) throw signal.reason;
    // Told together with what else is known to be wrong by now.
    faults.push(faultOfEnd(error, form));
    return { isWhole: false, fields, file: undefined, faults };
  }
  return { isWhole: true, fields, file, faults };
}

const OF_CONTENT: ReadonlySet<LibraryErrorCode> = new Set([
  'file-empty',
  'unsupported-format',
  'unreadable-audio',
]);
const OF_EARLY_END: ReadonlySet<LibraryErrorCode> = new Set(['file-too-large', 'name-taken']);

/** A body that is here in a moment is not worth a question whose answer its commit gives anyway. */
function isWorthAsking({ headers }: FastifyRequest): boolean {
  return !(Number(headers['content-length']) <= SMALL);
}

/** What is wrong with a file that arrived whole is a fault among others; all else ends the upload. */
function faultOfFile(error: unknown, filePart: string): FieldFault {
  if (!(error instanceof LibraryError) || !OF_CONTENT.has(error.code)) throw error;
  return faultOf(error, { file: filePart });
}

/** What ends an upload before all of it is there, but is for the client to correct. */
function faultOfEnd(error: unknown, form: UploadForm): FieldFault {
  if (!(error instanceof LibraryError) || !OF_EARLY_END.has(error.code)) throw error;
  return faultOf(error, { file: form.filePart, name: 'name' });
}

function faultOf(error: LibraryError, names: Readonly<Record<string, string>>): FieldFault {
  const { refusal, message } = failureOf(error);
  if (refusal === undefined) throw error;
  return fault(names[refusal.subject] ?? refusal.subject, refusal.code, message);
}

/** The parser knows parts without a name, and files without one of their own, whatever its types say. */
function nameOf(part: { readonly fieldname?: string }): string {
  return part.fieldname ?? '';
}

function fault(field: string, code: FieldFault['code'], message: string): FieldFault {
  return { field, code, message };
}

/** The last segment of whatever path a client sends, for showing; never used as a path. */
function fileNameFrom(given: string | undefined): string | null {
  const name = ((given ?? '').split(/[\\/]/).at(-1) ?? '').replaceAll('\0', '').normalize('NFC').trim();
  return name === '' ? null : [...name].slice(0, MAX_FILE_NAME).join('').trimEnd();
}

/** Reads to its end a file that nobody wants, so that the parts behind it are reached. */
async function drain(source: Readable): Promise<void> {
  try {
    for await (const _chunk of source) {
      // Nothing of it is kept.
    }
  } catch (cause) {
    if (cause instanceof LibraryError) throw cause;
    const message = 'The upload ended before its files were complete; send it again.';
    throw new LibraryError('upload-interrupted', message, { cause });
  }
}
