import { z } from 'zod';
import { FORMATS } from '../audio/formats.ts';
import { binaryFile } from './fields.ts';

/** Pieces of the API document that more than one dialect needs. */

export const FILE_DESCRIPTION =
  'The audio: WAV, MP3, MP4, Ogg, WebM, M4A, AAC or FLAC. Its bytes decide what it is, not its name or type.';

export const retryAfter = z.object({
  'Retry-After': z.int().min(0).meta({ description: 'Seconds to wait.', example: 2 }),
});

export const uploadLocation = z.object({
  Location: z.string().meta({ description: 'Path of what was added.' }),
});

const CONTENT_TYPES = [...new Set(Object.values(FORMATS).map(({ contentType }) => contentType))];

const playbackHeaders = z.object({
  'Content-Length': z.int().min(1).meta({ description: 'Bytes.' }),
  ETag: z.string().meta({ description: 'Strong; a hash of the bytes.' }),
  'Last-Modified': z.string(),
  'Cache-Control': z.string(),
});

/** The audio itself, in whichever of the eight formats it is. */
export const audioAnswer = {
  description: 'The audio as it was uploaded.',
  headers: playbackHeaders,
  content: Object.fromEntries(
    CONTENT_TYPES.map((type) => [type, { schema: binaryFile('The bytes of the file.') }]),
  ),
};

/** The headers that GET would have. */
export const audioHeadAnswer = { description: 'The headers that GET has.', headers: playbackHeaders };
