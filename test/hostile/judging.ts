import { expect } from 'vitest';
import type { WireAnswer } from './wire.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** What must never reach a client: our files, our SQL, our stack, the words of the libraries below us. */
const INSIDES =
  /\bat .+:\d+:\d+|node_modules|\/src\/|\b[A-Z]{3,}_[A-Z_]+|ENOENT|EISDIR|[Ss]elect .+ from\b|insert into|syntax error|root:x:0|[Pp]ostgres/;
/** What an input would make of a header if it could write one. */
const INJECTED = /^(set-cookie|x-injected|contenttype|contentlength|refresh|link)$/;

/** Who has to answer: a dialect has its own shape for what it refuses. */
export type Shape = 'envelope' | 'problem' | 'either';

/** The shape in which a refusal of this path comes. */
export function shapeOf(target: string): Shape {
  if (target.startsWith('/api/v1/') || target === '/api/v1') return 'problem';
  return /^\/(api|v3)/i.test(target) || /[%\\.]|^[^/]/.test(target) ? 'either' : 'envelope';
}

/** Holds an answer to hostile input against what every answer must be. */
export function judge({ status, headers, body }: WireAnswer, shape: Shape, method = 'GET'): void {
  // 100 Continue is no answer yet.
  if (status === 100) return;
  expect(status, body.toString()).toBeLessThan(500);
  expect(Object.keys(headers).filter((name) => INJECTED.test(name))).toEqual([]);
  expect(headers['x-request-id']).toMatch(UUID);
  if (status < 400 || method === 'HEAD') return;
  const type = headers['content-type'] ?? '';
  const isProblem = type === 'application/problem+json';
  if (!isProblem) expect(type).toBe('application/json; charset=utf-8');
  if (shape !== 'either') expect(isProblem).toBe(shape === 'problem');
  expect(headers['cache-control']).toBe('no-store');
  expect(body.byteLength).toBeLessThan(100_000);
  const text = body.toString();
  const refusal = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const told = String(isProblem ? refusal['detail'] : refusal['message']);
  expect(told).toMatch(/^[A-Za-z].*[.}]$/s);
  expect(told).not.toMatch(INSIDES);
  expect(isProblem ? refusal['status'] : refusal['code']).toBe(status);
  expect(isProblem ? refusal['traceId'] : refusal['request_id']).toBe(headers['x-request-id']);
}
