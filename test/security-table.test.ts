import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FORMATS } from '../src/audio/formats.ts';
import { configFrom } from '../src/config.ts';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

const SECURITY = read('SECURITY.md');

/** ASVS 5.0.0: V5 has 13 requirements and V9 has 7. */
const REQUIREMENTS = [
  ...['5.1.1', '5.2.1', '5.2.2', '5.2.3', '5.2.4', '5.2.5', '5.2.6', '5.3.1', '5.3.2', '5.3.3'],
  ...['5.4.1', '5.4.2', '5.4.3', '9.1.1', '9.1.2', '9.1.3', '9.2.1', '9.2.2', '9.2.3', '9.2.4'],
];

const rows = [...SECURITY.matchAll(/^\| (\d+\.\d+\.\d+) \| ([^|]+) \| ([^|]+) \|$/gm)].map(
  ([, id = '', requirement = '', shownBy = '']) => ({ id, requirement, shownBy, cited: citedIn(shownBy) }),
);

/** Each name belongs to the file that was named last before it. */
function citedIn(shownBy: string): readonly { readonly file: string; readonly name: string }[] {
  let file = '';
  return [...shownBy.matchAll(/`(test\/[^`]+)`|“([^”]+)”/g)].flatMap(([, path, name]) => {
    if (path !== undefined) file = path;
    return name === undefined ? [] : [{ file, name }];
  });
}

/** The first argument of every test and every group, as it is written. */
function namesIn(source: string): ReadonlySet<string> {
  const titles = source.matchAll(/\b(?:test|describe)\b[^'"`]*?\(\s*(['"`])((?:\\.|(?!\1).)+)\1/g);
  const ofEach = source.matchAll(/^\]?\)+\(\s*(['"`])((?:\\.|(?!\1).)+)\1/gm);
  return new Set([...titles, ...ofEach].map(([, , title = '']) => title));
}

describe('the table of ASVS requirements', () => {
  test('has each one once, in order', () => {
    expect(rows.map(({ id }) => id)).toEqual(REQUIREMENTS);
  });

  for (const { id, shownBy, cited } of rows) {
    test(`names a test that is there, or says why there is none: ${id}`, () => {
      const [, exception = ''] = /Exception: (.+)$/.exec(shownBy) ?? [];
      expect(cited.length > 0 || exception.length > 40).toBe(true);
      for (const { file, name } of cited) {
        expect([...namesIn(read(file))], `${file} has no test “${name}”`).toContain(name);
      }
    });
  }
});

describe('what is written of files', () => {
  test('says which files are taken and how large they may be', () => {
    const [, files = ''] = /^## Files\n([\s\S]+?)^## /m.exec(SECURITY) ?? [];
    const named = [...files.matchAll(/\((`\.[a-z0-9]+`)\)/g)].map(([, extension]) => extension);
    expect(named.sort()).toEqual(
      Object.values(FORMATS)
        .map(({ extension }) => `\`.${extension}\``)
        .sort(),
    );
    expect(files).toContain(`at most ${configFrom({}).maxUploadBytes} bytes`);
  });
});
