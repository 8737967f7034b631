import type { Element, ElementReader } from './ebml.ts';
import { unreadable, unsupported } from './refusal.ts';

/** The first audio track. */
export interface WebmTrack {
  readonly number: number;
  readonly codec: string;
  readonly sampleRate: number;
  readonly channels: number;
  /** Nanoseconds of a block; null when the track does not say. */
  readonly defaultDuration: number | null;
}

const TRACK_ENTRY = 0xae;
const TRACK_NUMBER = 0xd7;
const TRACK_TYPE = 0x83;
const AUDIO_TYPE = 2;
const CODEC_ID = 0x86;
const DEFAULT_DURATION = 0x23e383;
const AUDIO = 0xe1;
const SAMPLING_FREQUENCY = 0xb5;
const OUTPUT_SAMPLING_FREQUENCY = 0x78b5;
const CHANNELS = 0x9f;
const BIT_DEPTH = 0x6264;

/** Defaults of RFC 9559 section 5.1.4.1.29. */
const DEFAULT_SAMPLE_RATE = 8000;
const DEFAULT_CHANNELS = 1;

/** WebM names two codecs; Chrome also records uncompressed sound into it. */
const CODECS: Readonly<Record<string, string>> = { A_OPUS: 'opus', A_VORBIS: 'vorbis' };

/** The first audio track of a `Tracks` element. */
export function readAudioTrack(elements: ElementReader, tracks: Element): WebmTrack {
  for (const entry of elements.children(tracks)) {
    if (entry.id !== TRACK_ENTRY) continue;
    const fields = new Map(elements.children(entry).map((field) => [field.id, field]));
    if (numberOf(elements, fields, TRACK_TYPE, 0) === AUDIO_TYPE) return readTrack(elements, fields);
  }
  throw unsupported('This WebM file has no sound');
}

type Fields = ReadonlyMap<number, Element>;

function readTrack(elements: ElementReader, fields: Fields): WebmTrack {
  const audio = fields.get(AUDIO);
  const sound: Fields = new Map((audio ? elements.children(audio) : []).map((field) => [field.id, field]));
  const id = fields.get(CODEC_ID);
  const codec = codecOf(id ? elements.text(id) : '', numberOf(elements, sound, BIT_DEPTH, 16));
  const rate = sound.get(OUTPUT_SAMPLING_FREQUENCY) ?? sound.get(SAMPLING_FREQUENCY);
  return {
    number: numberOf(elements, fields, TRACK_NUMBER, 0),
    codec,
    sampleRate: codec === 'opus' ? 48_000 : Math.round(rate ? elements.float(rate) : DEFAULT_SAMPLE_RATE),
    channels: numberOf(elements, sound, CHANNELS, DEFAULT_CHANNELS),
    defaultDuration: numberOf(elements, fields, DEFAULT_DURATION, 0) || null,
  };
}

function codecOf(id: string, bitDepth: number): string {
  if (id === 'A_PCM/FLOAT/IEEE') return `pcm_f${bitDepth}le`;
  if (id === 'A_PCM/INT/LIT') return bitDepth === 8 ? 'pcm_u8' : `pcm_s${bitDepth}le`;
  const codec = CODECS[id];
  if (codec === undefined)
    throw unreadable(`The WebM file uses the codec "${id.replace(/[^\w/]/g, '?')}", not Opus or Vorbis`);
  return codec;
}

function numberOf(elements: ElementReader, fields: Fields, id: number, otherwise: number): number {
  const field = fields.get(id);
  return field === undefined ? otherwise : elements.unsigned(field);
}
