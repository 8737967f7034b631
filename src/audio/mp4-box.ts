import type { ByteReader } from './byte-reader.ts';
import { unreadable } from './refusal.ts';

/** A box (ISO/IEC 14496-12 section 4.2): `body` to `end` are offsets in the file. */
export interface Box {
  readonly type: string;
  readonly body: number;
  readonly end: number;
  /** Whether it claims more than there is; `end` is then where there is no more. */
  readonly isCut: boolean;
}

const MAX_BOXES = 1_000_000;
const MAX_CHILDREN = 1000;
const HEADER_BYTES = 8;
const LONG_HEADER_BYTES = 16;

export type BoxReader = ReturnType<typeof createBoxReader>;

/** Counts the boxes read, so that a file of nothing but empty ones comes to an end. */
export function createBoxReader(reader: ByteReader) {
  let boxes = 0;

  /** The boxes between two offsets, in order, ending where something stands that can be none. */
  function* walk(from: number, to: number): Generator<Box> {
    let offset = from;
    while (offset + HEADER_BYTES <= to) {
      boxes += 1;
      if (boxes > MAX_BOXES) throw unreadable('The MP4 file has too many boxes');
      const box = boxAt(offset, to);
      if (box === null) return;
      yield box;
      offset = box.end;
    }
  }

  function boxAt(offset: number, to: number): Box | null {
    const type = reader.ascii(offset + 4, 4);
    const size = reader.u32be(offset);
    if (size === 0) return { type, body: offset + HEADER_BYTES, end: to, isCut: false };
    const isLong = size === 1 && offset + LONG_HEADER_BYTES <= to;
    const header = isLong ? LONG_HEADER_BYTES : HEADER_BYTES;
    const length = isLong ? reader.u64be(offset + HEADER_BYTES) : size;
    if (length < header) return null;
    const end = offset + length;
    return { type, body: offset + header, end: Math.min(end, to), isCut: end > to };
  }

  /** The first child of each type, none behind the thousandth; for those that repeat there is `walk`. */
  function children(parent: Box | undefined): ReadonlyMap<string, Box> {
    const found = new Map<string, Box>();
    if (parent === undefined) return found;
    let seen = 0;
    for (const child of walk(parent.body, parent.end)) {
      if (!found.has(child.type)) found.set(child.type, child);
      seen += 1;
      if (seen === MAX_CHILDREN) break;
    }
    return found;
  }

  return { walk, children };
}
