import { fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** The part of Emscripten's file system that is used here. Its own files are in memory; ours replace what they do. */
export interface CoreFileSystem {
  writeFile(path: string, content: string): void;
  lookupPath(path: string): { readonly node: CoreNode };
  readonly ErrnoError: new (errno: number) => Error;
}

interface CoreNode {
  usedBytes: number;
  mode: number;
  timestamp: number;
  stream_ops: object;
  node_ops: object;
}

/** As WASI numbers them. */
const EACCES = 2;
const EFBIG = 22;
const EIO = 29;
const ENOSPC = 51;

/** Lets the core read a file of the disk under its name, piece by piece, so that it takes no memory. */
export function lendInput(fs: CoreFileSystem, folder: string, name: string): void {
  const file = openSync(join(folder, name), 'r');
  const { size } = fstatSync(file);
  replace(fs, name, {
    size: () => size,
    resize() {
      throw new fs.ErrnoError(EACCES);
    },
    read: (into, offset, length, position) => readSync(file, into, offset, length, position),
    write() {
      throw new fs.ErrnoError(EACCES);
    },
  });
}

/** Lets the core write a file of the disk under its name, up to a bound. */
export function lendOutput(fs: CoreFileSystem, folder: string, name: string, maxBytes: number): void {
  const file = openSync(join(folder, name), 'w+', 0o600);
  let size = 0;
  replace(fs, name, {
    size: () => size,
    resize(bytes) {
      ftruncateSync(file, bytes);
      size = bytes;
    },
    read: (into, offset, length, position) => readSync(file, into, offset, length, position),
    write(from, offset, length, position) {
      if (position + length > maxBytes) throw new fs.ErrnoError(EFBIG);
      const written = writeOrFail(fs, file, from.subarray(offset, offset + length), position);
      size = Math.max(size, position + written);
      return written;
    },
  });
}

function writeOrFail(fs: CoreFileSystem, file: number, bytes: Uint8Array, position: number): number {
  try {
    return writeSync(file, bytes, 0, bytes.length, position);
  } catch (error) {
    throw new fs.ErrnoError(
      error instanceof Error && 'code' in error && error.code === 'ENOSPC' ? ENOSPC : EIO,
    );
  }
}

interface LentFile {
  size(): number;
  resize(bytes: number): void;
  read(into: Uint8Array, offset: number, length: number, position: number): number;
  write(from: Uint8Array, offset: number, length: number, position: number): number;
}

/** Emscripten's own lazy files are made in the same way. */
function replace(fs: CoreFileSystem, name: string, file: LentFile): void {
  fs.writeFile(name, '');
  const { node } = fs.lookupPath(name);
  Object.defineProperty(node, 'usedBytes', { get: file.size });
  node.stream_ops = {
    ...node.stream_ops,
    read: (_stream: unknown, ...rest: Parameters<LentFile['read']>) => file.read(...rest),
    write: (_stream: unknown, ...rest: Parameters<LentFile['write']>) => file.write(...rest),
  };
  node.node_ops = {
    ...node.node_ops,
    setattr(_node: unknown, change: { mode?: number; timestamp?: number; size?: number }) {
      if (change.mode !== undefined) node.mode = change.mode;
      if (change.timestamp !== undefined) node.timestamp = change.timestamp;
      if (change.size !== undefined) file.resize(change.size);
    },
  };
}
