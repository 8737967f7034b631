import type { Prompt } from '../../library/prompt.ts';
import { its, keyAfter, present, type Shape, type Worded } from '../../library/wording.ts';
import { PLAYBACK } from '../playback.ts';

/** A prompt as v3 says it. The first four members are the documented ones, in their documented order. */
export const PROMPT = {
  media_prompt_id: its.id,
  url: keyAfter(PLAYBACK),
  filename: its.name,
  recording_name: its.recordingName,
  name: its.name,
  message_type: its.messageType,
  org_unit_id: its.orgUnitId,
  recording_file_type: its.recordingFileType,
  recording_created_by: its.recordingCreatedBy,
  original_filename: its.originalFilename,
  content_type: its.contentType,
  file_size: its.fileSize,
  sha256: its.sha256,
  container: its.container,
  codec: its.codec,
  sample_rate: its.sampleRate,
  channels: its.channels,
  duration_ms: its.durationMs,
  description: its.description,
  created_on: its.createdOn,
  modified_on: its.modifiedOn,
} as const satisfies Shape;

export const presentPrompt = (prompt: Prompt): Worded<typeof PROMPT> => present(PROMPT, prompt);
