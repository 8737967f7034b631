import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { file, fixture, text } from '../support/multipart.ts';
import type { TestService } from '../support/service.ts';

/** What is accepted, by extension, with the type that the service gives it. */
export const TYPES = {
  wav: 'audio/wav',
  mp3: 'audio/mpeg',
  mp4: 'audio/mp4',
  ogg: 'audio/ogg',
  webm: 'audio/webm',
  m4a: 'audio/mp4',
  aac: 'audio/aac',
  flac: 'audio/flac',
} as const;

export type Extension = keyof typeof TYPES;
export const EXTENSIONS = Object.keys(TYPES) as readonly Extension[];

/** A recording that was uploaded, and what is known of it without asking the service. */
export interface Sound {
  readonly id: number;
  /** Of the url. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
}

/** Uploads bytes, which must be taken. */
export async function addSound(
  service: TestService,
  name: string,
  bytes: Buffer,
  extension: Extension,
): Promise<Sound> {
  const { status, body } = await service.upload([
    file(bytes, `sound.${extension}`),
    text('name', name),
    text('message_type', 'prompt'),
  ]);
  expect({ status, message: body.message }).toEqual({ status: 201, message: 'Success' });
  const hash = createHash('sha256').update(bytes).digest('hex');
  return {
    id: body.data.media_prompt_id,
    path: body.data.url,
    bytes,
    type: TYPES[extension],
    etag: `"${hash.slice(0, 32)}"`,
  };
}

/** The tone in one of the formats. */
export async function addTone(service: TestService, name: string, extension: Extension): Promise<Sound> {
  return await addSound(service, `${name} ${extension}`, fixture(`tone.${extension}`), extension);
}
