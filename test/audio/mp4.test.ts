import { expect, test } from 'vitest';
import { inspectContent } from '../../src/audio/content.ts';
import { fixture, temporaryFolder } from './files.ts';

const write = temporaryFolder();

/** A fixture with the first `from` overwritten by `to`, which is as long. */
async function inspectChanged(name: string, from: string, to: string) {
  const bytes = fixture(name);
  bytes.write(to, bytes.indexOf(from), 'latin1');
  return await inspectContent(write('changed.bin', bytes));
}

test.each([
  ['M4A ', 'm4a'],
  ['M4B ', 'm4a'],
  ['M4P ', 'm4a'],
  ['mp42', 'mp4'],
  ['isom', 'mp4'],
  ['3gp5', 'mp4'],
])('the brand "%s" makes it %s', async (brand, container) => {
  expect(await inspectChanged('tone.m4a', 'M4A ', brand)).toMatchObject({ fit: true, facts: { container } });
});

test('with a picture it is MP4 whatever its brand', async () => {
  const inspection = await inspectChanged('with-picture.mp4', 'isom', 'M4A ');
  expect(inspection).toMatchObject({ fit: true, facts: { container: 'mp4', codec: 'aac' } });
});

test.each([
  ['a QuickTime movie', 'M4A ', 'qt  ', 'QuickTime'],
  ['copy-protected', 'mp4a', 'enca', 'copy-protected'],
  ['protected by iTunes', 'mp4a', 'drms', 'copy-protected'],
  ['AMR', 'mp4a', 'samr', 'samr'],
  ['AC-3', 'mp4a', 'ac-3', 'ac-3'],
  ['text', 'soun', 'text', 'no sound'],
])('what is %s inside is unsupported', async (_, from, to, finding) => {
  const inspection = await inspectChanged('tone.m4a', from, to);
  expect(inspection).toMatchObject({
    fit: false,
    reason: 'unsupported',
    why: expect.stringContaining(finding),
  });
});

test.each(['moov', 'mdia', 'stsd', 'esds', 'mdhd'])('without its %s box it is refused', async (type) => {
  expect(await inspectChanged('tone.m4a', type, 'free')).toMatchObject({ fit: false });
});

test('without an edit list all of the media counts, what the encoder put in front included', async () => {
  const inspection = await inspectChanged('tone.m4a', 'edts', 'free');
  expect(inspection).toMatchObject({ fit: true, facts: { durationMs: 1023 } });
});

test.each(['tone.mp4', 'fragmented.mp4'])('%s of which the sound is missing is unreadable', async (name) => {
  const bytes = fixture(name);
  const index = bytes.subarray(0, bytes.indexOf('mdat') + 100);
  expect(await inspectContent(write('cut.mp4', index))).toMatchObject({ fit: false, reason: 'unreadable' });
});
