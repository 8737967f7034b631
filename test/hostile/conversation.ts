import { expect } from 'vitest';
import type { Group } from './audit.ts';
import { judge } from './judging.ts';
import type { Connection, WireAnswer } from './wire.ts';

/** A request of these lines and no others. */
export const raw = (...lines: readonly string[]) => `${lines.join('\r\n')}\r\n\r\n`;
/** A GET with these header lines. */
export const get = (target: string, ...lines: readonly string[]) =>
  raw(`GET ${target} HTTP/1.1`, 'Host: a', ...lines);

/** Everything that is answered until the other side closes or nothing whole is left; each held against the rules. */
export async function answersOf(connection: Connection): Promise<readonly WireAnswer[]> {
  const answers: WireAnswer[] = [];
  for (;;) {
    const answer = await connection.answer();
    if (answer === undefined) return answers;
    judge(answer, 'either');
    answers.push(answer);
  }
}

/** How long the other side may wait for the rest of an input that has none, ms, until it is told so. */
const PATIENCE = 300;
/** Answered when the other side knows where the input ended; its connection is closed behind it. */
const SENTINEL = get('/healthz', 'Connection: close');

/**
 * Sends bytes and a last request behind them, and reads what comes until the connection ends. Where the other side
 * takes the last request for the rest of the bytes, it is told that nothing more will come.
 */
export async function converse(group: Group, bytes: string | Uint8Array): Promise<readonly WireAnswer[]> {
  const connection = await group.open();
  const waiting = setTimeout(connection.finish, PATIENCE);
  try {
    connection.send(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    connection.send(SENTINEL);
    const answers = await answersOf(connection);
    expect(connection.leftover().toString()).toBe('');
    return answers.at(-1)?.status === 200 ? answers.slice(0, -1) : answers;
  } finally {
    clearTimeout(waiting);
    connection.close();
  }
}
