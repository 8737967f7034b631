import type { Prompt } from '../../library/prompt.ts';
import { firstOf, its, keyAfter, present, type Shape, type Worded } from '../../library/wording.ts';

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

export const presentMedia = (prompt: Prompt): Worded<typeof MEDIA> => present(MEDIA, prompt);
