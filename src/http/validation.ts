import type { z } from 'zod';
import { FIELD_CODES, type FieldFault } from './failure.ts';

export type Checked<T> =
  | { readonly success: true; readonly data: T }
  | { readonly success: false; readonly faults: readonly FieldFault[] };

/** Checks flat input against a schema; every field at fault is named, each once. */
export function check<Schema extends z.ZodObject>(
  schema: Schema,
  input: Readonly<Record<string, unknown>>,
): Checked<z.output<Schema>> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return { success: true, data: parsed.data };
  const faults = new Map<string, FieldFault>();
  for (const issue of parsed.error.issues) {
    const field = String(issue.path[0] ?? '');
    if (!faults.has(field)) {
      faults.set(field, { field, code: codeOf(issue, input[field]), message: issue.message });
    }
  }
  return { success: false, faults: [...faults.values()] };
}

/** A schema says by `params: { code }` where its refusal is neither of the usual two. */
function codeOf(issue: z.core.$ZodIssue, given: unknown): FieldFault['code'] {
  if (given === undefined) return 'required';
  const code: unknown = issue.code === 'custom' ? issue.params?.['code'] : undefined;
  return FIELD_CODES.find((known) => known === code) ?? 'invalid';
}
