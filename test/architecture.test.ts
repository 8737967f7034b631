import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

interface Import {
  /** Below src. */
  readonly from: string;
  /** Below src, or the name of a package. */
  readonly to: string;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const imports = files.flatMap(importsOf);

/** Of values and of types alike: static, re-exported, dynamic, and modules named by URL. */
function importsOf(file: string): readonly Import[] {
  const source = readFileSync(join(SRC, file), 'utf8');
  const found = source.matchAll(/(?:\bfrom|\bimport|\bimport\(|\bnew URL\()\s*'([^']+)'/g);
  return [...found].map(([, named = '']) => ({ from: file, to: target(file, named) }));
}

function target(file: string, named: string): string {
  return named.startsWith('.') ? relative(SRC, join(SRC, dirname(file), named)) : named;
}

const isIn = (...places: readonly string[]) => {
  const exact = new Set(places.filter((place) => !place.endsWith('/')));
  const folders = places.filter((place) => place.endsWith('/'));
  return (path: string) => exact.has(path) || folders.some((folder) => path.startsWith(folder));
};

/** Where the arrows do not lead, as "from -> to". */
function trespasses(from: (path: string) => boolean, to: (path: string) => boolean): readonly string[] {
  return imports
    .filter((arrow) => from(arrow.from) && to(arrow.to))
    .map((arrow) => `${arrow.from} -> ${arrow.to}`);
}

const ofSrc = isIn(...files, ...new Set(files.map((file) => `${file.split('/')[0]}/`)));
const isFastify = isIn('fastify', 'fastify-plugin', '@fastify/');
const isDatabase = isIn('kysely', 'kysely/', 'pg');
const isEntry = isIn(
  'main.ts',
  'serve.ts',
  'cli.ts',
  'compose.ts',
  'welcome.ts',
  'load-env-file.ts',
  'workers/main.ts',
  'workers/primary.ts',
);

describe('the arrows between the rooms', () => {
  test('are all seen', () => {
    const seen = new Set(imports.map(({ from, to }) => `${from} -> ${to}`));
    for (const arrow of [
      'serve.ts -> compose.ts',
      'main.ts -> load-env-file.ts',
      'log.ts -> pino-pretty',
      'serve.ts -> workers/primary.ts',
      'http/app.ts -> library/library.ts',
      'http/console.ts -> http/console-page.ts',
      'http/v3/plugin.ts -> http/failure.ts',
      'library/library.ts -> catalogue/prompts.ts',
      'audio/crew.ts -> audio/worker.ts',
      'conversion/wasm-converter.ts -> conversion/wasm-worker.ts',
      'conversion/render.ts -> audio/renditions.ts',
      'catalogue/database.ts -> kysely',
      'blobs/open-blob-store.ts -> blobs/s3-blob-store.ts',
      'blobs/s3-requests.ts -> @aws-sdk/client-s3',
    ]) {
      expect(seen).toContain(arrow);
    }
  });

  test('http reaches neither the catalogue, the blobs nor the database', () => {
    expect(trespasses(isIn('http/'), isIn('catalogue/', 'blobs/'))).toEqual([]);
    expect(trespasses(isIn('http/'), isDatabase)).toEqual([]);
  });

  test('http knows of audio only the tables of the formats and the renditions', () => {
    const tables = ['audio/formats.ts', 'audio/renditions.ts'];
    const isInspection = (path: string) => path.startsWith('audio/') && !tables.includes(path);
    expect(trespasses(isIn('http/'), isInspection)).toEqual([]);
  });

  test('library, catalogue, blobs and audio know nothing of HTTP', () => {
    const inside = isIn('library/', 'catalogue/', 'blobs/', 'audio/');
    expect(trespasses(inside, isFastify)).toEqual([]);
    expect(trespasses(inside, isIn('http/', 'node:http', 'node:https', 'node:http2'))).toEqual([]);
  });

  test('catalogue, blobs and audio know nothing of the library, nor of each other', () => {
    for (const room of ['catalogue/', 'blobs/', 'audio/']) {
      const others = ['library/', 'catalogue/', 'blobs/', 'audio/'].filter((other) => other !== room);
      expect(trespasses(isIn(room), isIn(...others))).toEqual([]);
    }
  });

  test('audio knows nothing else of the service', () => {
    const isElsewhere = (path: string) => ofSrc(path) && !path.startsWith('audio/');
    expect(trespasses(isIn('audio/'), isElsewhere)).toEqual([]);
  });

  test('conversion knows of the service only what audio is', () => {
    const isElsewhere = (path: string) =>
      ofSrc(path) && !path.startsWith('conversion/') && !path.startsWith('audio/');
    expect(trespasses(isIn('conversion/'), isElsewhere)).toEqual([]);
    expect(trespasses(isIn('conversion/'), isFastify)).toEqual([]);
    expect(trespasses(isIn('conversion/'), isDatabase)).toEqual([]);
  });

  test('the WASM core, whose licence is not ours, is part of no import', () => {
    expect(trespasses(() => true, isIn('@ffmpeg/', '@ffmpeg/core'))).toEqual([]);
  });

  test('the packages of the object store are loaded where it is chosen, and nowhere else', () => {
    const isOfS3 = (path: string) => path.startsWith('blobs/s3-');
    expect(trespasses((path) => !isOfS3(path), isIn('@aws-sdk/', '@smithy/'))).toEqual([]);
    const choice = 'blobs/open-blob-store.ts';
    expect(trespasses((path) => !isOfS3(path) && path !== choice, isOfS3)).toEqual([]);
    expect(readFileSync(join(SRC, choice), 'utf8')).not.toMatch(/\bfrom '\.\/s3-/);
  });

  test('only the catalogue speaks to the database', () => {
    const isElsewhere = (path: string) => !path.startsWith('catalogue/');
    expect(trespasses(isElsewhere, isDatabase)).toEqual([]);
  });

  test('a dialect knows no other', () => {
    const dialects = new Set(files.flatMap((file) => /^http\/v\d+\//.exec(file) ?? []));
    expect(dialects).toContain('http/v3/');
    for (const dialect of dialects) {
      const others = [...dialects].filter((other) => other !== dialect);
      expect(trespasses(isIn(dialect), isIn(...others))).toEqual([]);
    }
  });

  test('nothing leads back to where the service is put together', () => {
    const isInside = (path: string) => path.includes('/') && !isEntry(path);
    expect(trespasses(isInside, isEntry)).toEqual([]);
  });
});

test('the console and the service import nothing of each other', () => {
  const folder = fileURLToPath(new URL('../console/src', import.meta.url));
  const sources = readdirSync(folder, { encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file));
  const reached = sources.flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(/\bfrom '([^']+)'/g)].map(([, to = '']) => to),
  );
  expect(reached).toContain('./api.ts');
  expect(reached.filter((to) => to.startsWith('..') || to.startsWith('node:'))).toEqual([]);
  expect(imports.filter(({ to }) => to.includes('../console/'))).toEqual([]);
});

test('the environment is read by the entry points alone', () => {
  const readers = files.filter((file) =>
    /\bprocess\??\.?\s*(?:\.env\b|\[\s*['"]env['"]\s*\])|\benv\b[^;]*\bfrom 'node:process'/.test(
      readFileSync(join(SRC, file), 'utf8'),
    ),
  );
  expect(readers.sort()).toEqual(['cli.ts']);
});
