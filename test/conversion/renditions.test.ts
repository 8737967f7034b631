import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { RENDITIONS } from '../../src/audio/renditions.ts';
import { analyse } from '../../src/conversion/analyse.ts';
import { chooseConverter } from '../../src/conversion/choose-converter.ts';
import { type MadeRendition, render } from '../../src/conversion/render.ts';
import { ACCEPTED, fixturePath } from '../audio/files.ts';
import {
  ALL_KINDS,
  CONVERTERS,
  converterOf,
  DEADLINE_MS,
  factsOf,
  type Heard,
  hear,
  taskFolder,
} from './workbench.ts';

const TARGET = -19;
/** Encoders fill frames up, and only some containers, and then some decoders, say by how much: two frames at 8 kHz. */
const DECODERS_MAY_DIFFER_MS = 160;
/** The WASM core is of a release whose decoder forgets where its channel belongs. */
const SPEEX = 'speex.ogg';
/** Every codec in every container that was recorded here: the other fixtures differ in what surrounds the sound. */
const INPUTS = [
  ...['welcome.wav', 'mulaw.wav', 'alaw.wav', 'gsm.wav', 'ima-adpcm.wav', 'ms-adpcm.wav', 'g722.wav'],
  ...['twenty-four-bit.wav', 'float.wav', 'mp3-inside.wav', 'extensible.wav', 'tone.mp3', 'tone.aac'],
  ...['studio.flac', 'tone.ogg', 'opus.ogg', 'flac-inside.ogg', SPEEX, 'live.webm', 'vorbis.webm'],
  ...['surround.m4a', 'alac.m4a', 'with-picture.mp4', 'opus-inside.mp4', 'flac-inside.mp4', 'mp3-inside.mp4'],
];

describe.each(CONVERTERS)('with %s', async (choice) => {
  const converter = await converterOf(choice);

  test.each(INPUTS.filter((name) => choice === 'ffmpeg' || name !== SPEEX))(
    '%s becomes all nine renditions',
    async (name) => {
      const folder = taskFolder(fixturePath(name));
      const facts = factsOf(name);
      const options = { deadlineMs: DEADLINE_MS, loudnessLufs: TARGET };
      const analysis = await analyse(converter, folder, 'original', facts, options);
      expect(analysis.warnings.map(({ code }) => code)).not.toContain('truncated');
      const made = await render(converter, folder, 'original', analysis, ALL_KINDS, options);

      expect(made.map(({ kind }) => kind)).toEqual(ALL_KINDS);
      const heard = await hear(converter, folder, made);
      for (const rendition of made)
        expectTelephone(rendition, heard.get(rendition.kind), analysis.decodedDurationMs);
      expectHeaders(made);
    },
  );
});

function expectTelephone(rendition: MadeRendition, heard: Heard | undefined, decodedMs: number): void {
  const { codec, sampleRate } = RENDITIONS[rendition.kind];
  const { kind } = rendition;
  expect(rendition).toMatchObject({ codec, sampleRate, channels: 1 });
  expect({ kind, ...heard }).toMatchObject({ kind, codec, sampleRate, channels: 'mono' });
  if (heard === undefined) return;
  expect(Math.abs(heard.durationMs - decodedMs), `${kind}: duration`).toBeLessThan(60);
  expect(heard.truePeakDbtp, `${kind}: true peak`).toBeLessThanOrEqual(-2);
  // A meter needs 400 ms, and half a second before it has more than one block to judge by.
  if (decodedMs < 500) return;
  expect(Math.abs((heard.loudnessLufs ?? 0) - TARGET), `${kind}: loudness`).toBeLessThanOrEqual(1);
}

function expectHeaders(made: readonly MadeRendition[]): void {
  const bytes = new Map(made.map(({ kind, path }) => [kind, readFileSync(path)]));
  for (const kind of ['pcm8k', 'pcm16k'] as const) {
    const wav = bytes.get(kind) ?? Buffer.alloc(0);
    const { sampleRate } = RENDITIONS[kind];
    expect(wav.toString('latin1', 0, 4) + wav.toString('latin1', 8, 16)).toBe('RIFFWAVEfmt ');
    expect(wav.toString('latin1', 36, 40)).toBe('data');
    expect([4, 16, 24, 28, 40].map((offset) => wav.readUInt32LE(offset))).toEqual([
      wav.length - 8,
      16,
      sampleRate,
      sampleRate * 2,
      wav.length - 44,
    ]);
    expect([20, 22, 32, 34].map((offset) => wav.readUInt16LE(offset))).toEqual([1, 1, 2, 16]);
  }
  expect(bytes.get('wav16')?.equals(bytes.get('pcm16k') ?? Buffer.alloc(0))).toBe(true);
  const mp3 = bytes.get('mp3') ?? Buffer.alloc(0);
  expect(mp3.readUInt16BE(0) & 0xffe0, 'the MP3 begins with a frame').toBe(0xffe0);
  expect(mp3.toString('latin1', mp3.length - 128, mp3.length - 125), 'and ends without a tag').not.toBe(
    'TAG',
  );
}

test('Speex is refused by the WASM core with a sentence', async () => {
  const { converter } = await chooseConverter('wasm');
  const folder = taskFolder(fixturePath(SPEEX));
  const work =
    converter && analyse(converter, folder, 'original', factsOf(SPEEX), { deadlineMs: DEADLINE_MS });
  await expect(work).rejects.toMatchObject({
    code: 'unusable-audio',
    message: expect.stringMatching(/^The audio .*\.$/),
  });
  await converter?.close();
});

describe('of the other fixtures', async () => {
  const converter = await converterOf(CONVERTERS[0] ?? 'wasm');
  const others = ACCEPTED.map(({ name }) => name).filter((name) => !INPUTS.includes(name));

  test.each(others)('%s is decoded whole', async (name) => {
    const folder = taskFolder(fixturePath(name));
    const facts = factsOf(name);
    const analysis = await analyse(converter, folder, 'original', facts, { deadlineMs: DEADLINE_MS });
    expect(Math.abs(analysis.decodedDurationMs - (facts.durationMs ?? 0))).toBeLessThan(
      DECODERS_MAY_DIFFER_MS,
    );
    expect(analysis.warnings.map(({ code }) => code)).not.toContain('truncated');
  });
});
