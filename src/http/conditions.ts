import type { IncomingHttpHeaders } from 'node:http';
import { type ByteRange, parseByteRanges } from './byte-ranges.ts';

/** What a file says of itself. */
export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string;
  /** Epoch ms. */
  readonly modifiedAt: number;
  /** Bytes. */
  readonly size: number;
}

/** How a GET or HEAD is to be answered. */
export type Verdict =
  | { readonly kind: 'whole' | 'not-modified' | 'precondition-failed' | 'unsatisfiable' }
  | { readonly kind: 'ranges'; readonly ranges: readonly ByteRange[] };

/**
 * Weighs the conditions of a GET or HEAD in the order of RFC 9110, 13.2.2: If-Match or else If-Unmodified-Since,
 * then If-None-Match or else If-Modified-Since, then Range under If-Range.
 */
export function weigh(method: string, headers: IncomingHttpHeaders, file: Validators): Verdict {
  if (!mayProceed(headers, file)) return { kind: 'precondition-failed' };
  if (isFresh(headers, file)) return { kind: 'not-modified' };
  const { range } = headers;
  // Range is defined for GET alone (RFC 9110, 14.2).
  if (method !== 'GET' || range === undefined || !ifRangeHolds(headers, file)) return { kind: 'whole' };
  const ranges = parseByteRanges(range, file.size);
  if (ranges === undefined) return { kind: 'whole' };
  return ranges === 'unsatisfiable' ? { kind: 'unsatisfiable' } : { kind: 'ranges', ranges };
}

/** Does the request set no condition at all? Then nothing but its range tells what is answered. */
export function isUnconditional(headers: IncomingHttpHeaders): boolean {
  return (
    headers['if-match'] === undefined &&
    headers['if-none-match'] === undefined &&
    headers['if-modified-since'] === undefined &&
    headers['if-unmodified-since'] === undefined &&
    headers['if-range'] === undefined
  );
}

function mayProceed(headers: IncomingHttpHeaders, file: Validators): boolean {
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined) return lists(ifMatch, file.etag, 'strong');
  const since = dateOf(headers['if-unmodified-since']);
  return since === undefined || seconds(file.modifiedAt) <= seconds(since);
}

function isFresh(headers: IncomingHttpHeaders, file: Validators): boolean {
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) return lists(ifNoneMatch, file.etag, 'weak');
  const since = dateOf(headers['if-modified-since']);
  return since !== undefined && seconds(file.modifiedAt) <= seconds(since);
}

/** An ETag must match strongly; a date must be the very Last-Modified (RFC 9110, 13.1.5). */
function ifRangeHolds(headers: IncomingHttpHeaders, file: Validators): boolean {
  const ifRange = headers['if-range'];
  if (ifRange === undefined) return true;
  const validator = (Array.isArray(ifRange) ? ifRange.join(', ') : ifRange).trim();
  if (/^(W\/)?"/.test(validator)) return validator === file.etag;
  const date = dateOf(validator);
  return date !== undefined && seconds(date) === seconds(file.modifiedAt);
}

/** Does a list of entity tags, or `*`, name this one? The strong comparison knows no weak tags. */
function lists(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  // What most clients send, and enough to see.
  if (header === etag) return true;
  if (header.trim() === '*') return true;
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((tag) => tag === etag || (comparison === 'weak' && tag === `W/${etag}`));
}

/** The three forms of RFC 9110, 5.6.7; the last is in UTC without saying so. */
const IMF_FIXDATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;
const RFC_850 = /^[A-Z][a-z]+day, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT$/;
const ASCTIME = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/;

/** Epoch ms; undefined for what is no HTTP date, which is to be ignored. */
function dateOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const date = ASCTIME.test(text) ? `${text} GMT` : text;
  if (date === text && !IMF_FIXDATE.test(text) && !RFC_850.test(text)) return undefined;
  const time = Date.parse(date);
  return Number.isNaN(time) ? undefined : time;
}

/** HTTP dates know no fractions. */
const seconds = (time: number) => Math.floor(time / 1000);
