import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ENGINE_TEXTS, ENGINES } from '../../console/src/snippets.ts';
import { ENGINES as ENGINES_OF_API } from '../../src/http/v3/engines.ts';

const GUIDE = readFileSync(new URL('../../docs/engines.md', import.meta.url), 'utf8');
/** As the guide writes it, apart from where lines break and what formats put between words. */
const plain = (text: string) => text.replaceAll(/[\s"']+/g, '');

test('the page offers every engine that the API knows, and no other', () => {
  expect(ENGINES.toSorted()).toEqual(ENGINES_OF_API.toSorted());
});

test.for(ENGINES.filter((engine) => engine !== 'browser'))(
  'the line for %s is that of the guide',
  (engine) => {
    const { snippet } = ENGINE_TEXTS[engine];
    const urls =
      GUIDE.match(/https:\/\/prompts\.example\.com\/uploads\/call-flow-recordings\/[\w.-]+/g) ?? [];
    expect(new Set(urls).size).toBeGreaterThan(1);
    const found = [...new Set(urls)].some((url) => plain(GUIDE).includes(plain(snippet(url))));
    expect(found, snippet('URL')).toBe(true);
  },
);

test('a url stands in markup as what it is', () => {
  const { snippet } = ENGINE_TEXTS.twilio;
  expect(snippet('https://a/b?c=1&d="<e')).toBe(
    '<Response><Play>https://a/b?c=1&amp;d=&quot;&lt;e</Play></Response>',
  );
});
