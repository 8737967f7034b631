import process from 'node:process';
import { chooseConverter } from '../../src/conversion/choose-converter.ts';

// A program of its own for the tests: starts a conversion that never ends in the folder that it is given.
const { converter } = await chooseConverter('ffmpeg');
await converter?.run({
  folder: process.argv[2] ?? '',
  inputs: [{ file: 'original', demuxer: 'wav' }],
  args: ['-af', 'aloop=loop=-1:size=8000,arealtime', '-c:a', 'pcm_s16le', '-f', 'wav', 'file:endless.wav'],
  outputs: ['endless.wav'],
  deadlineMs: 60_000,
});
