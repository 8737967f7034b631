import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Converter } from './converter.ts';
import { buildFence, locate } from './fence.ts';
import { createFfmpegConverter } from './ffmpeg-converter.ts';
import { createWasmConverter, type WasmCore } from './wasm-converter.ts';

const run = promisify(execFile);

/** What the operator wants: `auto` takes the machine's ffmpeg, else the WASM core, else none. */
export type ConverterChoice = 'auto' | 'ffmpeg' | 'wasm' | 'off';

export interface ConverterOptions {
  /** Where programs are searched; by default where this process finds its own. */
  readonly searchPath?: string;
  /** The package of the WASM core. */
  readonly wasmPackage?: string;
  /** The largest file that a conversion may write, in bytes. */
  readonly maxFileBytes?: number;
  /** What a conversion may take; each converter has a default of its own. */
  readonly maxMemoryBytes?: number;
}

export interface ChosenConverter {
  readonly converter: Converter | undefined;
  /** One sentence for the operator: what was chosen, or why there is none. */
  readonly reason: string;
  /** What this machine does not let us hold a converter outside of our process to. */
  readonly fenceLacks?: readonly string[];
}

/** The converter that was asked for by name is not here; the message says what is missing. */
export class ConverterMissingError extends Error {
  override readonly name = 'ConverterMissingError';
}

/** An hour of the largest rendition, twice. */
const MAX_FILE_BYTES = 250_000_000;
const WASM_PACKAGE = '@ffmpeg/core';
const ENCODERS = ['pcm_s16le', 'pcm_mulaw', 'pcm_alaw', 'g722', 'libmp3lame', 'libopus'];
const FILTERS = ['aresample', 'alimiter', 'apad', 'asplit', 'astats', 'atrim', 'ebur128', 'highpass', 'pan'];

/** Finds a converter. Rejects with a ConverterMissingError when `ffmpeg` or `wasm` was asked for and is not usable. */
export async function chooseConverter(
  choice: ConverterChoice,
  options: ConverterOptions = {},
): Promise<ChosenConverter> {
  if (choice === 'off') return { converter: undefined, reason: 'Conversion is switched off.' };
  const missing: string[] = [];
  const { maxFileBytes = MAX_FILE_BYTES, maxMemoryBytes, searchPath, wasmPackage = WASM_PACKAGE } = options;
  if (choice !== 'wasm') {
    const found = await findFfmpeg(searchPath);
    if ('program' in found) {
      const fence = await buildFence(searchPath);
      const converter = createFfmpegConverter({ ...found, fence, maxFileBytes, maxMemoryBytes });
      return { converter, reason: `${found.version} of this machine converts.`, fenceLacks: fence.lacks };
    }
    missing.push(found.missing);
  }
  if (choice !== 'ffmpeg') {
    const core = await findCore(wasmPackage);
    if (core !== undefined) {
      const reason = [...missing, `${core.version} converts.`].join(' ');
      return { converter: createWasmConverter({ core, maxFileBytes, maxMemoryBytes }), reason };
    }
    missing.push(`The package ${wasmPackage} is not installed.`);
  }
  if (choice !== 'auto') throw new ConverterMissingError(missing.join(' '));
  return { converter: undefined, reason: missing.join(' ') };
}

type FoundFfmpeg = { readonly program: string; readonly version: string } | { readonly missing: string };

async function findFfmpeg(searchPath: string | undefined): Promise<FoundFfmpeg> {
  const [program] = await locate(['ffmpeg'], searchPath);
  if (!program) return { missing: 'There is no ffmpeg on this machine.' };
  const ask = async (...args: readonly string[]) =>
    (await run(program, ['-hide_banner', ...args], { env: { LC_ALL: 'C' }, timeout: 10_000 })).stdout;
  try {
    const [version, encoders, filters, limiter] = await Promise.all([
      ask('-version'),
      ask('-encoders'),
      ask('-filters'),
      ask('-h', 'filter=alimiter'),
    ]);
    const number = /^ffmpeg version (\S+?)(?:-\S*)?\s/.exec(version)?.[1] ?? 'of an unknown version';
    const lacks = [
      ...ENCODERS.filter((name) => !isListed(encoders, name)),
      ...FILTERS.filter((name) => !isListed(filters, name)),
      // Older ones cannot limit peaks without a delay.
      ...(/^\s+latency\s/m.test(limiter) ? [] : ['alimiter with latency compensation']),
    ];
    if (lacks.length > 0)
      return { missing: `The ffmpeg of this machine (${number}) lacks ${lacks.join(', ')}.` };
    return { program, version: `ffmpeg ${number}` };
  } catch {
    return { missing: 'The ffmpeg of this machine does not run.' };
  }
}

/** Lists are of flags, a name and a description. */
function isListed(list: string, name: string): boolean {
  return new RegExp(`^\\s*\\S+\\s+${name}\\s`, 'm').test(list);
}

/** It is loaded from its own folder, never bundled: its licence is another one than ours. */
async function findCore(wasmPackage: string): Promise<WasmCore | undefined> {
  try {
    const { resolve } = createRequire(import.meta.url);
    const script = resolve(wasmPackage);
    const description = await readFile(join(dirname(script), '../../package.json'), 'utf8');
    const { version } = JSON.parse(description) as { readonly version: string };
    return { script, binary: resolve(`${wasmPackage}/wasm`), version: `${wasmPackage} ${version}` };
  } catch {
    return undefined;
  }
}
