import { expect, test } from 'vitest';
import { createPortChoice } from '../../src/workers/port-choice.ts';

const at = (port: number) => `http://127.0.0.1:${port}`;

test('who joins those that listen is told what they were told', () => {
  const ports = createPortChoice(0);
  expect([ports.tell(1), ports.tell(2)]).toEqual([0, 0]);
  expect([ports.isRight(1, at(5000)), ports.isRight(2, at(5000))]).toEqual([true, true]);
  ports.leave(1);
  expect(ports.tell(1)).toBe(0);
});

test('when nobody listens any more the port that was found is told', () => {
  const ports = createPortChoice(0);
  ports.tell(1);
  ports.isRight(1, at(5000));
  ports.leave(1);
  expect([ports.tell(1), ports.tell(2)]).toEqual([5000, 5000]);
  ports.isRight(1, at(5000));
  expect(ports.tell(2)).toBe(5000);
});

test('who listens elsewhere is wrong, and nobody is told to join it', () => {
  const ports = createPortChoice(0);
  ports.tell(1);
  ports.isRight(1, at(5000));
  expect(ports.tell(2)).toBe(0);
  ports.leave(1);
  expect(ports.isRight(2, at(6000))).toBe(false);
  expect(ports.tell(1)).toBe(5000);
  expect(ports.isRight(1, at(5000))).toBe(true);
});

test('a configured port is told to all, also one that no url shows', () => {
  const ports = createPortChoice(80);
  expect(ports.tell(1)).toBe(80);
  expect(ports.isRight(1, 'http://127.0.0.1')).toBe(true);
  expect(ports.tell(2)).toBe(80);
  ports.leave(1);
  expect(ports.tell(1)).toBe(80);
});
