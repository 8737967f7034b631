import type { Prompt } from '../../library/prompt.ts';
import { firstOf, its, keyAfter, present, type Shape } from '../../library/wording.ts';

/** A prompt as v1 says it. */
export const MEDIA = {
  id: its.uuid,
  fileName: keyAfter(''),
  originalFileName: firstOf(its.originalFilename, its.name),
  fileSizeBytes: its.fileSize,
  contentType: its.contentType,
  createdTime: its.createdOn,
  description: its.description,
} as const satisfies Shape;

export const presentMedia = (prompt: Prompt) => present(MEDIA, prompt);
