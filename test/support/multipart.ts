import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Part {
  readonly name: string;
  readonly content: string | Buffer;
  /** Makes it a file part. */
  readonly filename?: string;
  readonly type?: string;
}

const BOUNDARY = '----test-boundary-5d1f3a';

/** A multipart body with its parts in the order given, which FormData would not let us break. */
export function multipart(parts: readonly Part[]): { body: Buffer; contentType: string } {
  const chunks: Buffer[] = [];
  for (const { name, content, filename, type } of parts) {
    const file = filename === undefined ? '' : `; filename="${filename}"`;
    const contentType = type === undefined ? '' : `Content-Type: ${type}\r\n`;
    chunks.push(
      Buffer.from(
        `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n${contentType}\r\n`,
      ),
      Buffer.from(content),
      Buffer.from('\r\n'),
    );
  }
  chunks.push(Buffer.from(`--${BOUNDARY}--\r\n`));
  return { body: Buffer.concat(chunks), contentType: `multipart/form-data; boundary=${BOUNDARY}` };
}

export const text = (name: string, content: string): Part => ({ name, content });

export const file = (content: string | Buffer, filename = 'prompt.bin', name = 'file'): Part => ({
  name,
  content,
  filename,
  type: 'application/octet-stream',
});

const FIXTURES = new URL('../fixtures/', import.meta.url);

export const fixturePath = (name: string): string => fileURLToPath(new URL(name, FIXTURES));
export const fixture = (name: string): Buffer => readFileSync(fixturePath(name));

/** A whole form, the file first as the documented call has it. */
export function promptForm(
  name: string,
  fields: Readonly<Record<string, string>> = {},
  audio = 'tone.wav',
): Part[] {
  return [
    file(fixture(audio), audio),
    text('name', name),
    text('message_type', 'prompt'),
    ...Object.entries(fields).map(([field, value]) => text(field, value)),
  ];
}
