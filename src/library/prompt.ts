import { FORMATS } from '../audio/formats.ts';
import type { AudioFacts } from '../audio/inspector.ts';
import type { MessageType } from './vocabulary.ts';

/** What a prompt is made of beside its recording. */
export interface PromptDetails {
  readonly orgUnitId: number;
  readonly name: string;
  readonly messageType: MessageType;
  readonly recordingFileType: string;
  readonly recordingCreatedBy: number | null;
  readonly description: string | null;
}

/** What an upload says of its prompt. */
export interface NewPromptDetails extends PromptDetails {
  /** Of the file, as the client named it; for showing alone. */
  readonly originalFilename: string | null;
}

/** What a call flow refers to, with its current recording. */
export interface Prompt extends PromptDetails {
  readonly id: number;
  readonly uuid: string;
  /** ISO-8601, UTC, ms. */
  readonly createdOn: string;
  readonly modifiedOn: string;
  readonly recording: Recording;
}

/** One immutable piece of audio. */
export interface Recording extends AudioFacts {
  /** `file-<epoch ms>-<digits>`: also the name of its blob. */
  readonly name: string;
  readonly originalFilename: string | null;
  /** Bytes. */
  readonly fileSize: number;
  /** Hex. */
  readonly sha256: string;
}

export interface Page {
  /** The prompts in somebody's words: the text of a JSON array, to be passed on as it is. */
  readonly items: string;
  /** Of all that match, not of this page. */
  readonly total: number;
  /** Opaque; undefined at the end. */
  readonly nextCursor: string | undefined;
}

/** Where the bytes of a recording lie in the blob store, and in the url. */
export function keyOf(recording: Pick<Recording, 'name' | 'container'>): string {
  return `${recording.name}.${FORMATS[recording.container].extension}`;
}

/**
 * A name as it is compared: two names are the same when they differ only in case or in how Unicode composes
 * their letters. Upper, then lower: so that "ß" meets "SS" and "ς" meets "Σ" wherever they stand, which a
 * search for a part of the name relies on. Lower before both: the capital "ẞ" has no other upper case.
 */
export function foldName(name: string): string {
  const folded = name.normalize('NFC').toLowerCase().toUpperCase().toLowerCase();
  return folded.replaceAll('ς', 'σ').normalize('NFC');
}
