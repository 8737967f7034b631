import { expect, test } from 'vitest';
import { faultOf } from '../../src/conversion/outcome.ts';

test.each([
  ['a program that is gone', 127, 'sh: 1: exec: /usr/bin/ffmpeg: not found'],
  ['a library that is gone', 127, 'ffmpeg: error while loading shared libraries: libavcodec.so.59'],
  ['a fence that may no longer be put up', 1, 'unshare: unshare failed: Operation not permitted'],
  ['a machine without room for a thread', 1, 'pthread_create failed: Resource temporarily unavailable'],
  ['a signal to all of the service', 255, 'Exiting normally, received signal 15.'],
  ['a kill from outside', 'SIGKILL', ''],
  ['a full disk', 1, 'av_interleaved_write_frame(): No space left on device'],
  [
    'a full disk that ffmpeg takes for a success',
    0,
    'Error writing trailer of file:mp3: No space left on device',
  ],
])('%s is no fault of the recording', (_, end, stderr) => {
  expect(faultOf(end, stderr)?.code).toBe('failed');
});

test.each([
  ['what no decoder takes', 1, 'file:original: Invalid data found when processing input'],
  ['what a decoder dies of', 'SIGSEGV', ''],
])('%s is', (_, end, stderr) => {
  expect(faultOf(end, stderr)?.code).toBe('unusable-audio');
});

test('an end without a word is a success', () => {
  expect(faultOf(0, '')).toBeUndefined();
});
