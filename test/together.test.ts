import { expect, test } from 'vitest';
import { together } from '../src/together.ts';

/** Rounds that end when they are told to. */
function watched() {
  const rounds: { readonly items: readonly string[]; end: () => void; fail: (error: Error) => void }[] = [];
  const run = together<string>((items) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    rounds.push({ items, end: resolve, fail: reject });
    return promise;
  });
  return { rounds, run };
}

/** Lets everything happen that needs no more than promises. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('who comes while a round runs is in the next one, in the order of coming', async () => {
  const { rounds, run } = watched();
  const first = run('a');
  await settle();
  const others = [run('b'), run('c')];
  await settle();
  expect(rounds.map(({ items }) => items)).toEqual([['a']]);
  rounds[0]?.end();
  await first;
  await settle();
  const last = run('d');
  expect(rounds.map(({ items }) => items)).toEqual([['a'], ['b', 'c']]);
  rounds[1]?.end();
  await Promise.all(others);
  await settle();
  rounds[2]?.end();
  await last;
  expect(rounds.map(({ items }) => items)).toEqual([['a'], ['b', 'c'], ['d']]);
});

test('those who come in one go share the first round', async () => {
  const { rounds, run } = watched();
  const all = Promise.all([run('a'), run('b')]);
  await settle();
  rounds[0]?.end();
  await all;
  expect(rounds.map(({ items }) => items)).toEqual([['a', 'b']]);
});

test('a round that fails fails also for those who came during it, and for nobody after', async () => {
  const { rounds, run } = watched();
  const first = run('a');
  await settle();
  const second = run('b');
  const third = run('c');
  rounds[0]?.fail(new Error('no room'));
  await expect(first).rejects.toThrow('no room');
  await expect(second).rejects.toThrow('no room');
  await expect(third).rejects.toThrow('no room');
  const later = run('d');
  await settle();
  rounds[1]?.end();
  await expect(later).resolves.toBeUndefined();
  expect(rounds.map(({ items }) => items)).toEqual([['a'], ['d']]);
});
