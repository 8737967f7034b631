import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ConversionError, type ConverterTask } from './converter.ts';

const STDERR_BYTES = 65_536;
/** Of what ffmpeg said, for the log. */
const CAUSE_LENGTH = 500;
/** What ffmpeg says when the machine or we are at fault, and how a person is told. */
const NOT_THE_FILE: readonly (readonly [RegExp, string])[] = [
  [/No space left|Disk quota/i, 'The conversion failed, because the disk is full.'],
  [/File too large/i, 'The conversion failed, because its result became too large.'],
  [/Cannot allocate memory|Out of memory/i, 'The conversion failed, because it took too much memory.'],
  [
    /Too many open files|Read-only file|Permission denied|Operation not permitted|failed to execute|Resource temporarily unavailable|shared librar|received signal|^(?:unshare|prlimit|nice|setpriv|sh|\/bin\/sh):/im,
    'The conversion failed on this machine.',
  ],
  [
    /Unknown encoder|No such filter|Unrecognized option|Option not found/,
    'The converter of this machine lacks a part.',
  ],
];
/** Of a file that could not be written whole, ffmpeg 5.1 says so and ends with success. */
const NOT_WRITTEN = /^(?:Error (?:writing|closing) .*|av_interleaved_write_frame\(\): .*)$/m;
/** What a decoder dies of that was led astray; the other signals come from outside of it. */
const CRASHES: ReadonlySet<string> = new Set(['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGABRT']);

/** A shell that finds no program, or may not run it, and ffmpeg when it is told to end. */
const NOT_A_VERDICT: ReadonlySet<number> = new Set([126, 127, 255]);

/** Keeps the end of a text that may never end. */
export interface Tail {
  add(piece: string): void;
  text(): string;
}

export function createTail(bytes = STDERR_BYTES): Tail {
  let text = '';
  return {
    add(piece) {
      text += piece;
      // Cutting at twice the length keeps the copying small.
      if (text.length > 2 * bytes) text = text.slice(-bytes);
    },
    text: () => text.slice(-bytes),
  };
}

export function tookTooLong(): ConversionError {
  return new ConversionError('failed', 'The conversion took too long and was ended.');
}

export function wasCalledOff(cause?: unknown): ConversionError {
  return new ConversionError('failed', 'The conversion was called off.', { cause });
}

/** Why a run is no success although it may say so; undefined when it is one. What ffmpeg said last decides whose fault it was. */
export function faultOf(end: number | string | null, stderr: string): ConversionError | undefined {
  if (end === 0) {
    const line = NOT_WRITTEN.exec(stderr)?.[0];
    return line === undefined
      ? undefined
      : (faultOfOurs(line) ?? failed('The conversion failed on this machine.', line));
  }
  if (typeof end === 'string' && !CRASHES.has(end)) {
    const why = end === 'SIGXFSZ' ? 'its result became too large' : 'it was ended from outside';
    return failed(`The conversion failed, because ${why}.`, end);
  }
  if (typeof end === 'number' && NOT_A_VERDICT.has(end)) {
    return (
      faultOfOurs(stderr) ?? failed('The conversion failed on this machine.', stderr.slice(-CAUSE_LENGTH))
    );
  }
  return faultOfOurs(stderr) ?? unusable('The audio cannot be decoded');
}

function faultOfOurs(stderr: string): ConversionError | undefined {
  const message = NOT_THE_FILE.find(([words]) => words.test(stderr))?.[1];
  return message === undefined ? undefined : failed(message, stderr.slice(-CAUSE_LENGTH));
}

function failed(message: string, cause: string): ConversionError {
  return new ConversionError('failed', message, { cause });
}

/** `finding` is a sentence without its full stop. */
export function unusable(finding: string): ConversionError {
  return new ConversionError(
    'unusable-audio',
    `${finding}; export the recording again and upload the new file.`,
  );
}

export async function removeOutputs({ folder, outputs }: ConverterTask): Promise<void> {
  await Promise.all(outputs.map((name) => rm(join(folder, name), { force: true })));
}
