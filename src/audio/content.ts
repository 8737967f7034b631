import { firstAdtsFrame, isAdts, readAdts } from './adts.ts';
import { type ByteReader, openByteReader } from './byte-reader.ts';
import { type Inspection, plausibleFacts, type Sound } from './facts.ts';
import { readFlac } from './flac.ts';
import { type Container, FORMATS } from './formats.ts';
import { endOfId3v2, startOfTrailingTags } from './id3.ts';
import { firstMp3Frame, isMp3, isOtherLayer, readMp3 } from './mp3.ts';
import { readMp4 } from './mp4.ts';
import { readOgg } from './ogg.ts';
import { Refusal, unreadable, unsupported } from './refusal.ts';
import { readWav } from './wav.ts';
import { readWebm } from './webm.ts';

const HEAD_BYTES = 4100;
/** Thirteen bits hold the length of an ADTS frame; MP3 frames are shorter. */
const LONGEST_FRAME = 8192;

interface Finding {
  readonly container: Container;
  readonly sound: Sound;
}

/**
 * Says what the bytes of a file are. Whatever they hold, the answer is a verdict; only a file that cannot be
 * opened or read makes it throw.
 */
export async function inspectContent(path: string): Promise<Inspection> {
  const reader = openByteReader(path);
  try {
    const { container, sound } = read(reader) ?? (await readFromMidFrame(reader)) ?? (await refuse(reader));
    return { fit: true, facts: plausibleFacts(container, sound, reader.size) };
  } catch (error) {
    if (isFromSystem(error)) throw error;
    const refusal = error instanceof Refusal ? error : unreadable('The file cannot be read');
    return { fit: false, reason: refusal.reason, why: refusal.message };
  } finally {
    reader.close();
  }
}

/** Reads the file by its first bytes; null when they belong to none of the eight formats. */
function read(reader: ByteReader): Finding | null {
  const start = endOfId3v2(reader);
  if (reader.has(start, 'fLaC')) return { container: 'flac', sound: readFlac(reader, start) };
  const end = startOfTrailingTags(reader);
  if (isAdts(reader, start, end)) return { container: 'aac', sound: readAdts(reader, start, end) };
  if (isMp3(reader, start, end)) return { container: 'mp3', sound: readMp3(reader, start, end) };
  if (isOtherLayer(reader, start)) return null;
  if (reader.has(start + 8, 'WAVE') && (reader.has(start, 'RIFF') || reader.has(start, 'RF64'))) {
    return { container: 'wav', sound: readWav(reader, start) };
  }
  if (start > 0) throw unreadable('The ID3 tag at the start of the file has no audio behind it');
  return readContainer(reader);
}

function readContainer(reader: ByteReader): Finding | null {
  if (reader.has(4, 'ftyp')) return readMp4(reader);
  if (reader.has(0, 'OggS')) return { container: 'ogg', sound: readOgg(reader) };
  if (reader.has(0, '\x1a\x45\xdf\xa3')) return { container: 'webm', sound: readWebm(reader) };
  return null;
}

/**
 * A recording cut out of a stream begins in the middle of a frame. The first whole one is no further than the
 * longest frame there is, and nothing else may claim the file.
 */
async function readFromMidFrame(reader: ByteReader): Promise<Finding | null> {
  const { type } = await typeOf(reader);
  if (type !== undefined && type.ext !== 'mp3' && type.ext !== 'aac') return null;
  const end = startOfTrailingTags(reader);
  const adts = firstAdtsFrame(reader, Math.min(end, LONGEST_FRAME));
  if (adts >= 0) return { container: 'aac', sound: readAdts(reader, adts, end) };
  const mp3 = firstMp3Frame(reader, Math.min(end, LONGEST_FRAME));
  return mp3 >= 0 ? { container: 'mp3', sound: readMp3(reader, mp3, end) } : null;
}

/** Good files do not need it, and every worker that has it loaded holds 5 MB for that. */
async function typeOf(reader: ByteReader) {
  const { fileTypeFromBuffer } = await import('file-type');
  const head = Uint8Array.from(reader.view(0, HEAD_BYTES));
  return { head, type: await fileTypeFromBuffer(head).catch(() => undefined) };
}

/** Names what the file is instead, as far as that is known. */
async function refuse(reader: ByteReader): Promise<never> {
  if (reader.size === 0) throw unsupported('The file is empty');
  const { head, type } = await typeOf(reader);
  if (type !== undefined && !Object.hasOwn(FORMATS, type.ext)) {
    throw unsupported(`This looks like ${type.ext.toUpperCase()} (${type.mime})`);
  }
  if (isText(head)) throw unsupported('This is text, not audio');
  if (type === undefined) throw unsupported('This is no audio format that we know');
  throw unreadable(`This looks like ${type.ext.toUpperCase()}, but it does not go on like that`);
}

/** UTF-8 without control characters, or anything behind the byte order mark of UTF-16. */
function isText(head: Uint8Array): boolean {
  const [first, second] = head;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  if (head.some((byte) => byte < 9 || (byte > 13 && byte < 32))) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function isFromSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
