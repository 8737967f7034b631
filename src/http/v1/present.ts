import { FORMATS } from '../../audio/formats.ts';
import { keyOf, type Prompt } from '../../library/prompt.ts';

/** A prompt as v1 says it. */
export function presentMedia({ uuid, name, description, createdOn, recording }: Prompt) {
  return {
    id: uuid,
    fileName: keyOf(recording),
    originalFileName: recording.originalFilename ?? name,
    fileSizeBytes: recording.fileSize,
    contentType: FORMATS[recording.container].contentType,
    createdTime: createdOn,
    description,
  };
}
