import { expect, test } from 'vitest';
import { createInspector } from '../../src/audio/inspector.ts';
import { box, fixture, fixturePath, id3Tag, temporaryFolder, uint32be } from './files.ts';

const write = temporaryFolder();
const MEGABYTE = 2 ** 20;

const EMPTY_BOX = box('free');
const FILE_TYPE = box('ftyp', Buffer.from('isom\0\0\0\0'));
const EMPTY_CHUNK = Buffer.from('LIST\0\0\0\0');
const ID3_FRAME = Buffer.from('TXXX\0\0\0\x01\0\0\0', 'latin1');
const EMPTY_PAGE = Buffer.alloc(27);
EMPTY_PAGE.write('OggS');
const EMPTY_FIRST_PAGE = Buffer.from(EMPTY_PAGE);
EMPTY_FIRST_PAGE[5] = 2;

function many(piece: Buffer, count: number): Buffer {
  return Buffer.alloc(piece.length * count, piece);
}

/** A new `udta` of half a million tags at the end of a file's index. */
function withTags(name: string): Buffer {
  const bytes = fixture(name);
  const index = bytes.indexOf('moov') - 4;
  const end = index + bytes.readUInt32BE(index);
  const tags = box('udta', box('meta', uint32be(0), box('ilst', many(EMPTY_BOX, 500_000))));
  const size = uint32be(end - index + tags.length);
  return Buffer.concat([
    bytes.subarray(0, index),
    size,
    bytes.subarray(index + 4, end),
    tags,
    bytes.subarray(end),
  ]);
}

/** Sets the length of a box or of the first thing in it. */
function withLength(name: string, type: string, offset: number, length: number): Buffer {
  const bytes = fixture(name);
  bytes.writeUInt32BE(length, bytes.indexOf(type) + offset);
  return bytes;
}

const HOSTILE: readonly (readonly [string, boolean, () => readonly Buffer[]])[] = [
  [
    'an MP3 behind a million ID3 frames',
    true,
    () => [id3Tag(many(ID3_FRAME, 1_000_000)), fixture('tone.mp3')],
  ],
  ['an M4A with half a million tags', true, () => [withTags('tone.m4a')]],
  ['an stsd box of length 0', true, () => [withLength('tone.m4a', 'stsd', -4, 0)]],
  ['a sample entry of length 0', true, () => [withLength('tone.m4a', 'stsd', 12, 0)]],
  ['a sample entry of length 1', false, () => [withLength('tone.m4a', 'stsd', 12, 1)]],
  ['tables that claim four billion samples', true, () => [withLength('tone.m4a', 'stsz', 12, 0xffffffff)]],
  ['two million empty boxes', false, () => [FILE_TYPE, many(EMPTY_BOX, 2_000_000)]],
  ['two million boxes in the index', false, () => [FILE_TYPE, box('moov', many(EMPTY_BOX, 2_000_000))]],
  ['two million tracks', false, () => [FILE_TYPE, box('moov', many(box('trak'), 2_000_000))]],
  [
    'a WAV with 100,000 empty chunks',
    false,
    () => [fixture('tone.wav').subarray(0, 12), many(EMPTY_CHUNK, 100_000), fixture('tone.wav').subarray(12)],
  ],
  ['50 MiB of ones', false, () => [Buffer.alloc(50 * MEGABYTE, 0xff)]],
  ['50 MiB of zeros', false, () => [Buffer.alloc(50 * MEGABYTE)]],
  [
    'MP3 frames before 50 MiB of ones',
    false,
    () => [fixture('no-xing.mp3'), Buffer.alloc(50 * MEGABYTE, 0xff)],
  ],
  ['a million empty Ogg pages', false, () => [many(EMPTY_PAGE, 1_000_000)]],
  ['Ogg sound before a million empty pages', false, () => [fixture('tone.ogg'), many(EMPTY_PAGE, 1_000_000)]],
  [
    'Ogg sound before a million first pages',
    false,
    () => [fixture('tone.ogg'), many(EMPTY_FIRST_PAGE, 1_000_000)],
  ],
  [
    'Ogg sound before 50 MiB of capture patterns',
    false,
    () => [fixture('tone.ogg'), many(Buffer.from('OggS'), 13e6)],
  ],
  [
    '26 million void WebM elements',
    false,
    () => [fixture('live.webm'), many(Buffer.from([0xec, 0x80]), 26e6)],
  ],
  [
    'FLAC of unknown length before 50 MiB of sync codes',
    false,
    () => [fixture('streamed.flac'), many(Buffer.from([0xff, 0xf8]), 26e6)],
  ],
];

test('every hostile file gets its verdict, and the same workers go on to read an honest one', {
  timeout: 120_000,
}, async () => {
  const inspector = createInspector({ workers: 2, deadlineMs: 60_000 });
  try {
    for (const [name, isFit, make] of HOSTILE) {
      const inspection = await inspector.inspect(write('hostile.bin', ...make()));
      expect({ name, ...inspection }).toMatchObject({ name, fit: isFit });
      if (!inspection.fit) expect(inspection.why).not.toContain('too long to read');
    }
    expect(await inspector.inspect(fixturePath('tone.wav'))).toMatchObject({ fit: true });
  } finally {
    await inspector.close();
  }
});

test.each([
  ['no-xing.mp3', 'mp3'],
  ['tone.aac', 'aac'],
  ['tone.ogg', 'ogg'],
])(
  '50 MiB made of %s are read to their end in little memory',
  { timeout: 60_000 },
  async (name, container) => {
    const piece = fixture(name);
    const count = Math.ceil((50 * MEGABYTE) / piece.length);
    const inspector = createInspector({ workers: 1, deadlineMs: 60_000, memoryMb: 16 });
    try {
      const one = await inspector.inspect(fixturePath(name));
      const all = await inspector.inspect(write('large.bin', many(piece, count)));
      if (!one.fit || !all.fit) throw new Error('refused');
      expect(all.facts.container).toBe(container);
      const expected = (one.facts.durationMs ?? 0) * count;
      expect(Math.abs((all.facts.durationMs ?? 0) / expected - 1)).toBeLessThan(0.001);
    } finally {
      await inspector.close();
    }
  },
);
