import { expect, test, vi } from 'vitest';
import type { Hit } from '../../src/workers/messages.ts';
import { askForCounts, createRateCounts } from '../../src/workers/rate-counts.ts';

const hit = (key: string): Hit => ({ key, windowMs: 60_000 });

test('a window begins with its first request, and each key has its own', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const count = createRateCounts();
    expect(count([hit('a'), hit('b'), hit('a')])).toEqual([
      { hits: 1, msLeft: 60_000 },
      { hits: 1, msLeft: 60_000 },
      { hits: 2, msLeft: 60_000 },
    ]);
    vi.advanceTimersByTime(59_000);
    expect(count([hit('a')])).toEqual([{ hits: 3, msLeft: 1_000 }]);
    vi.advanceTimersByTime(1_000);
    expect(count([hit('a')])).toEqual([{ hits: 1, msLeft: 60_000 }]);
  } finally {
    vi.useRealTimers();
  }
});

test('what comes in one turn is asked at once, and each gets its own count', async () => {
  const asked: number[] = [];
  const count = createRateCounts();
  const countHit = askForCounts(async (hits) => {
    asked.push(hits.length);
    return count(hits);
  });
  const burst = await Promise.all(['a', 'b', 'a'].map((key) => countHit(key, 60_000)));
  expect(burst.map(({ hits }) => hits)).toEqual([1, 1, 2]);
  expect((await countHit('a', 60_000)).hits).toBe(3);
  expect(asked).toEqual([3, 1]);
});

test('when the primary does not answer, each who asked is told, and the next may ask again', async () => {
  let isAway = true;
  const count = createRateCounts();
  const countHit = askForCounts(async (hits) => {
    if (isAway) throw new Error('no answer came in time');
    return count(hits);
  });
  const asked = await Promise.allSettled([countHit('a', 1), countHit('b', 1)]);
  expect(asked.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  isAway = false;
  expect((await countHit('a', 60_000)).hits).toBe(1);
});
