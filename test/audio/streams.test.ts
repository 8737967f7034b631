import { expect, test } from 'vitest';
import { inspectContent } from '../../src/audio/content.ts';
import { opusPacketSeconds } from '../../src/audio/opus-packet.ts';
import { fixture, fixturePath, id3Tag, temporaryFolder } from './files.ts';

const write = temporaryFolder();

async function durationOf(...pieces: Buffer[]): Promise<number | null> {
  const inspection = await inspectContent(write('stream.bin', ...pieces));
  if (!inspection.fit) throw new Error(inspection.why);
  return inspection.facts.durationMs;
}

test.each([
  ['tone.mp3', 'mp3'],
  ['no-xing.mp3', 'mp3'],
  ['tone.aac', 'aac'],
  ['tone.flac', 'flac'],
])('%s behind an ID3 tag longer than any buffer is %s with the same duration', async (name, container) => {
  const tag = id3Tag(Buffer.alloc(1_500_000, 'cover'));
  const inspection = await inspectContent(write('tagged.bin', tag, tag, fixture(name)));
  expect(inspection).toMatchObject({ fit: true, facts: { container } });
  expect(await durationOf(tag, fixture(name))).toBe(await durationOf(fixture(name)));
});

test('tags behind an MP3 are no audio and do no harm', async () => {
  const id3v1 = Buffer.concat([Buffer.from('TAG'), Buffer.alloc(125)]);
  const apeFooter = Buffer.alloc(32);
  apeFooter.write('APETAGEX');
  apeFooter.writeUInt32LE(80_032, 12);
  const sound = fixture('no-xing.mp3');
  expect(await durationOf(sound, Buffer.alloc(80_000), apeFooter, id3v1)).toBe(await durationOf(sound));
});

test('a stretch of damage costs its own frames and no more', async () => {
  for (const name of ['no-xing.mp3', 'tone.aac']) {
    const damaged = fixture(name);
    damaged.fill(0, 2000, 2300);
    const whole = (await durationOf(fixture(name))) ?? 0;
    const rest = (await durationOf(damaged)) ?? 0;
    expect(rest).toBeLessThan(whole);
    expect(rest).toBeGreaterThan(whole * 0.85);
  }
});

test('MP3 files joined end to end last as long as all of them, whatever the first tag says', async () => {
  const tone = fixture('tone.mp3');
  // The frames that hold the two tags count as well: 1152 samples at 44.1 kHz.
  expect(await durationOf(tone, tone)).toBe(Math.round((82 * 1152) / 44.1));
  const mixed = await durationOf(fixture('no-xing.mp3'), fixture('low-rate.mp3'));
  expect(mixed).toBeGreaterThan(2200);
});

test('an MP3 of which a tenth has come is unreadable, of half still readable', async () => {
  const tone = fixture('tone.mp3');
  const cut = (share: number) => inspectContent(write('cut.mp3', tone.subarray(0, tone.length * share)));
  expect(await cut(0.09)).toMatchObject({ fit: false, reason: 'unreadable' });
  expect(await cut(0.5)).toMatchObject({ fit: true });
});

test.each(['tone.ogg', 'opus.ogg', 'flac-inside.ogg'])(
  '%s chained three times lasts three times as long',
  async (name) => {
    const link = fixture(name);
    const single = (await durationOf(link)) ?? 0;
    expect(Math.abs(((await durationOf(link, link, link)) ?? 0) - 3 * single)).toBeLessThan(3);
  },
);

test('links of different codecs add up, and the first tells the facts', async () => {
  const inspection = await inspectContent(write('mixed.ogg', fixture('tone.ogg'), fixture('opus.ogg')));
  expect(inspection).toMatchObject({
    fit: true,
    facts: { codec: 'vorbis', sampleRate: 44_100, durationMs: 2000 },
  });
});

test('an Ogg file cut out of a broadcast does not count the time before it', async () => {
  const pages = fixture('whisper.ogg');
  const HOURS = 5n * 3600n * 48_000n;
  for (let at = pages.indexOf('OggS'); at >= 0; at = pages.indexOf('OggS', at + 4)) {
    const granule = pages.readBigInt64LE(at + 6);
    if (granule > 0n) pages.writeBigInt64LE(granule + HOURS, at + 6);
  }
  expect(Math.abs(((await durationOf(pages)) ?? 0) - 1000)).toBeLessThan(60);
});

test('a FLAC whose encoder did not know its length is measured by its last frame', async () => {
  const unknown = fixture('tone.flac');
  unknown.fill(0, 21, 26);
  unknown[21] = 0xf0 & (fixture('tone.flac')[21] ?? 0);
  expect(await durationOf(unknown)).toBe(500);
});

test('a FLAC of which next to nothing has come is unreadable', async () => {
  const sound = fixture('tone.flac');
  const cut = sound.subarray(0, sound.indexOf(Buffer.from([0xff, 0xf8])) + 20);
  expect(await inspectContent(write('cut.flac', cut))).toMatchObject({ fit: false, reason: 'unreadable' });
});

test('a WebM that does not tell its duration lasts to the end of its last block', async () => {
  expect(await durationOf(fixture('live.webm'))).toBe(1021);
});

test.each([
  ['one frame of 20 ms', 0xf8, 0, 0.02],
  ['two frames of 20 ms', 0xf9, 0, 0.04],
  ['two frames of different size', 0xfa, 0, 0.04],
  ['three frames counted', 0xfb, 0x83, 0.06],
  ['a SILK frame of 60 ms', 0x18, 0, 0.06],
  ['a hybrid frame of 10 ms', 0x60, 0, 0.01],
  ['a CELT frame of 2.5 ms', 0x80, 0, 0.0025],
])('an Opus packet of %s', (_, first, second, seconds) => {
  expect(opusPacketSeconds(first, second)).toBeCloseTo(seconds, 6);
});

test.each([
  ['no-xing.mp3', 300],
  ['vbr-no-xing.mp3', 700],
  ['tone.aac', 50],
  ['mono.aac', 201],
])(
  '%s cut out of its stream, from the middle of a frame, is heard from the next frame on',
  async (name, cut) => {
    const [whole, rest] = await Promise.all([
      inspectContent(fixturePath(name)),
      inspectContent(write('cut.bin', fixture(name).subarray(cut))),
    ]);
    if (!whole.fit || !rest.fit) throw new Error('refused');
    const { durationMs, ...facts } = whole.facts;
    expect(rest.facts).toMatchObject(facts);
    const lost = (durationMs ?? 0) - (rest.facts.durationMs ?? 0);
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(150);
  },
);
