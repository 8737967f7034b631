import { FORMATS } from '../audio/formats.ts';
import type { PromptRow } from '../catalogue/prompts.ts';
import type { Prompt } from './prompt.ts';

/** A row of the catalogue as the library's own type. */
export function promptFrom(row: PromptRow): Prompt {
  const { container } = row;
  if (!isContainer(container))
    throw new Error(`recording ${row.blobName} has the unknown container ${container}`);
  return {
    id: row.id,
    uuid: row.uuid,
    orgUnitId: row.orgUnitId,
    name: row.name,
    messageType: row.messageType,
    recordingFileType: row.recordingFileType,
    recordingCreatedBy: row.recordingCreatedBy,
    description: row.description,
    createdOn: row.createdOn,
    modifiedOn: row.modifiedOn,
    recording: {
      name: row.blobName,
      originalFilename: row.originalFilename,
      fileSize: row.fileSize,
      sha256: row.sha256,
      container,
      codec: row.codec,
      sampleRate: row.sampleRate,
      channels: row.channels,
      durationMs: row.durationMs,
    },
  };
}

/** The other way: the values that a dialect may tell of a prompt. */
export function rowFrom({ recording, ...prompt }: Prompt): PromptRow {
  const { name: blobName, ...facts } = recording;
  return { ...facts, ...prompt, blobName };
}

/** Is this one of the eight? */
export function isContainer(text: string): text is keyof typeof FORMATS {
  return Object.hasOwn(FORMATS, text);
}
