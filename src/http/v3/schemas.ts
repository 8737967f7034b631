import { z } from 'zod';
import { decodeCursor } from '../../library/cursor.ts';
import { MESSAGE_TYPES, SORT_KEYS } from '../../library/vocabulary.ts';

const MAX_NAME = 255;
const MAX_DIGITS = 16;

/** Whole numbers as text, in their one spelling: no sign, no exponent, no leading zero, within 2^53. */
const whole = (message: string) =>
  z
    .string({ error: message })
    .max(MAX_DIGITS, { error: message })
    .regex(/^(0|[1-9]\d*)$/, { error: message })
    .transform(Number)
    .refine(Number.isSafeInteger, { error: message });

const orgUnitId = whole('org_unit_id must be the ID of an org unit: a whole number from 1.').refine(
  (id) => id > 0,
  { error: 'org_unit_id must be the ID of an org unit: a whole number from 1.' },
);

const messageType = z.enum(MESSAGE_TYPES, {
  error: `message_type must be one of ${MESSAGE_TYPES.join(', ')}.`,
});

const withoutNul = (name: string) => !name.includes('\0');

/** The text parts of an upload. */
export const uploadFields = z.object({
  name: z
    .string({ error: 'name is required: send a name for the prompt.' })
    .transform((name) => name.normalize('NFC').trim())
    .refine((name) => name !== '', { error: 'name is required: send a name for the prompt.', abort: true })
    // Characters, not UTF-16 units.
    .refine((name) => [...name].length <= MAX_NAME, {
      error: `name may have ${MAX_NAME} characters at most; shorten it.`,
      params: { code: 'too_long' },
    })
    .refine(withoutNul, { error: 'name must not contain a NUL character; remove it.' }),
  message_type: messageType,
  org_unit_id: orgUnitId.optional(),
  recording_file_type: z
    .string()
    .regex(/^[a-z_]{1,32}$/, {
      error: 'recording_file_type must be 1 to 32 lower-case letters or underscores.',
    })
    .default('uploaded'),
  recording_created_by: whole('recording_created_by must be a user ID: a whole number.').optional(),
});

export const UPLOAD_FIELDS = Object.keys(uploadFields.shape);

const CURSOR_MESSAGE =
  'cursor must be a next_cursor of a list with the same sort_by and sort_order, sent without offset.';

/** The query of a list. Keys it does not know are ignored. */
export const listQuery = z
  .object({
    org_unit_id: orgUnitId.optional(),
    message_type: messageType.optional(),
    name: z
      .string({ error: 'name must be given once.' })
      .refine((name) => [...name].length <= MAX_NAME, {
        error: `name may have ${MAX_NAME} characters at most; shorten it.`,
        params: { code: 'too_long' },
      })
      .refine(withoutNul, { error: 'name must not contain a NUL character; remove it.' })
      .optional(),
    limit: whole('limit must be a whole number from 1 to 200.')
      .refine((limit) => limit >= 1 && limit <= 200, { error: 'limit must be a whole number from 1 to 200.' })
      .default(100),
    offset: whole('offset must be a whole number from 0.').default(0),
    sort_by: z
      .enum(SORT_KEYS, { error: `sort_by must be one of ${SORT_KEYS.join(', ')}.` })
      .default('created_on'),
    sort_order: z.enum(['asc', 'desc'], { error: 'sort_order must be asc or desc.' }).default('desc'),
    cursor: z
      .string({ error: CURSOR_MESSAGE })
      .max(4096, { error: CURSOR_MESSAGE })
      .transform(decodeCursor)
      .refine((cursor) => cursor !== undefined, { error: CURSOR_MESSAGE })
      .optional(),
  })
  .refine(
    ({ cursor, offset, sort_by, sort_order }) =>
      cursor === undefined ||
      (offset === 0 && cursor.sortBy === sort_by && cursor.descending === (sort_order === 'desc')),
    { error: CURSOR_MESSAGE, path: ['cursor'] },
  );

export const promptParams = z.object({
  media_prompt_id: whole('media_prompt_id must be the ID of a prompt: a whole number from 1.').refine(
    (id) => id > 0,
    { error: 'media_prompt_id must be the ID of a prompt: a whole number from 1.' },
  ),
});
