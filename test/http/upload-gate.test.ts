import { expect, test } from 'vitest';
import { createUploadGate } from '../../src/http/upload-gate.ts';

const nobody = new AbortController().signal;

test('a token that comes anew while its last waiter is refused has no more places than before', async () => {
  const gate = createUploadGate({ atOnce: 2, atOncePerToken: 1, waiting: 10, waitMs: 60_000 });
  const others = [
    await gate.enter('a', nobody, () => undefined),
    await gate.enter('b', nobody, () => undefined),
  ];
  const departure = new AbortController();
  const refused = gate.enter('c', departure.signal, () => undefined);
  departure.abort(new Error('gone'));
  for (const leave of others) leave();

  const leave = await gate.enter('c', nobody, () => undefined);
  await expect(refused).rejects.toThrow('gone');
  let hasWaited = false;
  const second = gate.enter('c', nobody, () => {
    hasWaited = true;
  });
  expect(gate.figures()).toEqual({ running: 1, waiting: 1 });
  leave();
  (await second)();
  expect(hasWaited).toBe(true);
  expect(gate.figures()).toEqual({ running: 0, waiting: 0 });
});
