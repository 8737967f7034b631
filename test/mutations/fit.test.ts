import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { MUTATIONS } from './mutations.ts';

// A run of all mutations takes an hour; that code moved away from under one is seen here at once.
test.each(MUTATIONS)('the mutation fits: $name', async ({ file, from, to, tests }) => {
  expect((await readFile(file, 'utf8')).split(from).length - 1).toBe(1);
  expect(to).not.toBe(from);
  expect(tests.filter((path) => !existsSync(path))).toEqual([]);
});

test('no two mutations have one name', () => {
  const names = MUTATIONS.map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
