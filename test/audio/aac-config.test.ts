import { expect, test } from 'vitest';
import { readAacConfig } from '../../src/audio/aac-config.ts';

test.each([
  ['AAC-LC mono at 8 kHz', '1588', { sampleRate: 8000, channels: 1 }],
  ['AAC-LC stereo at 44.1 kHz', '1210', { sampleRate: 44_100, channels: 2 }],
  ['AAC-LC 7.1 at 48 kHz', '11b8', { sampleRate: 48_000, channels: 8 }],
  ['HE-AAC signalled explicitly', '2b920800', { sampleRate: 44_100, channels: 2 }],
  ['HE-AAC signalled for old players too', '139056e5a0', { sampleRate: 44_100, channels: 2 }],
  ['HE-AAC v2, one channel coded and two heard', 'eb8a0800', { sampleRate: 44_100, channels: 2 }],
  ['HE-AAC v2 signalled for old players too', '138856e5a54880', { sampleRate: 44_100, channels: 2 }],
  ['a rate written out', '17800fa010', { sampleRate: 8000, channels: 2 }],
])('%s', (_, config, expected) => {
  expect(readAacConfig(Buffer.from(config, 'hex'))).toEqual({ codec: 'aac', ...expected });
});

test('a program config element tells the channels that the configuration leaves open', () => {
  // AAC-LC, 48 kHz, configuration 0; front: one single and one pair, back: one pair, one low frequency element.
  const bits = ['00010', '0011', '0000', '0', '0', '0', '0000', '01', '0011', '0010', '0000', '0001', '01'];
  bits.push(
    '000',
    '0000',
    '0',
    '0',
    '0',
    '0',
    '0000',
    '1',
    '0000',
    '1',
    '0001',
    '0000',
    '00000000',
    '00000000',
  );
  const text = bits.join('').padEnd(128, '0');
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(text.slice(i * 8, i * 8 + 8), 2));
  expect(readAacConfig(bytes)).toEqual({ codec: 'aac', sampleRate: 48_000, channels: 6 });
});
