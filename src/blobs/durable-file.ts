import { type FileHandle, open, unlink } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { passed } from '../steps.ts';
import { BLOCK, giveBack, takeBlock } from './block-pool.ts';
import { flowInto } from './flow-into.ts';
import { clearAway } from './young-garbage.ts';

/**
 * Writes all of `source` into a new file; its bytes are on the disk when this resolves. At most two blocks are
 * held: one fills while the other is written, and the source waits when both are full. When it rejects, because
 * of the source, of what `look` throws at a chunk, of the signal or the disk, there is no file, and the source is destroyed.
 *
 * Chunks are copied out as they come. Held until the disk has them, they would outlive the collector's young
 * generation, and the memory of a hundred uploads would grow by what no one uses any more.
 */
export async function writeDurably(
  path: string,
  source: Readable,
  signal: AbortSignal,
  look: (chunk: Uint8Array) => void,
): Promise<void> {
  await write(path, source, signal, look, async (file) => {
    await file.sync();
    passed('staged-synced');
  });
}

/** As `writeDurably`, for a file that need not outlive a power cut. */
export async function writeLoosely(
  path: string,
  source: Readable,
  signal: AbortSignal,
  look: (chunk: Uint8Array) => void,
): Promise<void> {
  await write(path, source, signal, look, () => Promise.resolve());
}

async function write(
  path: string,
  source: Readable,
  signal: AbortSignal,
  look: (chunk: Uint8Array) => void,
  finish: (file: FileHandle) => Promise<void>,
): Promise<void> {
  try {
    signal.throwIfAborted();
    const file = await open(path, 'wx');
    passed('staging-opened');
    const writer = createBlockWriter(file);
    try {
      await flowInto(source, signal, (chunk) => {
        look(chunk);
        return writer.take(chunk);
      });
      await writer.flush();
      await finish(file);
    } catch (error) {
      await writer.stop();
      await file.close();
      await unlink(path);
      throw error;
    } finally {
      writer.release();
    }
    await file.close();
  } catch (error) {
    // Its own fault was told; what comes of this has no one to hear it.
    source.on('error', () => undefined).destroy();
    throw error;
  }
}

function createBlockWriter(file: FileHandle) {
  let filling = takeBlock();
  let used = 0;
  /** The block on its way to the disk, or free for the next turn. */
  let other: Buffer | undefined;
  let writing: Promise<void> | undefined;
  let isStopped = false;

  function turn(): void {
    const block = filling;
    const full = block.subarray(0, used);
    filling = other ?? takeBlock();
    other = block;
    clearAway(used);
    used = 0;
    const write = writeWhole(file, full).then(() => {
      writing = undefined;
    });
    writing = write;
    // Awaited before the next turn; until then a failure must not count as unhandled.
    write.catch(() => undefined);
  }

  function take(chunk: Uint8Array): Promise<void> | undefined {
    const part = chunk.subarray(0, BLOCK - used);
    filling.set(part, used);
    used += part.byteLength;
    if (used < BLOCK) return undefined;
    const rest = chunk.subarray(part.byteLength);
    const goOn = () => {
      // The blocks of a file that was given up belong to other uploads soon.
      if (isStopped) throw new Error('the file was given up');
      turn();
      return take(rest);
    };
    return writing === undefined ? goOn() : writing.then(goOn);
  }

  return {
    /** Copies a chunk; a promise where there is no room for more until that resolves. One chunk at a time. */
    take,
    async flush(): Promise<void> {
      await writing;
      if (used > 0) turn();
      await writing;
    },
    /** Takes nothing more; resolves when nothing is being written any more. */
    async stop(): Promise<void> {
      isStopped = true;
      await writing?.catch(() => undefined);
    },
    release(): void {
      giveBack(filling);
      if (other !== undefined) giveBack(other);
    },
  };
}

/** A write may take less than it is given, when a disk fills up or a signal comes between. */
async function writeWhole(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, written);
    written += bytesWritten;
  }
  passed('block-written');
}
