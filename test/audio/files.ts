import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const FIXTURES = new URL('../fixtures/', import.meta.url);

interface FixtureFacts {
  readonly codec: string;
  readonly sampleRate: number;
  readonly channels: number;
  readonly durationMs: number;
}

/** What ffprobe said of every fixture. */
const facts: Readonly<Record<string, FixtureFacts | { readonly refused: 'unsupported' }>> = JSON.parse(
  readFileSync(new URL('facts.json', FIXTURES), 'utf8'),
);

export const ACCEPTED = Object.entries(facts).flatMap(([name, expected]) =>
  'refused' in expected ? [] : [{ name, ...expected }],
);
export const REFUSED = Object.entries(facts).flatMap(([name, expected]) =>
  'refused' in expected ? [name] : [],
);

export function fixturePath(name: string): string {
  return new URL(name, FIXTURES).pathname;
}

export function fixture(name: string): Buffer {
  return readFileSync(fixturePath(name));
}

/** A folder for the tests of one file, removed behind them; writes bytes under a name and returns the path. */
export function temporaryFolder(): (name: string, ...pieces: readonly (Buffer | string)[]) => string {
  const folder = mkdtempSync(join(tmpdir(), 'audio-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  return (name, ...pieces) => {
    const path = join(folder, name);
    writeFileSync(path, Buffer.concat(pieces.map((piece) => Buffer.from(piece))));
    return path;
  };
}

export function uint32be(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function uint32le(value: number): Buffer {
  return uint32be(value).reverse();
}

/** A box of an MP4 file. */
export function box(type: string, ...pieces: readonly Buffer[]): Buffer {
  const body = Buffer.concat(pieces);
  return Buffer.concat([uint32be(body.length + 8), Buffer.from(type, 'latin1'), body]);
}

/** An ID3v2.4 tag with `body` in it. */
export function id3Tag(body: Buffer): Buffer {
  const size = body.length;
  const synchsafe = Buffer.from([size >> 21, size >> 14, size >> 7, size].map((part) => part & 0x7f));
  return Buffer.concat([Buffer.from('ID3\x04\0\0', 'latin1'), synchsafe, body]);
}

/** Bytes that repeat every time: a linear congruential generator's. */
export function noise(length: number, seed = 1): Buffer {
  let state = seed;
  return Buffer.from(
    Uint8Array.from({ length }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    }),
  );
}
