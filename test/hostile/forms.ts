import { fixture } from '../support/multipart.ts';

/** One part, byte for byte: header lines without their ends, and what follows the empty line. */
export interface RawPart {
  readonly lines: readonly string[];
  readonly content: string | Uint8Array;
}

export const disposition = (name: string, filename?: string) =>
  `Content-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}`;

export const field = (name: string, content: string): RawPart => ({ lines: [disposition(name)], content });

export const sound = (name: string, filename = 'a.wav'): RawPart => ({
  lines: [disposition(name, filename), 'Content-Type: audio/wav'],
  content: fixture('tone.wav'),
});

/** A form of these parts. Header lines are written as UTF-8. */
export function formOf(
  parts: readonly RawPart[],
  options: {
    readonly boundary?: string;
    readonly preamble?: string | Uint8Array;
    readonly epilogue?: string | Uint8Array;
  } = {},
): Buffer {
  const { boundary = 'b', preamble = '', epilogue = '' } = options;
  return Buffer.concat([
    Buffer.from(preamble),
    ...parts.flatMap(({ lines, content }) => [
      Buffer.from(`--${boundary}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`),
      Buffer.from(content),
      Buffer.from('\r\n'),
    ]),
    Buffer.from(`--${boundary}--\r\n`),
    Buffer.from(epilogue),
  ]);
}

/** A door of the library and what a good form for it is. */
export interface Door {
  readonly target: '/v3/media-prompts' | '/api/v1/media';
  readonly filePart: string;
  /** The parts of an upload that is taken when nothing else is wrong. */
  readonly good: (name: string) => readonly RawPart[];
}

export const DOORS: readonly Door[] = [
  {
    target: '/v3/media-prompts',
    filePart: 'file',
    good: (name) => [sound('file'), field('name', name), field('message_type', 'prompt')],
  },
  { target: '/api/v1/media', filePart: 'File', good: (name) => [sound('File', `${name}.wav`)] },
];

export const FORM_TYPE = { 'Content-Type': 'multipart/form-data; boundary=b' };
