import { expect, test } from 'vitest';
import { inspectContent } from '../../src/audio/content.ts';
import { ACCEPTED, fixture, fixturePath, id3Tag, noise, REFUSED, temporaryFolder } from './files.ts';

const write = temporaryFolder();
const ADVICE = /^[A-Z].+; upload a WAV, MP3, MP4, Ogg, WebM, M4A, AAC or FLAC file that holds sound\.$/;

test.each(REFUSED)('%s is none of the eight formats', async (name) => {
  const inspection = await inspectContent(fixturePath(name));
  expect(inspection).toMatchObject({ fit: false, reason: 'unsupported', why: expect.stringMatching(ADVICE) });
});

test.each([
  ['text', Buffer.from('Welcome to our service. Please hold the line.\n'.repeat(200)), 'This is text'],
  ['text with accents', Buffer.from('Grüße, 您好! '.repeat(2000)), 'This is text'],
  [
    'UTF-16 text, whose byte order mark looks like MPEG',
    Buffer.from('\ufeffPlease hold'.repeat(900), 'utf16le'),
    'text',
  ],
  ['big-endian UTF-16 text', Buffer.from('\ufeffPlease hold'.repeat(900), 'utf16le').swap16(), 'text'],
  ['HTML', Buffer.from('<!doctype html><title>404</title>'), 'This is text'],
  ['a playlist', Buffer.from('#EXTM3U\n#EXT-X-VERSION:3\nfile:///etc/passwd\n'), 'This is text'],
  ['PDF', Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n', 'latin1'), 'PDF'],
  ['an ELF executable', Buffer.from('7f454c46020101000000000000000000', 'hex'), 'ELF'],
  ['a Windows executable', Buffer.concat([Buffer.from('MZ'), Buffer.alloc(500)]), 'EXE'],
  ['a zip archive', Buffer.from('504b0304140000000800', 'hex'), 'ZIP'],
  ['AMR', Buffer.from('#!AMR\n\x3c', 'latin1'), 'AMR'],
  ['a lone sync byte', Buffer.from([0xff]), 'no audio format'],
  ['zeros', Buffer.alloc(100_000), 'no audio format'],
  ['ones', Buffer.alloc(100_000, 0xff), 'no audio format'],
  ['nothing at all', Buffer.alloc(0), 'empty'],
])('%s is not taken for sound, whatever its name', async (_, bytes, finding) => {
  for (const extension of ['mp3', 'wav', 'aac']) {
    expect(await inspectContent(write(`voice.${extension}`, bytes))).toEqual({
      fit: false,
      reason: 'unsupported',
      why: expect.stringContaining(finding),
    });
  }
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])('noise is not taken for sound (seed %i)', async (seed) => {
  expect(await inspectContent(write('noise.mp3', noise(100_000, seed)))).toMatchObject({ fit: false });
});

test.each([
  ['an MP3 header', Buffer.from([0xff, 0xfb, 0x90, 0x64])],
  ['an ADTS header', Buffer.from([0xff, 0xf1, 0x50, 0x80])],
])('noise behind %s is unreadable', async (_, header) => {
  const inspection = await inspectContent(write('noise.bin', header, noise(50_000)));
  expect(inspection).toMatchObject({ fit: false, reason: 'unreadable' });
});

test.each(ACCEPTED)('$name cut down to its first bytes is unreadable', async ({ name }) => {
  for (const length of [40, 100]) {
    const inspection = await inspectContent(write('cut.bin', fixture(name).subarray(0, length)));
    expect(inspection).toMatchObject({ fit: false, reason: 'unreadable' });
  }
});

test.each(ACCEPTED)('$name gets a verdict at every length', async ({ name }) => {
  const bytes = fixture(name);
  for (let length = 1; length < Math.min(bytes.length, 1200); length += 41) {
    const inspection = await inspectContent(write('cut.bin', bytes.subarray(0, length)));
    if (!inspection.fit) expect(inspection.why).not.toContain('cannot be read');
  }
});

test.each(ACCEPTED)('$name gets a verdict whatever byte of its header is damaged', async ({ name }) => {
  const bytes = fixture(name);
  for (let place = 0; place < Math.min(bytes.length, 900); place += 23) {
    for (const value of [0x00, 0xff]) {
      const damaged = Buffer.from(bytes);
      damaged[place] = value;
      const inspection = await inspectContent(write('damaged.bin', damaged));
      if (!inspection.fit) expect(inspection.why).not.toContain('The file cannot be read');
    }
  }
});

test.each(['tone.wav', 'tone.flac', 'tone.ogg', 'tone.m4a', 'tone.webm'])(
  '%s without its first bytes is refused',
  async (name) => {
    expect(await inspectContent(write('headless.bin', fixture(name).subarray(5)))).toMatchObject({
      fit: false,
    });
  },
);

test.each([
  ['a few frames', fixture('no-xing.mp3'), noise(1_000_000)],
  ['a few ADTS frames', fixture('tone.aac'), Buffer.alloc(1_000_000)],
  ['a short Ogg file', fixture('tone.ogg'), Buffer.alloc(1_000_000, 'OggS')],
])('%s in front of a mass of something else are unreadable', async (_, sound, ballast) => {
  const inspection = await inspectContent(write('ballast.bin', sound, ballast));
  expect(inspection).toMatchObject({ fit: false, reason: 'unreadable' });
});

test('an ID3 tag with nothing behind it is unreadable', async () => {
  for (const rest of [Buffer.alloc(0), Buffer.from('text, no sound')]) {
    const inspection = await inspectContent(write('tag.mp3', id3Tag(Buffer.alloc(3000)), rest));
    expect(inspection).toMatchObject({ fit: false, reason: 'unreadable' });
  }
});
