import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPool } from '../../src/workers/pool.ts';
import { createTalk } from '../../src/workers/talk.ts';
import type { Pace } from '../../src/workers/watch.ts';
import type { Start, WorkerProcess } from '../../src/workers/worker-process.ts';

const PACE = { everyMs: 100, mostUnanswered: 3 };
/** In which one that hangs is found out, ms. */
const FOUND_OUT = PACE.everyMs * (PACE.mostUnanswered + 1);
/** What is promised beyond the grace for the end of the whole service, ms. */
const PROMISED = 5_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A process that hears nothing and ends only when it is killed; it came as far as to listen, or not. */
function hung(number: number, hasListened: boolean): WorkerProcess {
  const started = Promise.withResolvers<Start>();
  const ended = Promise.withResolvers<string>();
  const at = { address: 'http://127.0.0.1:5000', all: [] };
  if (hasListened) started.resolve({ kind: 'listening', at });
  const talk = createTalk(() => undefined, { notes: {}, questions: {} });
  return {
    number,
    talk,
    started: started.promise,
    ended: ended.promise,
    figures: () => talk.ask('figures', null),
    kill() {
      started.resolve({ kind: 'ended', end: 'SIGKILL' });
      ended.resolve('SIGKILL');
    },
  };
}

function poolOf({ hasListened, pace = PACE }: { readonly hasListened: boolean; readonly pace?: Pace }) {
  const seen = {
    forked: [] as number[],
    listening: [] as number[],
    ended: [] as number[],
    said: [] as string[],
  };
  const pool = createPool({
    size: 2,
    fork(number) {
      seen.forked.push(number);
      return hung(number, hasListened);
    },
    onListening: ({ number }) => void seen.listening.push(number),
    onEnded: ({ number }) => void seen.ended.push(number),
    log: { error: (_: unknown, said?: string) => void seen.said.push(String(said)) },
    pace,
  });
  return { pool, seen };
}

test('a worker that hangs is killed, logged and replaced', async () => {
  const { pool, seen } = poolOf({ hasListened: true });
  expect(await pool.start()).toMatchObject({ address: 'http://127.0.0.1:5000' });
  await vi.advanceTimersByTimeAsync(FOUND_OUT - PACE.everyMs);
  expect(seen).toMatchObject({ forked: [1, 2], listening: [1, 2], ended: [] });
  await vi.advanceTimersByTimeAsync(PACE.everyMs);
  await expect.poll(() => seen.listening).toEqual([1, 2, 1, 2]);
  expect(seen).toMatchObject({ forked: [1, 2, 1, 2], ended: [1, 2] });
  expect(new Set(seen.said)).toEqual(
    new Set(['a worker does not answer any more and is killed', 'a worker ended and is replaced']),
  );
});

test('a first start in which a worker says nothing fails, and says so', async () => {
  const { pool, seen } = poolOf({ hasListened: false });
  const failed = expect(pool.start()).rejects.toThrow('A worker that was started did not answer');
  await vi.advanceTimersByTimeAsync(FOUND_OUT);
  await failed;
  expect(seen.forked).toEqual([1, 2]);
});

test('the end of a worker that hangs leaves time for the database', async () => {
  // No watch is quick enough to find out.
  const { pool } = poolOf({ hasListened: true, pace: { everyMs: 60_000, mostUnanswered: 1 } });
  await pool.start();
  const graceMs = 10_000;
  const closed = vi.fn();
  void pool.close(graceMs).then(closed);
  await vi.advanceTimersByTimeAsync(graceMs);
  expect(closed).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(PROMISED - 2_000);
  expect(closed).toHaveBeenCalled();
});
