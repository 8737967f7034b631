import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watch } from '../../src/workers/watch.ts';

const PACE = { everyMs: 10, mostUnanswered: 3 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** One that is watched, and answers or not. */
function watched() {
  const state = { answers: true, asked: 0, timesSilent: 0 };
  const isAlive = async () => {
    state.asked += 1;
    if (!state.answers) throw new Error('no answer came in time');
  };
  return { state, stop: watch(isAlive, PACE, () => (state.timesSilent += 1)) };
}

test('who answers is left in peace, and who does so again is forgiven', async () => {
  const { state, stop } = watched();
  for (const answers of [true, false, true, false, true]) {
    state.answers = answers;
    await vi.advanceTimersByTimeAsync(PACE.everyMs * (PACE.mostUnanswered - 1));
  }
  const asked = 5 * (PACE.mostUnanswered - 1);
  expect(state).toMatchObject({ asked, timesSilent: 0 });
  stop();
  await vi.advanceTimersByTimeAsync(PACE.everyMs * 100);
  expect(state).toMatchObject({ asked, timesSilent: 0 });
});

test('who leaves too many questions unanswered is told of once', async () => {
  const { state } = watched();
  state.answers = false;
  await vi.advanceTimersByTimeAsync(PACE.everyMs * PACE.mostUnanswered);
  expect(state).toMatchObject({ asked: PACE.mostUnanswered, timesSilent: 0 });
  await vi.advanceTimersByTimeAsync(PACE.everyMs);
  expect(state.timesSilent).toBe(1);
  await vi.advanceTimersByTimeAsync(PACE.everyMs * 100);
  expect(state).toMatchObject({ asked: PACE.mostUnanswered, timesSilent: 1 });
});

test('who answers only after a while is not silent', async () => {
  let timesSilent = 0;
  const answer = Promise.withResolvers<void>();
  const stop = watch(
    () => answer.promise,
    PACE,
    () => (timesSilent += 1),
  );
  await vi.advanceTimersByTimeAsync(PACE.everyMs * PACE.mostUnanswered);
  answer.resolve();
  await vi.advanceTimersByTimeAsync(PACE.everyMs * 100);
  expect(timesSilent).toBe(0);
  stop();
});
