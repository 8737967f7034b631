import { type FileHandle, open, unlink } from 'node:fs/promises';
import { passed } from '../steps.ts';
import { BLOCK, giveBack, takeBlock } from './block-pool.ts';
import { clearAway } from './young-garbage.ts';

/**
 * Writes all of `source` into a new file; its bytes are on the disk when this resolves. At most two blocks are
 * held: one fills while the other is written, and the source waits when both are full. When it rejects, because
 * of the source, the signal or the disk, there is no file; the source is the caller's to destroy.
 *
 * Chunks are copied out as they come. Held until the disk has them, they would outlive the collector's young
 * generation, and the memory of a hundred uploads would grow by what no one uses any more.
 */
export async function writeDurably(
  path: string,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const file = await open(path, 'wx');
  passed('staging-opened');
  const writer = createBlockWriter(file);
  try {
    await unlessAborted(signal, async () => {
      for await (const chunk of source) await writer.take(chunk);
    });
    await writer.flush();
    await file.sync();
    passed('staged-synced');
  } catch (error) {
    await writer.stop();
    await file.close();
    await unlink(path);
    throw error;
  } finally {
    writer.release();
  }
  await file.close();
}

function createBlockWriter(file: FileHandle) {
  let filling = takeBlock();
  let used = 0;
  /** The block on its way to the disk, or free for the next turn. */
  let other: Buffer | undefined;
  let writing = Promise.resolve();
  let isStopped = false;

  /** A source that was let down may still deliver; its blocks belong to other uploads by then. */
  function assertRunning(): void {
    if (isStopped) throw new Error('the file was given up');
  }

  async function turn(): Promise<void> {
    await writing;
    assertRunning();
    const block = filling;
    const full = block.subarray(0, used);
    filling = other ?? takeBlock();
    other = block;
    clearAway(used);
    used = 0;
    writing = writeWhole(file, full);
    // Awaited at the next turn; until then a failure must not count as unhandled.
    writing.catch(() => undefined);
  }

  return {
    async take(chunk: Uint8Array): Promise<void> {
      assertRunning();
      for (let offset = 0; offset < chunk.byteLength; ) {
        const part = chunk.subarray(offset, offset + BLOCK - used);
        filling.set(part, used);
        used += part.byteLength;
        offset += part.byteLength;
        if (used === BLOCK) await turn();
      }
    },
    async flush(): Promise<void> {
      if (used > 0) await turn();
      await writing;
    },
    /** Takes nothing more; resolves when nothing is being written any more. */
    async stop(): Promise<void> {
      isStopped = true;
      await writing.catch(() => undefined);
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

/**
 * Settles as `work` does, or rejects at once when the signal fires; `work` may then still be waiting for a
 * chunk. One race for the whole of it: one for each chunk would hold every chunk until the last.
 */
async function unlessAborted(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([work(), aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
