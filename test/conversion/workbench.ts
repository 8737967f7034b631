import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { afterAll, onTestFinished, vi } from 'vitest';
import type { AudioFacts } from '../../src/audio/facts.ts';
import type { Container } from '../../src/audio/formats.ts';
import { RENDITIONS, type RenditionKind } from '../../src/audio/renditions.ts';
import { type ConverterChoice, chooseConverter } from '../../src/conversion/choose-converter.ts';
import type { Converter } from '../../src/conversion/converter.ts';
import type { MadeRendition } from '../../src/conversion/render.ts';
import { ACCEPTED } from '../audio/files.ts';

// A converter has a low priority, and other tests run beside it.
vi.setConfig({ testTimeout: 180_000 });

export const ALL_KINDS = Object.keys(RENDITIONS) as readonly RenditionKind[];
export const DEADLINE_MS = 60_000;

/** Both that there are; the machine's own only where it is installed. */
export const CONVERTERS: readonly Exclude<ConverterChoice, 'auto' | 'off'>[] = hasFfmpeg()
  ? ['ffmpeg', 'wasm']
  : ['wasm'];

export function hasFfmpeg(): boolean {
  try {
    execFileSync('ffmpeg', ['-version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Closed behind the tests of the file. */
export async function converterOf(choice: ConverterChoice): Promise<Converter> {
  const { converter, reason } = await chooseConverter(choice);
  if (converter === undefined) throw new Error(reason);
  afterAll(() => converter.close());
  return converter;
}

/** A private folder for one task, removed behind the test, with the original as `original`. */
export function taskFolder(original: string | Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'conversion-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  if (typeof original === 'string') copyFileSync(original, join(folder, 'original'));
  else writeFileSync(join(folder, 'original'), original);
  return folder;
}

/** What the inspection says of a fixture. */
export function factsOf(name: string): AudioFacts {
  const facts = ACCEPTED.find((each) => each.name === name);
  if (facts === undefined) throw new Error(`${name} is no fixture`);
  // Extensions of accepted fixtures are those of the eight formats.
  return { ...facts, container: extname(name).slice(1) as Container };
}

/** What the inspection says of a WAV of `wavOf`. */
export function wavFacts(durationMs: number, changes: Partial<AudioFacts> = {}): AudioFacts {
  return { container: 'wav', codec: 'pcm_s16le', sampleRate: 48_000, channels: 1, durationMs, ...changes };
}

/** What a decoder and a meter say of a rendition. */
export interface Heard {
  readonly codec: string;
  readonly sampleRate: number;
  readonly channels: string;
  readonly durationMs: number;
  /** Null where it is too short or too quiet. */
  readonly loudnessLufs: number | null;
  readonly truePeakDbtp: number;
  readonly samples: Int16Array;
}

const BARE: Partial<Record<RenditionKind, readonly string[]>> = {
  ulaw: ['-ar', '8000'],
  alaw: ['-ar', '8000'],
};
const DEMUXERS: Readonly<Record<RenditionKind, string>> = {
  pcm8k: 'wav',
  pcm16k: 'wav',
  wav16: 'wav',
  ulaw8k: 'wav',
  ulaw: 'mulaw',
  alaw: 'alaw',
  g722: 'g722',
  mp3: 'mp3',
  opus: 'ogg',
};

/** Decodes renditions of one folder again, all of them in one run, and measures them as anybody's meter would. */
export async function hear(
  converter: Converter,
  folder: string,
  made: readonly MadeRendition[],
): Promise<ReadonlyMap<RenditionKind, Heard>> {
  const outputs = made.map(({ kind }) => `${kind}.heard`);
  const { stderr } = await converter.run({
    folder,
    inputs: made.map(({ kind, path }) => ({
      file: path.slice(folder.length + 1),
      demuxer: DEMUXERS[kind],
      options: BARE[kind] ?? [],
    })),
    args: made.flatMap(({ kind }, place) => [
      ...['-map', `${place}:a:0`, '-af', `ebur128@${kind}=peak=true:framelog=verbose`],
      ...[
        '-c:a',
        'pcm_s16le',
        '-ar',
        String(RENDITIONS[kind].sampleRate),
        '-f',
        's16le',
        `file:${kind}.heard`,
      ],
    ]),
    outputs,
    deadlineMs: DEADLINE_MS,
  });
  return new Map(made.map(({ kind }, place) => [kind, heardOf(folder, kind, place, stderr)]));
}

function heardOf(folder: string, kind: RenditionKind, place: number, stderr: string): Heard {
  const stream = new RegExp(`Stream #${place}:0.*?: Audio: (\\w+)[^\\n]*?, (\\d+) Hz, ([^,]+),`).exec(stderr);
  const summary = stderr.slice(stderr.lastIndexOf(`[ebur128@${kind} @`));
  const loudness = Number(/I:\s+(\S+) LUFS/.exec(summary)?.[1]);
  const bytes = readFileSync(join(folder, `${kind}.heard`));
  const samples = new Int16Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 2));
  return {
    codec: stream?.[1] ?? '',
    sampleRate: Number(stream?.[2]),
    channels: stream?.[3] ?? '',
    durationMs: (samples.length / RENDITIONS[kind].sampleRate) * 1000,
    loudnessLufs: loudness > -70 ? loudness : null,
    truePeakDbtp: Number(/Peak:\s+(\S+) dBFS/.exec(summary)?.[1]?.replace('inf', 'Infinity')),
    samples,
  };
}

/** The processes that work in a folder; null where the system does not say. */
export function processesIn(folder: string): readonly string[] | null {
  if (!existsSync('/proc/self/cwd')) return null;
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === folder;
    } catch {
      // It ended meanwhile, or is a thread of the kernel.
      return false;
    }
  });
}
