import { join } from 'node:path';
import { output } from './processes.ts';

/** A file of nearly the size that the service takes at most. */
export interface LongFile {
  readonly name: string;
  readonly path: string;
  readonly container: string;
  /** Seconds, as ffmpeg counts them by reading all of it. */
  readonly seconds: number;
}

/** What an index adds behind the sound still fits. */
const BYTES = 49_000_000;
/** No codec can shrink noise, so it fills the file. */
const NOISE = ['-f', 'lavfi', '-i', 'anoisesrc=r=44100:a=0.5', '-ac', '2'];

const again = (fixture: string) => ['-stream_loop', '-1', '-i', `test/fixtures/${fixture}`, '-c', 'copy'];

/**
 * One file of each format, and of those whose length is not told anywhere, so that all of it has to be looked at;
 * those of low bit rates have the most frames. They are the fixtures again and again, without encoding them anew,
 * where the format allows that.
 */
const RECIPES: readonly (readonly [
  name: string,
  container: string,
  file: string,
  recipe: readonly string[],
])[] = [
  ['WAV', 'wav', 'tone.wav', again('tone.wav')],
  ['MP3', 'mp3', 'tone.mp3', again('tone.mp3')],
  ['MP3 without Xing, VBR', 'mp3', 'vbr.mp3', [...again('vbr-no-xing.mp3'), '-write_xing', '0']],
  ['MP3 without Xing, 8 kbit/s', 'mp3', 'low.mp3', [...again('low-rate.mp3'), '-write_xing', '0']],
  ['AAC (ADTS)', 'aac', 'tone.aac', again('tone.aac')],
  ['AAC (ADTS), 16 kbit/s', 'aac', 'mono.aac', again('mono.aac')],
  ['FLAC', 'flac', 'noise.flac', [...NOISE, '-c:a', 'flac', '-sample_fmt', 's16']],
  ['Ogg Vorbis', 'ogg', 'tone.ogg', again('tone.ogg')],
  ['Ogg Opus, 16 kbit/s', 'ogg', 'opus.ogg', again('whisper.ogg')],
  ['M4A', 'm4a', 'tone.m4a', again('tone.m4a')],
  ['M4A, 16 kbit/s', 'm4a', 'mono.m4a', again('mono.m4a')],
  [
    'MP4, fragmented',
    'mp4',
    'fragmented.mp4',
    [...again('tone.mp4'), '-movflags', 'frag_keyframe+empty_moov', '-frag_duration', '1000000'],
  ],
  ['WebM', 'webm', 'tone.webm', again('tone.webm')],
  ['WebM, live', 'webm', 'live.webm', [...again('tone.webm'), '-live', '1']],
];

/** Makes them in a folder. With `isQuick` only the first of each format, and a fiftieth of it. */
export async function makeLongFiles(
  folder: string,
  { isQuick }: { readonly isQuick: boolean },
): Promise<readonly LongFile[]> {
  const files: LongFile[] = [];
  for (const [name, container, file, recipe] of RECIPES) {
    if (isQuick && files.some((made) => made.container === container)) continue;
    const path = join(folder, file);
    const bytes = String(isQuick ? BYTES / 50 : BYTES);
    await output(['ffmpeg', '-nostdin', '-v', 'fatal', '-y', ...recipe, '-fs', bytes, path]);
    files.push({ name, path, container, seconds: await secondsOf(path) });
  }
  return files;
}

async function secondsOf(path: string): Promise<number> {
  const told = ['-map', '0:a', '-c', 'copy', '-progress', 'pipe:1', '-f', 'null', '-'];
  const report = await output(['ffmpeg', '-nostdin', '-v', 'fatal', '-i', path, ...told]);
  const last = [...report.matchAll(/out_time_us=(\d+)/g)].at(-1);
  return Number(last?.[1] ?? 'NaN') / 1e6;
}
