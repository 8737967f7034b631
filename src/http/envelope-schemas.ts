import { z } from 'zod';
import { FIELD_CODES } from './failure.ts';

/** The envelope of envelope.ts as schemas, for the API document. */

export const instant = z.iso.datetime({ precision: 3 });

const requestId = z.uuid().meta({ description: 'The same as in the x-request-id header and in the log.' });

/** A success of v3: HTTP may say 201, the body says 200. */
export function envelopeOf<Data extends z.ZodType>(id: string, data: Data) {
  return z
    .strictObject({
      code: z.literal(200),
      message: z.literal('Success'),
      data,
      request_id: requestId,
      timestamp: instant,
    })
    .meta({ id });
}

export const errorSchema = z
  .strictObject({
    code: z.int().min(400).max(599).meta({ description: 'The HTTP status.' }),
    message: z.string().meta({ description: 'One sentence for a person.' }),
    data: z.null(),
    errors: z
      .array(z.strictObject({ field: z.string(), code: z.enum(FIELD_CODES), message: z.string() }))
      .min(1)
      .optional()
      .meta({ description: 'Every field at fault, where fields are to blame.' }),
    request_id: requestId,
    timestamp: instant,
  })
  .meta({ id: 'Error' });
