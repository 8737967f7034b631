import type { ByteReader } from './byte-reader.ts';
import type { Sound } from './facts.ts';
import { readMp3 } from './mp3.ts';
import { unreadable } from './refusal.ts';
import { readWavFormat, secondsOf, type WavFormat } from './wav-format.ts';

const MAX_CHUNKS = 10_000;
const UNKNOWN_SIZE = 0xffffffff;
const FOUR_CC = /^[A-Za-z][A-Za-z0-9 _]{3}$/;

interface Chunks {
  readonly format: WavFormat;
  readonly data: { readonly offset: number; readonly length: number };
  /** Samples per channel by the `fact` chunk, null without one. */
  readonly declaredSamples: number | null;
}

/**
 * RIFF/WAVE ("Multimedia Programming Interface and Data Specifications 1.0", 1991) and RF64 (EBU Tech 3306).
 * Recorders that stream cannot know the sizes and leave 0, 0xFFFFFFFF or a dream: then the length of the file
 * itself counts.
 */
export function readWav(reader: ByteReader, start: number): Sound {
  const { format, data, declaredSamples } = readChunks(reader, start);
  if (data.length === 0) throw unreadable('The WAV file holds no audio');
  if (format.codec === 'mp3') return readMp3(reader, data.offset, data.offset + data.length);
  const seconds = secondsOf(format, data.length, declaredSamples);
  return { codec: format.codec, sampleRate: format.sampleRate, channels: format.channels, seconds };
}

function readChunks(reader: ByteReader, start: number): Chunks {
  let format: WavFormat | null = null;
  let declaredSamples: number | null = null;
  let longDataSize = UNKNOWN_SIZE;
  for (const { id, body, size } of walkChunks(reader, start + 12)) {
    if (id === 'data') {
      const length = dataLength(reader, body, size === UNKNOWN_SIZE ? longDataSize : size);
      return { format: requireFormat(format), data: { offset: body, length }, declaredSamples };
    }
    if (id === 'fmt ') format = readWavFormat(reader, body, size);
    else if (id === 'fact' && size >= 4) declaredSamples = reader.u32le(body);
    else if (id === 'ds64' && size >= 16) longDataSize = reader.u64le(body + 8);
  }
  throw unreadable('The WAV file holds no audio');
}

function requireFormat(format: WavFormat | null): WavFormat {
  if (format === null) throw unreadable('The WAV file does not say what its audio is');
  return format;
}

interface Chunk {
  readonly id: string;
  readonly body: number;
  readonly size: number;
}

/** Chunks are padded to an even length. */
function* walkChunks(reader: ByteReader, start: number): Generator<Chunk> {
  let offset = start;
  for (let chunks = 0; offset + 8 <= reader.size; chunks++) {
    if (chunks === MAX_CHUNKS) throw unreadable('The WAV file has too many chunks');
    const size = reader.u32le(offset + 4);
    yield { id: reader.ascii(offset, 4), body: offset + 8, size };
    offset += 8 + size + (size & 1);
  }
}

function dataLength(reader: ByteReader, body: number, declared: number): number {
  const present = reader.size - body;
  if (declared > present) return present;
  return declared === 0 && !isChunk(reader, body) ? present : declared;
}

/** Tells an empty `data` chunk that others follow from one whose size was never filled in. */
function isChunk(reader: ByteReader, offset: number): boolean {
  if (offset + 8 > reader.size) return false;
  return FOUR_CC.test(reader.ascii(offset, 4)) && reader.u32le(offset + 4) <= reader.size - offset - 8;
}
