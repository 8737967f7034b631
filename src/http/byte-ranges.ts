/** A stretch of bytes, `end` not included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Asking for more stretches than this is no player but an attack: such a header is ignored (RFC 9110, 14.2). */
const MAX_RANGES = 10;
const RANGES = /^bytes=(.*)$/i;
const FROM_TO = /^(\d{1,16})-(\d{0,16})$/;
const SUFFIX = /^-(\d{1,16})$/;

/**
 * What a Range header asks of a file of `size` bytes (RFC 9110, 14.1 and 14.2): the stretches that can be
 * satisfied, in the order asked for; `unsatisfiable` when there is none; undefined when the header is to be
 * ignored, because it is malformed, in another unit, or asks for too many or overlapping stretches.
 */
export function parseByteRanges(
  header: string,
  size: number,
): readonly ByteRange[] | 'unsatisfiable' | undefined {
  const specs = RANGES.exec(header.trim())?.[1]?.split(',') ?? [];
  const ranges: ByteRange[] = [];
  let given = 0;
  for (const padded of specs) {
    const spec = padded.trim();
    // An empty element of a list is allowed and means nothing (RFC 9110, 5.6.1).
    if (spec === '') continue;
    given += 1;
    const range = rangeOf(spec, size);
    if (range === undefined || given > MAX_RANGES) return undefined;
    if (range.start < range.end) ranges.push(range);
  }
  if (given === 0) return undefined;
  if (ranges.length === 0) return 'unsatisfiable';
  return overlap(ranges) ? undefined : ranges;
}

/** An empty stretch for one beyond the end; undefined for a malformed one. */
function rangeOf(spec: string, size: number): ByteRange | undefined {
  const suffix = SUFFIX.exec(spec)?.[1];
  if (suffix !== undefined) return { start: Math.max(0, size - Number(suffix)), end: size };
  const [, first, last] = FROM_TO.exec(spec) ?? [];
  if (first === undefined || last === undefined) return undefined;
  const start = Number(first);
  if (last === '') return { start: Math.min(start, size), end: size };
  if (Number(last) < start) return undefined;
  return { start: Math.min(start, size), end: Math.min(Number(last) + 1, size) };
}

function overlap(ranges: readonly ByteRange[]): boolean {
  if (ranges.length === 1) return false;
  const ordered = ranges.toSorted((a, b) => a.start - b.start);
  return ordered.some((range, i) => range.start < (ordered[i - 1]?.end ?? 0));
}
