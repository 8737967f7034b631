import { z } from 'zod';
import type { Position } from '../catalogue/prompt-page.ts';
import { SORT_KEYS, type SortKey } from './vocabulary.ts';

/** A position in a list together with the order it belongs to. */
export interface Cursor extends Position {
  readonly sortBy: SortKey;
  readonly descending: boolean;
}

/** No year 0, which the database has not. */
const ISO_INSTANT = /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const id = z.number().int().positive();
const number = z.number().int();
const text = z
  .string()
  .max(1000)
  .regex(/^[^\0]*$/);
const instant = z
  .string()
  .regex(ISO_INSTANT)
  // Date takes the 31st of February for a day in March; the database refuses it.
  .refine((value) => new Date(value).toJSON() === value);

const VALUES = {
  created_on: instant,
  name: text,
  message_type: text,
  duration_ms: number,
  file_size: number,
};

const shape = z.tuple([z.enum(SORT_KEYS), z.boolean(), z.union([z.string(), z.number()]), id]);

/** Opaque text for clients: base64url, so that it needs no escaping in a query. */
export function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify([cursor.sortBy, cursor.descending, cursor.value, cursor.id])).toString(
    'base64url',
  );
}

/** Undefined for a text that we did not make. */
export function decodeCursor(encoded: string): Cursor | undefined {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  const parsed = shape.safeParse(json);
  if (!parsed.success) return undefined;
  const [sortBy, descending, value, promptId] = parsed.data;
  if (!VALUES[sortBy].safeParse(value).success) return undefined;
  return { sortBy, descending, value, id: promptId };
}
