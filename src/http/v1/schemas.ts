import { z } from 'zod';
import { FORMATS } from '../../audio/formats.ts';
import { MAX_DESCRIPTION_LENGTH } from '../../library/vocabulary.ts';
import { shortText, wholeNumber } from '../fields.ts';

const uuid = z
  .guid({ error: 'id must be a UUID.' })
  .meta({ description: 'ID of a media file.', example: '019a9f6e-3c4b-7d21-9a51-0e2f6c1d8b47' });

const description = (name: string) =>
  shortText({
    name,
    longest: MAX_DESCRIPTION_LENGTH,
    description: 'For people; empty is the same as none.',
    example: 'Recorded in the spring',
  });

/** Empty is none. */
const orNull = (text: string | null | undefined) => (text === '' ? null : text);

/** The text parts of an upload. */
export const uploadFields = z.object({
  Description: description('Description').transform(orNull).default(null),
});

/** The query of a list. Keys it does not know are ignored. */
export const listQuery = z.object({
  page: wholeNumber({ name: 'page', least: 1, preset: 1, description: 'Which page.' }).default(1),
  pageSize: wholeNumber({
    name: 'pageSize',
    least: 1,
    most: 1000,
    preset: 50,
    description: 'Media files on a page.',
  }).default(50),
});

export const mediaParams = z.object({ id: uuid });

/** What can be changed. Absent is no change; members it does not know are ignored. */
export const mediaChange = z.object({
  description: z
    .union([description('description'), z.null()], { error: 'description must be a text or null.' })
    .transform(orNull)
    .optional(),
});

/** A media file in an answer. */
export const mediaSchema = z
  .strictObject({
    id: z.uuid(),
    fileName: z.string().meta({ description: 'Given by the service, unique for ever.' }),
    originalFileName: z.string(),
    fileSizeBytes: z.int().min(1),
    contentType: z.enum(Object.values(FORMATS).map(({ contentType }) => contentType)),
    createdTime: z.iso.datetime({ precision: 3 }),
    description: z.string().nullable(),
  })
  .meta({ id: 'Media' });

export const mediaListSchema = z.array(mediaSchema).meta({ id: 'MediaList' });

/** Every refusal and fault (RFC 9457). */
export const problemSchema = z
  .strictObject({
    type: z.string().meta({ description: 'Says what the status means.' }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().meta({ description: 'One sentence for a person.' }),
    instance: z.string().meta({ description: 'The path of the request.' }),
    errors: z
      .record(z.string(), z.array(z.string()).min(1))
      .optional()
      .meta({ description: 'The fields at fault, where fields are to blame.' }),
    traceId: z.uuid().meta({ description: 'The same as in the x-request-id header and in the log.' }),
  })
  .meta({ id: 'Problem' });
