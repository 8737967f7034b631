import pg from 'pg';
import { expect, test } from 'vitest';
import { catalogueErrorFrom, isSqlState } from '../../src/catalogue/catalogue-error.ts';

/** As pg throws what the server answers to a query. */
function answerOf(code: string): pg.DatabaseError {
  const error = new pg.DatabaseError('as the server says it', 0, 'error');
  return Object.assign(error, { code, severity: 'FATAL' });
}

const ends = [
  ['a connection that failed', '08006'],
  ['a transaction that stood still for too long', '25P03'],
  ['a shutdown', '57P01'],
  ['a start', '57P03'],
] as const;
for (const [what, code] of ends) {
  test(`${what} is a database that is unavailable, and the connection is at its end`, () => {
    expect(catalogueErrorFrom(answerOf(code))).toMatchObject({ code: 'unavailable' });
    expect(isSqlState(answerOf(code))).toBe(false);
  });
}

test('a statement that took too long leaves the connection as it was', () => {
  expect(catalogueErrorFrom(answerOf('57014'))).toMatchObject({ code: 'unavailable' });
  expect(isSqlState(answerOf('57014'))).toBe(true);
});

test('a fault in a statement is nobody’s but ours', () => {
  const error = answerOf('42601');
  expect(catalogueErrorFrom(error)).toBe(error);
});

test('what was taken back for others is outdated, and what nobody knows of is not', () => {
  for (const code of ['40001', '40P01']) {
    expect(catalogueErrorFrom(answerOf(code))).toMatchObject({ code: 'outdated' });
  }
  expect(catalogueErrorFrom(answerOf('40003'))).toMatchObject({ code: 'unavailable' });
});
