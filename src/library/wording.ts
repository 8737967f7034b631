import { FORMATS } from '../audio/formats.ts';
import { type Saying, type Shape, type Worded, worded } from '../catalogue/shape.ts';
import type { Prompt } from './prompt.ts';
import { rowFrom } from './prompt-row.ts';

/**
 * A dialect's wording of a prompt is a table, a `Shape`: its members in their order, each with what it tells. One
 * prompt is worded by `present`; a page of a list by the database, which makes the text that is answered.
 */
export type { Shape, Worded };

const ofFormat = (property: 'extension' | 'contentType') =>
  Object.fromEntries(Object.entries(FORMATS).map(([container, format]) => [container, format[property]]));

/** What can be told of a prompt, and what a dialect may make its members of. */
export const its = {
  id: { field: 'id' },
  uuid: { field: 'uuid' },
  orgUnitId: { field: 'orgUnitId' },
  name: { field: 'name' },
  messageType: { field: 'messageType' },
  description: { field: 'description' },
  createdOn: { field: 'createdOn' },
  modifiedOn: { field: 'modifiedOn' },
  recordingName: { field: 'blobName' },
  recordingFileType: { field: 'recordingFileType' },
  recordingCreatedBy: { field: 'recordingCreatedBy' },
  originalFilename: { field: 'originalFilename' },
  fileSize: { field: 'fileSize' },
  sha256: { field: 'sha256' },
  container: { field: 'container' },
  extension: { field: 'container', as: ofFormat('extension') },
  contentType: { field: 'container', as: ofFormat('contentType') },
  codec: { field: 'codec' },
  sampleRate: { field: 'sampleRate' },
  channels: { field: 'channels' },
  durationMs: { field: 'durationMs' },
} as const satisfies Record<string, Saying>;

/** Where the bytes of the recording lie, as `keyOf` has it, after a constant such as a folder. */
export const keyAfter = (start: string) =>
  ({ parts: [start, its.recordingName, '.', its.extension] }) as const satisfies Saying;

/** The first of these that a prompt has; the last is one that every prompt has. */
export const firstOf = (...sayings: readonly (typeof its)[keyof typeof its][]) =>
  ({ firstOf: sayings }) as const satisfies Saying;

/** A prompt in the words of a shape. */
export function present<Of extends Shape>(shape: Of, prompt: Prompt): Worded<Of> {
  return worded(shape, rowFrom(prompt));
}
