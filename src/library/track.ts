import { FORMATS } from '../audio/formats.ts';
import { RENDITIONS, type RenditionKind } from '../audio/renditions.ts';
import type { ReadyRendition } from '../catalogue/renditions.ts';
import { keyOf, type Prompt } from './prompt.ts';

/** Audio as it plays under one url: a recording or a rendition of it. Its bytes never change. */
export interface Track {
  /** The last segment of its url; of an original also its key in the store. */
  readonly file: string;
  /** Where the bytes lie in the blob store. */
  readonly key: string;
  readonly contentType: string;
  /** Bytes. */
  readonly fileSize: number;
  /** Hex. */
  readonly sha256: string;
  /** ISO-8601, UTC, ms. */
  readonly createdOn: string;
  /** Of a rendition, which can be made again: its blob. */
  readonly renditionBlob?: string;
}

const originals = new WeakMap<Prompt, Track>();

/** A prompt's recording as it was uploaded. */
export function originalOf(prompt: Prompt): Track {
  const known = originals.get(prompt);
  if (known !== undefined) return known;
  const { recording } = prompt;
  const key = keyOf(recording);
  const track = {
    file: key,
    key,
    contentType: FORMATS[recording.container].contentType,
    fileSize: recording.fileSize,
    sha256: recording.sha256,
    createdOn: prompt.createdOn,
  };
  originals.set(prompt, track);
  return track;
}

/** What a rendition is called: as its recording, and of which kind it is. */
export const renditionName = (recordingName: string, kind: RenditionKind): string =>
  `${recordingName}-${kind}`;

/** The last segment of the url of a rendition: `<recording_name>-<rendition>.<ext>`. */
export const renditionFile = (recordingName: string, kind: RenditionKind): string =>
  `${renditionName(recordingName, kind)}.${RENDITIONS[kind].extension}`;

/** A rendition that was made. */
export function trackOf(recordingName: string, kind: RenditionKind, row: ReadyRendition): Track {
  const { extension, contentType } = RENDITIONS[kind];
  return {
    file: renditionFile(recordingName, kind),
    key: `${row.blobName}.${extension}`,
    contentType,
    fileSize: row.fileSize,
    sha256: row.sha256,
    createdOn: row.madeOn,
    renditionBlob: row.blobName,
  };
}

/** The name of a recording, or of one of its renditions, taken apart. */
export interface NameParts {
  readonly recordingName: string;
  /** Undefined for the original. */
  readonly kind: RenditionKind | undefined;
}

/** Takes a name apart; what is no rendition's counts as a recording's. */
export function partsOf(name: string): NameParts {
  const dash = name.lastIndexOf('-');
  const kind = name.slice(dash + 1);
  return isRenditionKind(kind)
    ? { recordingName: name.slice(0, dash), kind }
    : { recordingName: name, kind: undefined };
}

/** Is this one of the closed table? */
export function isRenditionKind(text: string): text is RenditionKind {
  return Object.hasOwn(RENDITIONS, text);
}

/** All of them, in the order of the table. */
export const RENDITION_KINDS = Object.keys(RENDITIONS) as readonly RenditionKind[];
