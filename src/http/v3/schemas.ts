import { z } from 'zod';
import { FORMATS } from '../../audio/formats.ts';
import { decodeCursor } from '../../library/cursor.ts';
import { MAX_NAME_LENGTH, MESSAGE_TYPES, SORT_KEYS } from '../../library/vocabulary.ts';
import { envelopeOf, instant } from '../envelope-schemas.ts';
import { oneOf, shortText, wholeNumber } from '../fields.ts';

const NAME_REQUIRED = 'name is required: send a name for the prompt.';

const orgUnitId = wholeNumber({
  name: 'org_unit_id',
  least: 1,
  description: 'ID of an org unit within the reach of the token; by default the unit of the token.',
  example: 1,
});

const messageType = oneOf('message_type', MESSAGE_TYPES, 'What kind of prompt it is.');

const nameText = shortText({
  name: 'name',
  longest: MAX_NAME_LENGTH,
  description: 'Unique within its org unit, in whatever case. Trimmed and composed (NFC).',
  example: 'Main menu',
});

/** The text parts of an upload. */
export const uploadFields = z.object({
  name: z
    .string({ error: NAME_REQUIRED })
    .transform((name) => name.normalize('NFC').trim())
    .refine((name) => name !== '', {
      error: NAME_REQUIRED,
      abort: true,
      params: { code: 'required' },
    })
    .pipe(nameText)
    .meta({
      description: 'Unique within its org unit, in whatever case. Trimmed and composed (NFC).',
      example: 'Main menu',
      override: { minLength: 1, maxLength: MAX_NAME_LENGTH },
    }),
  message_type: messageType,
  org_unit_id: orgUnitId.optional(),
  recording_file_type: z
    .string()
    .regex(/^[a-z_]{1,32}$/, {
      error: 'recording_file_type must be 1 to 32 lower-case letters or underscores.',
    })
    .meta({ description: 'Where the recording comes from.', example: 'uploaded' })
    .default('uploaded'),
  recording_created_by: wholeNumber({
    name: 'recording_created_by',
    least: 0,
    description: 'ID of the user who made the recording; by default the user of the token.',
    example: 1234,
  }).optional(),
});

export const UPLOAD_FIELDS = Object.keys(uploadFields.shape);

const CURSOR_MESSAGE =
  'cursor must be a next_cursor of a list with the same sort_by and sort_order, sent without offset.';

/** The query of a list. Keys it does not know are ignored. */
export const listQuery = z
  .object({
    org_unit_id: orgUnitId.optional(),
    message_type: messageType.optional(),
    name: shortText({
      name: 'name',
      longest: MAX_NAME_LENGTH,
      description: 'Part of the name, in any case; % and _ are ordinary characters.',
      example: 'menu',
    }).optional(),
    limit: wholeNumber({
      name: 'limit',
      least: 1,
      most: 200,
      preset: 100,
      description: 'Prompts on a page.',
    }).default(100),
    offset: wholeNumber({
      name: 'offset',
      least: 0,
      preset: 0,
      description: 'Prompts to skip.',
    }).default(0),
    sort_by: oneOf('sort_by', SORT_KEYS, 'What to order by; ties are broken by the ID.').default(
      'created_on',
    ),
    sort_order: oneOf('sort_order', ['asc', 'desc'], 'In which direction.').default('desc'),
    cursor: z
      .string({ error: CURSOR_MESSAGE })
      .max(4096, { error: CURSOR_MESSAGE })
      .transform(decodeCursor)
      .refine((cursor) => cursor !== undefined, { error: CURSOR_MESSAGE })
      .meta({
        description:
          'The next_cursor of the page before: pages by key, so that a late page costs what the first does and none is missed or seen twice. With the same sort_by and sort_order, without offset.',
      })
      .optional(),
  })
  .refine(
    ({ cursor, offset, sort_by, sort_order }) =>
      cursor === undefined ||
      (offset === 0 && cursor.sortBy === sort_by && cursor.descending === (sort_order === 'desc')),
    { error: CURSOR_MESSAGE, path: ['cursor'] },
  );

export const promptParams = z.object({
  media_prompt_id: wholeNumber({
    name: 'media_prompt_id',
    least: 1,
    description: 'ID of a prompt, from its upload or a list.',
    example: 42,
  }),
});

/** A prompt in an answer. */
export const promptSchema = z
  .strictObject({
    media_prompt_id: z.int().min(1).meta({ description: 'What call flows refer to.' }),
    url: z.string().meta({ description: 'Path that plays the audio; nobody can guess it.' }),
    filename: z.string().meta({ description: 'The display name, not the name of a file.' }),
    recording_name: z
      .string()
      .regex(/^file-\d{13}-\d{39}$/)
      .meta({ description: 'Given by the service, unique for ever.' }),
    name: z.string(),
    message_type: z.enum(MESSAGE_TYPES),
    org_unit_id: z.int().min(1),
    recording_file_type: z.string(),
    recording_created_by: z.int().min(0).nullable(),
    original_filename: z.string().nullable().meta({ description: 'As the client named the file.' }),
    content_type: z.enum(Object.values(FORMATS).map(({ contentType }) => contentType)),
    file_size: z.int().min(1).meta({ description: 'Bytes.' }),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    container: z.enum(Object.keys(FORMATS) as (keyof typeof FORMATS)[]),
    codec: z.string().meta({ description: 'As ffprobe names it.' }),
    sample_rate: z.int().min(1).nullable().meta({ description: 'Hz.' }),
    channels: z.int().min(1).nullable(),
    duration_ms: z.int().min(0).nullable(),
    description: z.string().nullable(),
    created_on: instant,
    modified_on: instant,
  })
  .meta({ id: 'Prompt' });

export const promptAnswer = envelopeOf('PromptAnswer', promptSchema);
export const listAnswer = envelopeOf(
  'PromptListAnswer',
  z.strictObject({
    media_prompts: z.array(promptSchema),
    total: z.int().min(0).meta({ description: 'Of all that match, exactly.' }),
    next_cursor: z.string().nullable().meta({ description: 'For the next page; null on the last.' }),
  }),
);
export const deleteAnswer = envelopeOf(
  'PromptDeletedAnswer',
  z.strictObject({ media_prompt_id: z.int().min(1) }),
);
