import type { ByteReader } from './byte-reader.ts';
import { unreadable } from './refusal.ts';

/** An element (RFC 8794 section 6): `end` is null when its length was not known to the writer. */
export interface Element {
  readonly id: number;
  readonly body: number;
  readonly end: number | null;
}

const MAX_ELEMENTS = 4_000_000;

/** Counts the elements read, so that a file of nothing but empty ones comes to an end. */
export function createElementReader(reader: ByteReader) {
  let elements = 0;

  /** The element at `offset`, null where none can begin. */
  function read(offset: number): Element | null {
    elements += 1;
    if (elements > MAX_ELEMENTS) throw unreadable('The WebM file has too many elements');
    if (offset + 2 > reader.size) return null;
    const idLength = Math.clz32(reader.u8(offset)) - 23;
    if (idLength > 4 || offset + idLength >= reader.size) return null;
    const id = readUnsigned(reader, offset, idLength);
    const sizeAt = offset + idLength;
    const sizeLength = Math.clz32(reader.u8(sizeAt)) - 23;
    if (sizeLength > 8 || sizeAt + sizeLength > reader.size) return null;
    const size = readUnsigned(reader, sizeAt, sizeLength, 0xff >> sizeLength);
    const body = sizeAt + sizeLength;
    return { id, body, end: size >= 2 ** (7 * sizeLength) - 1 ? null : body + size };
  }

  /** The children of an element that has an end. */
  function children(parent: Element): Element[] {
    const MAX_CHILDREN = 10_000;
    const end = Math.min(parent.end ?? reader.size, reader.size);
    const found: Element[] = [];
    let offset = parent.body;
    while (offset < end && found.length < MAX_CHILDREN) {
      const child = read(offset);
      if (child === null || child.end === null) break;
      found.push(child);
      offset = child.end;
    }
    return found;
  }

  return {
    read,
    children,
    unsigned: (element: Element) => readUnsigned(reader, element.body, Math.min(8, lengthOf(element))),
    float(element: Element): number {
      const length = lengthOf(element);
      if (length === 4) return reader.f32be(element.body);
      return length === 8 ? reader.f64be(element.body) : 0;
    },
    text(element: Element): string {
      return reader.ascii(element.body, Math.min(64, lengthOf(element))).replace(/\0.*$/s, '');
    },
  };
}

export type ElementReader = ReturnType<typeof createElementReader>;

function lengthOf(element: Element): number {
  return (element.end ?? element.body) - element.body;
}

/**
 * A big-endian number, of whose first byte only the masked bits count. As a double it is exact up to 2^53, which
 * no length or time in a real file passes.
 */
function readUnsigned(reader: ByteReader, offset: number, length: number, mask = 0xff): number {
  let value = length > 0 ? reader.u8(offset) & mask : 0;
  for (let i = 1; i < length; i++) value = value * 256 + reader.u8(offset + i);
  return value;
}
