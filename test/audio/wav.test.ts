import { expect, test } from 'vitest';
import { inspectContent } from '../../src/audio/content.ts';
import { fixture, id3Tag, temporaryFolder, uint32le } from './files.ts';

const write = temporaryFolder();
const PCM = { tag: 1, channels: 1, rate: 8000, block: 2, bits: 16 };

function chunk(id: string, body: Buffer, size = body.length): Buffer {
  return Buffer.concat([Buffer.from(id), uint32le(size), body, Buffer.alloc(body.length & 1)]);
}

function formatChunk(format: Partial<typeof PCM>, extra = Buffer.alloc(0)): Buffer {
  const { tag, channels, rate, block, bits } = { ...PCM, ...format };
  const body = Buffer.alloc(16);
  body.writeUInt16LE(tag, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(rate, 4);
  body.writeUInt32LE((rate * block) >>> 0, 8);
  body.writeUInt16LE(block, 12);
  body.writeUInt16LE(bits, 14);
  return chunk('fmt ', Buffer.concat([body, extra]));
}

function wav(...chunks: Buffer[]): Buffer {
  const body = Buffer.concat(chunks);
  return Buffer.concat([Buffer.from('RIFF'), uint32le(body.length + 4), Buffer.from('WAVE'), body]);
}

async function inspect(...chunks: Buffer[]) {
  return await inspectContent(write('made.wav', wav(...chunks)));
}

const ONE_SECOND = Buffer.alloc(16_000);

test.each([
  ['0', 0],
  ['0xFFFFFFFF', 0xffffffff],
  ['2 GB', 0x7fffffff],
  ['one byte more than there is', 16_001],
])('a data chunk that claims %s is as long as the file', async (_, size) => {
  const inspection = await inspect(formatChunk({}), chunk('data', ONE_SECOND, size));
  expect(inspection).toMatchObject({ fit: true, facts: { codec: 'pcm_s16le', durationMs: 1000 } });
});

test('an empty data chunk that others follow holds no audio', async () => {
  const inspection = await inspect(
    formatChunk({}),
    chunk('data', Buffer.alloc(0)),
    chunk('LIST', Buffer.alloc(5000)),
  );
  expect(inspection).toMatchObject({ fit: false, reason: 'unreadable' });
});

test('chunks of odd length are padded, and those behind the audio are not audio', async () => {
  const list = chunk('LIST', Buffer.from('odd'));
  const inspection = await inspect(
    list,
    formatChunk({}),
    list,
    chunk('data', ONE_SECOND),
    chunk('id3 ', ONE_SECOND),
  );
  expect(inspection).toMatchObject({ fit: true, facts: { durationMs: 1000 } });
});

test('a WAV behind an ID3 tag is still a WAV', async () => {
  const inspection = await inspectContent(
    write('tagged.wav', id3Tag(Buffer.alloc(200_000)), fixture('tone.wav')),
  );
  expect(inspection).toMatchObject({ fit: true, facts: { container: 'wav', durationMs: 1000 } });
});

test.each([
  ['pcm_s24le', 1, 24],
  ['pcm_s32le', 1, 32],
  ['pcm_f32le', 3, 32],
  ['pcm_f64le', 3, 64],
  ['pcm_alaw', 6, 8],
  ['pcm_mulaw', 7, 8],
])('an extensible format is %s by its sub-format', async (codec, tag, bits) => {
  const guid = Buffer.from(`0${tag}00000000001000800000aa00389b71`, 'hex');
  const extra = Buffer.concat([Buffer.from([22, 0, bits, 0, 4, 0, 0, 0]), guid]);
  const block = bits / 8;
  const inspection = await inspect(
    formatChunk({ tag: 0xfffe, bits, block }, extra),
    chunk('data', Buffer.alloc(8000 * block)),
  );
  expect(inspection).toMatchObject({
    fit: true,
    facts: { codec, sampleRate: 8000, channels: 1, durationMs: 1000 },
  });
});

test.each([
  ['no channel', { channels: 0 }],
  ['65535 channels', { channels: 65_535 }],
  ['a rate of 0 Hz', { rate: 0 }],
  ['a rate of 827819 Hz', { rate: 827_819 }],
  ['a codec that nobody knows', { tag: 0x1234 }],
  ['7 bytes a sample', { bits: 56 }],
  ['ADPCM blocks of no length', { tag: 17, block: 0 }],
])('a WAV with %s is unreadable', async (_, format) => {
  const inspection = await inspect(formatChunk(format), chunk('data', ONE_SECOND));
  expect(inspection).toMatchObject({ fit: false, reason: 'unreadable' });
});

test('less than 50 ms of audio is unreadable', async () => {
  const inspection = await inspect(formatChunk({}), chunk('data', Buffer.alloc(798)));
  expect(inspection).toMatchObject({
    fit: false,
    reason: 'unreadable',
    why: expect.stringContaining('50 ms'),
  });
  expect(await inspect(formatChunk({}), chunk('data', Buffer.alloc(800)))).toMatchObject({ fit: true });
});

test.each([
  ['format', [chunk('data', ONE_SECOND)]],
  ['data', [formatChunk({})]],
])('a WAV without its %s chunk is unreadable', async (_, chunks) => {
  expect(await inspect(...chunks)).toMatchObject({ fit: false, reason: 'unreadable' });
});

test('stereo ADPCM lasts as long as its blocks decode to, which the fact chunk makes exact', async () => {
  // A block of 1024 bytes has two preambles of 4 bytes and 1017 samples of each channel.
  const format = formatChunk({ tag: 17, channels: 2, block: 1024, bits: 4 }, Buffer.from([2, 0, 0xf9, 3]));
  const blocks = chunk('data', Buffer.alloc(1024 * 8));
  expect(await inspect(format, blocks)).toMatchObject({ fit: true, facts: { durationMs: 1017 } });
  expect(await inspect(format, chunk('fact', uint32le(8000)), blocks)).toMatchObject({
    facts: { durationMs: 1000 },
  });
  expect(await inspect(format, chunk('fact', uint32le(90)), blocks)).toMatchObject({
    facts: { durationMs: 1017 },
  });
});
