import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createUploadGate,
  type GateLimits,
  type Place,
  type UploadGate,
} from '../../src/http/upload-gate.ts';
import { holds } from '../hostile/properties.ts';

const nobody = new AbortController().signal;

const gateWith = (limits: Partial<GateLimits>) =>
  createUploadGate({
    atOnce: 2,
    atOncePerToken: 2,
    slowAtOnce: 2,
    slowAtOncePerToken: 2,
    waiting: 10,
    waitMs: 60_000,
    ...limits,
  });

const enter = (gate: UploadGate, token: string, signal = nobody) =>
  gate.enter(token, signal, () => undefined);

test('a token that comes anew while its last waiter is refused has no more places than before', async () => {
  const gate = gateWith({ atOncePerToken: 1 });
  const others = [await enter(gate, 'a'), await enter(gate, 'b')];
  const departure = new AbortController();
  const refused = enter(gate, 'c', departure.signal);
  departure.abort(new Error('gone'));
  for (const { leave } of others) leave();

  const { leave } = await enter(gate, 'c');
  await expect(refused).rejects.toThrow('gone');
  let hasWaited = false;
  const second = gate.enter('c', nobody, () => {
    hasWaited = true;
  });
  expect(gate.figures()).toEqual({ running: 1, slow: 0, waiting: 1 });
  leave();
  (await second).leave();
  expect(hasWaited).toBe(true);
  expect(gate.figures()).toEqual({ running: 0, slow: 0, waiting: 0 });
});

describe('an upload that gives way', () => {
  test('lets the next one in, and gives back its new place once', async () => {
    const gate = gateWith({ atOnce: 1 });
    const slow = await enter(gate, 'a');
    const next = enter(gate, 'b');
    expect(slow.giveWay()).toBe(true);
    expect(slow.giveWay()).toBe(true);
    await next;
    expect(gate.figures()).toEqual({ running: 1, slow: 1, waiting: 0 });
    slow.leave();
    slow.leave();
    expect(slow.giveWay()).toBe(false);
    expect(gate.figures()).toEqual({ running: 1, slow: 0, waiting: 0 });
  });

  test('makes room for its own token, too', async () => {
    const gate = gateWith({ atOncePerToken: 1 });
    const slow = await enter(gate, 'a');
    const next = enter(gate, 'a');
    expect(gate.figures()).toEqual({ running: 1, slow: 0, waiting: 1 });
    slow.giveWay();
    (await next).leave();
    expect(gate.figures()).toEqual({ running: 0, slow: 1, waiting: 0 });
  });

  test('stays where it is while there is no place for it, and may ask again', async () => {
    const gate = gateWith({ slowAtOnce: 2, slowAtOncePerToken: 1 });
    const [first, second] = [await enter(gate, 'a'), await enter(gate, 'a')];
    expect(first.giveWay()).toBe(true);
    expect(second.giveWay()).toBe(false);
    expect((await enter(gate, 'b')).giveWay()).toBe(true);
    expect((await enter(gate, 'c')).giveWay()).toBe(false);
    expect(gate.figures()).toEqual({ running: 2, slow: 2, waiting: 0 });
    first.leave();
    expect(second.giveWay()).toBe(true);
    expect(gate.figures()).toEqual({ running: 1, slow: 2, waiting: 0 });
  });

  test('is not forgotten when its token comes anew', async () => {
    const gate = gateWith({ slowAtOncePerToken: 1 });
    const slow = await enter(gate, 'a');
    slow.giveWay();
    (await enter(gate, 'a')).leave();
    const again = await enter(gate, 'a');
    expect(again.giveWay()).toBe(false);
    slow.leave();
    expect(again.giveWay()).toBe(true);
  });

  test('may do so while the service closes, and lets nobody in', async () => {
    const gate = gateWith({ atOnce: 1 });
    const slow = await enter(gate, 'a');
    const waiting = enter(gate, 'b');
    gate.close();
    await expect(waiting).rejects.toThrow('shutting down');
    expect(slow.giveWay()).toBe(true);
    await expect(enter(gate, 'c')).rejects.toThrow('shutting down');
    slow.leave();
    expect(gate.figures()).toEqual({ running: 0, slow: 0, waiting: 0 });
  });
});

interface Visitor {
  readonly token: string;
  readonly departure: AbortController;
  place: Place | undefined;
  isSlow: boolean;
}

test('in whatever order uploads come, give way and leave, the bounds hold and nothing is lost', async () => {
  const steps = fc.array(
    fc.tuple(fc.constantFrom('enter', 'giveWay', 'leave', 'depart'), fc.nat({ max: 30 })),
    { maxLength: 80 },
  );
  await holds(
    fc.asyncProperty(steps, async (orders) => {
      const limits = { atOnce: 3, atOncePerToken: 2, slowAtOnce: 3, slowAtOncePerToken: 2, waiting: 5 };
      const gate = gateWith(limits);
      const inside = new Set<Visitor>();
      const waiting = new Set<Visitor>();
      const pick = (from: ReadonlySet<Visitor>, i: number) => [...from][i % from.size];

      const come = (token: string) => {
        const visitor: Visitor = { token, departure: new AbortController(), place: undefined, isSlow: false };
        waiting.add(visitor);
        enter(gate, token, visitor.departure.signal).then(
          (place) => {
            visitor.place = place;
            waiting.delete(visitor);
            inside.add(visitor);
          },
          () => waiting.delete(visitor),
        );
      };
      const act = (action: string, i: number) => {
        if (action === 'enter') return come('abc'[i % 3] ?? '');
        if (action === 'depart') return pick(waiting, i)?.departure.abort(new Error('gone'));
        const visitor = pick(inside, i);
        if (visitor === undefined) return;
        if (action === 'giveWay') visitor.isSlow = visitor.place?.giveWay() ?? false;
        else {
          visitor.place?.leave();
          inside.delete(visitor);
        }
      };
      const check = () => {
        const count = (isSlow: boolean, token?: string) =>
          [...inside].filter((v) => v.isSlow === isSlow && (token ?? v.token) === v.token).length;
        const [running, slow] = [count(false), count(true)];
        expect(gate.figures()).toEqual({ running, slow, waiting: waiting.size });
        expect(running).toBeLessThanOrEqual(limits.atOnce);
        expect(slow).toBeLessThanOrEqual(limits.slowAtOnce);
        for (const token of 'abc') {
          expect(count(false, token)).toBeLessThanOrEqual(limits.atOncePerToken);
          expect(count(true, token)).toBeLessThanOrEqual(limits.slowAtOncePerToken);
        }
        // Nobody waits for a place that it could have.
        for (const { token } of waiting) {
          const isFull = running === limits.atOnce || count(false, token) === limits.atOncePerToken;
          expect(isFull).toBe(true);
        }
      };

      for (const [action, i] of orders) {
        act(action, i);
        // Lets those who were admitted or refused know.
        await new Promise(setImmediate);
        check();
      }
      for (const { departure } of waiting) departure.abort(new Error('gone'));
      for (const { place } of inside) place?.leave();
      expect(gate.figures()).toEqual({ running: 0, slow: 0, waiting: 0 });
    }),
  );
});
