import { expect, test, vi } from 'vitest';
import { PATIENCE } from '../../src/workers/messages.ts';
import { createTalk, type Hearing, type Talk } from '../../src/workers/talk.ts';

/** Two ends of a channel on which every message takes a turn. */
function connected(primary: Hearing, worker: Hearing): { readonly primary: Talk; readonly worker: Talk } {
  const ends: { primary: Talk; worker: Talk } = {
    primary: createTalk((message) => setImmediate(() => ends.worker.hear(message)), primary),
    worker: createTalk((message) => setImmediate(() => ends.primary.hear(message)), worker),
  };
  return ends;
}

const silent: Hearing = { notes: {}, questions: {} };

test('answers find their questions, also out of order', async () => {
  const asked: string[] = [];
  const first = Promise.withResolvers<void>();
  const { worker } = connected(
    {
      notes: {},
      questions: {
        async count(hits) {
          const [{ key } = { key: '' }] = hits;
          asked.push(key);
          if (key === 'slow') await first.promise;
          else first.resolve();
          return [{ hits: key.length, msLeft: 1 }];
        },
      },
    },
    silent,
  );
  const count = async (key: string) => (await worker.ask('count', [{ key, windowMs: 1 }]))[0]?.hits;
  expect(await Promise.all([count('slow'), count('quicker')])).toEqual([4, 7]);
  expect(asked).toEqual(['slow', 'quicker']);
});

test('a question that cannot be answered is rejected: by a fault, by nobody there, and by none in time', async () => {
  const { primary, worker } = connected(
    { notes: {}, questions: { metrics: () => Promise.reject(new Error('a fault')) } },
    { notes: {}, questions: {} },
  );
  await expect(worker.ask('metrics', null)).rejects.toThrow('could not answer');
  await expect(primary.ask('figures', null)).rejects.toThrow('could not answer');

  vi.useFakeTimers();
  try {
    const lost = createTalk(() => undefined, silent);
    const answer = expect(lost.ask('count', [])).rejects.toThrow('no answer came in time');
    await vi.advanceTimersByTimeAsync(PATIENCE.count);
    await answer;
  } finally {
    vi.useRealTimers();
  }
});

test('a note reaches who takes it, and none who does not', async () => {
  const heard = Promise.withResolvers<unknown>();
  const { primary } = connected(silent, { notes: { stop: heard.resolve }, questions: {} });
  primary.tell('loaded', null);
  primary.tell('stop', { graceMs: 7 });
  expect(await heard.promise).toEqual({ graceMs: 7 });
});
