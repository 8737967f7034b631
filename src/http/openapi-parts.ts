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

const audioContent = Object.fromEntries(
  CONTENT_TYPES.map((type) => [type, { schema: binaryFile('The bytes of the file.') }]),
);

/** What GET answers with the audio, in whichever of the eight formats it is; RFC 9110, 13 and 14. */
export const audioAnswers = {
  200: {
    description: 'The audio as it was uploaded.',
    headers: playbackHeaders.extend({ 'Accept-Ranges': z.literal('bytes') }),
    content: audioContent,
  },
  206: {
    description: 'The part that Range asked for, or several as multipart/byteranges.',
    headers: playbackHeaders.extend({
      'Accept-Ranges': z.literal('bytes'),
      'Content-Range': z.string().optional(),
    }),
    content: {
      ...audioContent,
      'multipart/byteranges': { schema: binaryFile('The parts, each with its Content-Range.') },
    },
  },
  304: {
    description: 'What the client has is still right.',
    headers: playbackHeaders.pick({ ETag: true, 'Last-Modified': true, 'Cache-Control': true }),
  },
};

/** What HEAD answers: the headers that GET would have. */
export const audioHeadAnswers = {
  200: { description: 'The headers that GET has.', headers: audioAnswers[200].headers },
  304: audioAnswers[304],
};

/** For a 416. */
export const unsatisfiableHeaders = z.object({
  'Content-Range': z.string().meta({ description: 'The size, in bytes.', example: 'bytes */43026' }),
});
