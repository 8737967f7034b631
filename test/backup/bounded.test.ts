import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { mapBounded } from '../../src/library/bounded.ts';

test('results come in the order of the items, and no more are at work than may be', async () => {
  let atWork = 0;
  let most = 0;
  const results = await mapBounded([5, 1, 4, 2, 3], 2, async (turns) => {
    atWork += 1;
    most = Math.max(most, atWork);
    for (let i = 0; i < turns; i += 1) await turn();
    atWork -= 1;
    return turns * 10;
  });
  expect(results).toEqual([50, 10, 40, 20, 30]);
  expect(most).toBe(2);
  expect(await mapBounded([], 2, () => Promise.reject(new Error('of nothing')))).toEqual([]);
});

test('a failure lets nothing new begin, and is told when nothing is at work any more', async () => {
  const begun: number[] = [];
  const slow = Promise.withResolvers<void>();
  let isOver = false;
  const outcome = mapBounded([0, 1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    if (item === 0) throw new Error('the first');
    await slow.promise;
    throw new Error('a later one');
  });
  const watched = outcome.catch(() => undefined).finally(() => (isOver = true));
  await turn();
  expect({ begun, isOver }).toEqual({ begun: [0, 1], isOver: false });
  slow.resolve();
  await watched;
  await expect(outcome).rejects.toThrow('the first');
  expect(begun).toEqual([0, 1]);
});
