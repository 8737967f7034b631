import { z } from 'zod';
import type {} from 'zod-openapi';

/** Ways to write fields that every dialect checks alike, and that say in the API document what they take. */

const MAX_DIGITS = 16;

/**
 * A whole number as text, in its one spelling: no sign, no exponent, no leading zero. In the document it is an
 * integer, which is what clients write.
 */
export function wholeNumber(options: {
  readonly name: string;
  readonly least: number;
  readonly most?: number;
  readonly description: string;
  readonly example?: number;
  /** For the document; zod knows its default behind the conversion, where it cannot be told. */
  readonly preset?: number;
}) {
  const { name, least, most = Number.MAX_SAFE_INTEGER, description, example, preset } = options;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  const error = `${name} must be a whole number ${range}.`;
  return z
    .string({ error })
    .max(MAX_DIGITS, { error })
    .regex(/^(0|[1-9]\d*)$/, { error })
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error })
    .meta({
      description,
      ...(example !== undefined && { example }),
      override: ({ jsonSchema }) => {
        delete jsonSchema.maxLength;
        delete jsonSchema.pattern;
        Object.assign(jsonSchema, {
          type: 'integer',
          minimum: least,
          maximum: most,
          ...(preset !== undefined && { default: preset }),
        });
      },
    });
}

/** A text of at most so many characters, counted as people count and not in UTF-16 units; without NUL. */
export function shortText(options: {
  readonly name: string;
  readonly longest: number;
  readonly description: string;
  readonly example?: string;
}) {
  const { name, longest, description, example } = options;
  return z
    .string({ error: `${name} must be one text.` })
    .refine((text) => [...text].length <= longest, {
      error: `${name} may have ${longest} characters at most; shorten it.`,
      params: { code: 'too_long' },
    })
    .refine((text) => !text.includes('\0'), {
      error: `${name} must not contain a NUL character; remove it.`,
    })
    .meta({ description, ...(example !== undefined && { example }), override: { maxLength: longest } });
}

/** One of a few words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(
  name: string,
  words: Words,
  description: string,
) {
  return z.enum(words, { error: `${name} must be one of ${words.join(', ')}.` }).meta({ description });
}

/** The audio in a multipart body, as the document shows it. */
export const binaryFile = (description: string) =>
  z.unknown().meta({
    description,
    override: { type: 'string', contentMediaType: 'application/octet-stream', format: 'binary' },
  });
