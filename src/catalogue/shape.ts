import { type RawBuilder, sql } from 'kysely';
import { COLUMNS, type PromptRow } from './prompts.ts';
import { instantAsJson } from './values.ts';

/** A value of a row, or the word that a table has for it; null where the table has none. */
interface OfField {
  readonly field: keyof PromptRow;
  readonly as?: Readonly<Record<string, string>>;
}

/** What one member of a prompt tells. */
export type Saying =
  | OfField
  /** One text, of constants and of values that are never null. */
  | { readonly parts: readonly (string | OfField)[] }
  /** The first that is not null. */
  | { readonly firstOf: readonly OfField[] };

/** How somebody words a prompt: its members and what they tell, in order. */
export type Shape = Readonly<Record<string, Saying>>;

type Told<Of extends Saying> = Of extends { readonly field: infer Field extends keyof PromptRow; as?: never }
  ? PromptRow[Field]
  : string;

/** A prompt in the words of a shape. */
export type Worded<Of extends Shape> = { readonly [Member in keyof Of]: Told<Of[Member]> };

/** A row in the words of a shape. */
export function worded<Of extends Shape>(shape: Of, row: PromptRow): Worded<Of> {
  const members = Object.entries(shape).map(([member, saying]) => [member, told(saying, row)]);
  // The type says of each member what `told` makes of it.
  return Object.fromEntries(members) as Worded<Of>;
}

function told(saying: Saying, row: PromptRow): string | number | null {
  if ('parts' in saying) {
    return saying.parts.map((part) => (typeof part === 'string' ? part : told(part, row))).join('');
  }
  if ('firstOf' in saying) {
    return saying.firstOf.map((field) => told(field, row)).find((value) => value !== null) ?? null;
  }
  const value = row[saying.field];
  return saying.as === undefined ? value : (saying.as[String(value)] ?? null);
}

/**
 * The same in SQL: of a row of `p` and `r` the text of a JSON object, without white space. Made once for a shape.
 *
 * Its parts are added up, since `row_to_json` looks up the type of each value of each row; a few at a time, since each
 * addition copies what there is.
 */
export function jsonOf(shape: Shape): RawBuilder<string> {
  const known = texts.get(shape);
  if (known !== undefined) return known;
  const members = Object.entries(shape).map(([member, saying], place) => {
    const start = `${place === 0 ? '{' : ','}${JSON.stringify(member)}:`;
    return sql`${sql.lit(start)} || coalesce(${jsonOfSaying(saying)}, 'null')`;
  });
  const groups = Array.from({ length: Math.ceil(members.length / AT_ONCE) }, (_, group) =>
    sql.join(members.slice(group * AT_ONCE, (group + 1) * AT_ONCE), sql` || `),
  );
  const made = sql<string>`${sql.join(
    groups.map((group) => sql`(${group})`),
    sql` || `,
  )} || '}'`;
  texts.set(shape, made);
  return made;
}

/** Members. */
const AT_ONCE = 3;

const texts = new WeakMap<Shape, RawBuilder<string>>();

/** The JSON of one value; null for null. */
function jsonOfSaying(saying: Saying): RawBuilder<unknown> {
  if ('field' in saying) {
    if (saying.as !== undefined) return wordOf(saying, saying.as, JSON.stringify);
    if (INSTANTS.has(saying.field)) return instantAsJson(referenceOf(saying));
    if (NUMBERS.has(saying.field)) return sql`${referenceOf(saying)}::text`;
  }
  return sql`to_json(${textOf(saying)})::text`;
}

function textOf(saying: Saying): RawBuilder<unknown> {
  if ('parts' in saying) {
    const parts = saying.parts.map((part) => (typeof part === 'string' ? sql.lit(part) : textOf(part)));
    return sql.join(parts, sql` || `);
  }
  if ('firstOf' in saying) return sql`coalesce(${sql.join(saying.firstOf.map(textOf))})`;
  return saying.as === undefined ? referenceOf(saying) : wordOf(saying, saying.as, String);
}

function wordOf(field: OfField, words: Readonly<Record<string, string>>, say: (word: string) => string) {
  const cases = Object.entries(words).map(
    ([value, word]) => sql`when ${sql.lit(value)} then ${sql.lit(say(word))}`,
  );
  return sql`case ${referenceOf(field)} ${sql.join(cases, sql` `)} end`;
}

/** Those whose text is their JSON. */
const NUMBERS: ReadonlySet<string> = new Set(
  Object.keys({
    id: true,
    orgUnitId: true,
    recordingCreatedBy: true,
    fileSize: true,
    sampleRate: true,
    channels: true,
    durationMs: true,
  } satisfies Record<NumberField, true>),
);
type NumberField = {
  [Field in keyof PromptRow]: PromptRow[Field] extends number | null ? Field : never;
}[keyof PromptRow];

const INSTANTS: ReadonlySet<string> = new Set<keyof PromptRow>(['createdOn', 'modifiedOn']);

function referenceOf({ field }: OfField): RawBuilder<unknown> {
  const reference = REFERENCES.get(field);
  if (reference === undefined) throw new Error(`no column is selected as ${field}`);
  return reference;
}

/** The column of each field. */
const REFERENCES: ReadonlyMap<string, RawBuilder<unknown>> = new Map(
  COLUMNS.map((column) => {
    const [reference = '', field = reference.slice('p.'.length)] = column.split(' as ');
    return [field, sql.ref(reference)];
  }),
);
