import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { unreadable } from './refusal.ts';

const SMALL_WINDOW = 4 * 1024;
const LARGE_WINDOW = 256 * 1024;

export type ByteReader = ReturnType<typeof openByteReader>;

/**
 * Random access to a file through one window of at most 256 KiB, whatever the file's size. Reading is
 * synchronous: it belongs into a worker thread, where it costs no hop to the thread pool.
 *
 * The window starts small and doubles while the reading goes on without a gap, so that a walk over scattered
 * headers reads little and a scan reads in large pieces. A number beyond the end of the file is a refusal,
 * never `undefined`. What is wrong with the disk, and not with the bytes, is thrown as Node throws it.
 */
export function openByteReader(path: string) {
  const handle = openSync(path, 'r');
  const { size } = fstatSync(handle);
  const memory = Buffer.allocUnsafeSlow(LARGE_WINDOW);
  let start = 0;
  let end = 0;
  let step = SMALL_WINDOW;

  function load(offset: number, length: number): void {
    const goesOn = offset >= start && offset <= end + SMALL_WINDOW;
    step = goesOn ? Math.min(step * 2, LARGE_WINDOW) : SMALL_WINDOW;
    const wanted = Math.max(step, Math.min(length, LARGE_WINDOW));
    start = offset;
    end = offset;
    while (end - start < wanted) {
      const got = readSync(handle, memory, end - start, wanted - (end - start), end);
      if (got === 0) break;
      end += got;
    }
  }

  /** The place of `length` bytes in the window. */
  function locate(offset: number, length: number): number {
    if (offset < start || offset + length > end) {
      if (!(offset >= 0 && offset + length <= size)) throw endOfFile();
      load(offset, length);
      if (offset + length > end) throw endOfFile();
    }
    return offset - start;
  }

  return {
    size,
    close: () => closeSync(handle),
    /** Bytes at `offset`, at most 256 KiB and fewer at the end of the file; overwritten by the next read. */
    view(offset: number, length: number): Buffer {
      const wanted = Math.max(0, Math.min(length, LARGE_WINDOW, size - offset));
      const at = locate(offset, wanted);
      return memory.subarray(at, at + wanted);
    },
    /** Whether the ASCII `text` stands at `offset`; false beyond the end. */
    has(offset: number, text: string): boolean {
      if (offset + text.length > size) return false;
      const at = locate(offset, text.length);
      return memory.toString('latin1', at, at + text.length) === text;
    },
    /** The place of the next byte of this value in [from, to), or -1. */
    indexOf(value: number, from: number, to: number): number {
      const last = Math.min(to, size);
      for (let offset = from; offset < last; offset = end) {
        const at = locate(offset, 1);
        const found = memory.subarray(at, Math.min(end, last) - start).indexOf(value);
        if (found >= 0) return offset + found;
      }
      return -1;
    },
    ascii(offset: number, length: number): string {
      const at = locate(offset, length);
      return memory.toString('latin1', at, at + length);
    },
    u8: (offset: number) => memory.readUInt8(locate(offset, 1)),
    u16be: (offset: number) => memory.readUInt16BE(locate(offset, 2)),
    u16le: (offset: number) => memory.readUInt16LE(locate(offset, 2)),
    u24be: (offset: number) => memory.readUIntBE(locate(offset, 3), 3),
    u32be: (offset: number) => memory.readUInt32BE(locate(offset, 4)),
    u32le: (offset: number) => memory.readUInt32LE(locate(offset, 4)),
    /** 64 bits as a number: exact up to 2^53, which no offset of a real file passes. */
    u64be: (offset: number) => Number(memory.readBigUInt64BE(locate(offset, 8))),
    u64le: (offset: number) => Number(memory.readBigUInt64LE(locate(offset, 8))),
    i64be: (offset: number) => Number(memory.readBigInt64BE(locate(offset, 8))),
    i64le: (offset: number) => Number(memory.readBigInt64LE(locate(offset, 8))),
    i32be: (offset: number) => memory.readInt32BE(locate(offset, 4)),
    f32be: (offset: number) => memory.readFloatBE(locate(offset, 4)),
    f64be: (offset: number) => memory.readDoubleBE(locate(offset, 8)),
  };
}

function endOfFile() {
  return unreadable('The file ends in the middle of its header');
}
