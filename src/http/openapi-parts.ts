import { z } from 'zod';
import { FORMATS } from '../audio/formats.ts';
import { RENDITIONS } from '../audio/renditions.ts';
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

const typesOf = (table: Readonly<Record<string, { readonly contentType: string }>>) =>
  Object.values(table).map(({ contentType }) => contentType);

const playbackHeaders = z.object({
  'Content-Length': z.int().min(1).meta({ description: 'Bytes.' }),
  ETag: z.string().meta({ description: 'Strong; a hash of the bytes.' }),
  'Last-Modified': z.string(),
  'Cache-Control': z.string(),
});

/** What GET answers with audio of these types, and HEAD with the same headers; RFC 9110, 13 and 14. */
function answersIn(types: readonly string[], description: string) {
  const content = Object.fromEntries(
    types.map((type) => [type, { schema: binaryFile('The bytes of the file.') }]),
  );
  const headers = playbackHeaders.extend({ 'Accept-Ranges': z.literal('bytes') });
  const notModified = {
    description: 'What the client has is still right.',
    headers: playbackHeaders.pick({ ETag: true, 'Last-Modified': true, 'Cache-Control': true }),
  };
  return {
    get: {
      200: { description, headers, content },
      206: {
        description: 'The part that Range asked for, or several as multipart/byteranges.',
        headers: headers.extend({ 'Content-Range': z.string().optional() }),
        content: {
          ...content,
          'multipart/byteranges': { schema: binaryFile('The parts, each with its Content-Range.') },
        },
      },
      302: {
        description:
          'With S3_SERVE=redirect: the bytes are there, for a few minutes, for whoever has this url.',
        headers: z.object({ Location: z.string(), 'Cache-Control': z.literal('no-store') }),
      },
      304: notModified,
    },
    head: { 200: { description: 'The headers that GET has.', headers }, 304: notModified },
  };
}

/** Of a recording as it was uploaded, in whichever of the eight formats it is. */
export const recordingAnswers = answersIn([...new Set(typesOf(FORMATS))], 'The audio as it was uploaded.');

/** Of a recording or a rendition of it. */
export const trackAnswers = answersIn(
  [...new Set([...typesOf(FORMATS), ...typesOf(RENDITIONS)])],
  'The audio as it was uploaded, or the rendition that the url names.',
);

/** For a 416. */
export const unsatisfiableHeaders = z.object({
  'Content-Range': z.string().meta({ description: 'The size, in bytes.', example: 'bytes */43026' }),
});
