import { FORMATS } from '../../audio/formats.ts';
import { keyOf, type Prompt } from '../../library/prompt.ts';
import { playbackPath } from '../playback.ts';

/** A prompt as v3 says it. The first four members are the documented ones, in their documented order. */
export function presentPrompt(prompt: Prompt) {
  const { recording } = prompt;
  return {
    media_prompt_id: prompt.id,
    url: playbackPath(keyOf(recording)),
    filename: prompt.name,
    recording_name: recording.name,
    name: prompt.name,
    message_type: prompt.messageType,
    org_unit_id: prompt.orgUnitId,
    recording_file_type: prompt.recordingFileType,
    recording_created_by: prompt.recordingCreatedBy,
    original_filename: recording.originalFilename,
    content_type: FORMATS[recording.container].contentType,
    file_size: recording.fileSize,
    sha256: recording.sha256,
    container: recording.container,
    codec: recording.codec,
    sample_rate: recording.sampleRate,
    channels: recording.channels,
    duration_ms: recording.durationMs,
    description: prompt.description,
    created_on: prompt.createdOn,
    modified_on: prompt.modifiedOn,
  };
}
