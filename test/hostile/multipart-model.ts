import { foldName } from '../../src/library/prompt.ts';
import { fixture } from '../support/multipart.ts';

/** Files by what they are; the bytes decide, whatever the part says. */
export const CONTENTS = {
  wav: fixture('tone.wav'),
  mp3: fixture('tone.mp3'),
  text: Buffer.from('I am a text and no sound.\n'.repeat(20)),
  nothing: Buffer.alloc(0),
} as const;

export type ModelPart =
  | { readonly kind: 'text'; readonly name: string; readonly value: string }
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly content: keyof typeof CONTENTS;
      readonly type: string;
    };

/** What an upload of these parts must be answered with, told without the code that reads them. */
export interface Expected {
  /** `field code`, sorted; empty for an upload that is taken. */
  readonly faults: readonly string[];
  /** What was said last, by field. */
  readonly values: ReadonlyMap<string, string>;
  readonly content: keyof typeof CONTENTS | undefined;
}

interface Rules {
  readonly filePart: string;
  /** The field that a part's name means; the file part's own name for that. */
  readonly meaning: (name: string) => string | undefined;
  readonly checks: Readonly<Record<string, (value: string | undefined) => string | undefined>>;
  readonly faultOfType: (type: string) => string | undefined;
}

const FAULTS_OF_CONTENT = {
  wav: undefined,
  mp3: undefined,
  text: 'unsupported_format',
  nothing: 'file_empty',
} as const;
/** Bytes that a text part may have. */
const MAX_FIELD = 16 * 1024;

export function expectedOf(parts: readonly ModelPart[], rules: Rules): Expected {
  const { filePart, checks } = rules;
  const { content, faults } = expectedOfFiles(
    parts.filter((part) => part.kind === 'file'),
    rules,
  );
  const values = new Map<string, string>();
  for (const { name, value } of parts.filter((part) => part.kind === 'text')) {
    const field = rules.meaning(name);
    if (field === filePart) faults.push(`${filePart} invalid`);
    if (field === undefined || field === filePart) continue;
    if (Buffer.byteLength(value) > MAX_FIELD) faults.push(`${field} too_long`);
    else if (values.has(field)) faults.push(`${field} invalid`);
    values.set(field, value);
  }
  const isFileNamed = content !== undefined || faults.some((fault) => fault.startsWith(`${filePart} `));
  if (!isFileNamed) faults.push(`${filePart} required`);
  const wrong = Object.entries(checks).flatMap(([field, check]) => {
    const code = check(values.get(field));
    return code === undefined ? [] : [`${field} ${code}`];
  });
  return { faults: [...new Set([...faults, ...wrong])].sort(), values, content };
}

/** The first file under the right name counts. */
function expectedOfFiles(
  files: readonly (ModelPart & { readonly kind: 'file' })[],
  { filePart, meaning, faultOfType }: Rules,
): { readonly content: keyof typeof CONTENTS | undefined; readonly faults: string[] } {
  const first = files.find(({ name }) => meaning(name) === filePart);
  const faults = files.filter((file) => file !== first).map(({ name }) => `${name} unexpected_file`);
  const fault = first && (faultOfType(first.type) ?? FAULTS_OF_CONTENT[first.content]);
  if (fault !== undefined) faults.push(`${filePart} ${fault}`);
  return { content: fault === undefined ? first?.content : undefined, faults };
}

const lengthOf = (text: string) => [...text].length;
const matching = (pattern: RegExp) => (value: string | undefined) =>
  value === undefined || pattern.test(value) ? undefined : 'invalid';

export const nameOf = (value: string): string => value.normalize('NFC').trim();

export const V3: Rules = {
  filePart: 'file',
  meaning: (name) =>
    ['file', 'name', 'message_type', 'org_unit_id', 'recording_file_type', 'recording_created_by'].find(
      (known) => known === name,
    ),
  faultOfType: () => undefined,
  checks: {
    name: (value) => {
      if (value === undefined || nameOf(value) === '') return 'required';
      if (lengthOf(nameOf(value)) > 255) return 'too_long';
      return nameOf(value).includes('\0') ? 'invalid' : undefined;
    },
    message_type: (value) =>
      value === undefined ? 'required' : matching(/^(prompt|whisper|voicemail|survey)$/)(value),
    // Every number that the model is given is a unit that is there.
    org_unit_id: matching(/^1$/),
    recording_file_type: matching(/^[a-z_]{1,32}$/),
    recording_created_by: matching(/^(0|[1-9]\d{0,14})$/),
  },
};

export const V1: Rules = {
  filePart: 'File',
  meaning: (name) => ({ file: 'File', description: 'Description' })[name.toLowerCase()],
  faultOfType: (type) => (type.startsWith('audio/') ? undefined : 'unsupported_format'),
  checks: {
    Description: (value) => {
      if (value === undefined) return undefined;
      if (lengthOf(value) > 1000) return 'too_long';
      return value.includes('\0') ? 'invalid' : undefined;
    },
  },
};

/** Are these two names one? */
export const isSameName = (one: string, other: string): boolean =>
  foldName(nameOf(one)) === foldName(nameOf(other));
