import { type RawBuilder, sql } from 'kysely';
import pg from 'pg';

const INT8 = 20;
const TIMESTAMPTZ = 1184;

/** bigint arrives as a number (our ids stay below 2^53), timestamptz as ISO text, and all else as pg has it. */
export function typeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === INT8) return Number;
  if (oid === TIMESTAMPTZ) return instant;
  return pg.types.getTypeParser(oid, format === 'binary' ? 'text' : format);
}

/**
 * A moment of whole milliseconds as the JSON of what `instant` makes of it, whatever the session's time zone. With a
 * microsecond more it has all its digits, of which some are cut off: `to_char` takes twice as long.
 */
export const instantAsJson = (moment: RawBuilder<unknown>): RawBuilder<string> =>
  sql`(left(to_json(${moment} at time zone interval '0' + interval '1 microsecond')::text, 24) || 'Z"')`;

/** A moment as PostgreSQL says it in a column. In UTC, the common case, it is cut and padded. */
function instant(text: string): string {
  const [, seconds, fraction = ''] = /^(.{19})\.?(\d*)\+00(?::00)?$/.exec(text) ?? [];
  if (seconds === undefined) return new Date(text).toISOString();
  return `${seconds.replace(' ', 'T')}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
}
