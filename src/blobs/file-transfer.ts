import type { FileHandle } from 'node:fs/promises';
import { BlobError, type ByteSink } from './blob-store.ts';
import { BLOCK, giveBack, takeBlock } from './block-pool.ts';

/** The first read of a transfer: enough for most players to begin, little to hold for one that stalls at once. */
const FIRST_READ = 64 * 1024;

/**
 * Reads a file from `start` up to `end` through one pooled block and hands it on piece by piece. A reader that
 * stalls holds that one block.
 */
export async function transferBlocks(
  file: FileHandle,
  start: number,
  end: number,
  sink: ByteSink,
): Promise<void> {
  const block = takeBlock();
  let length = FIRST_READ;
  for (let position = start; position < end; ) {
    const { bytesRead } = await file.read(block, 0, Math.min(length, end - position), position);
    if (bytesRead === 0) throw new BlobError('unavailable', 'The blob ends before its end.');
    await sink(block.subarray(0, bytesRead));
    position += bytesRead;
    length = BLOCK;
  }
  // Not after a failure: the sink may still be at work on the block, which is left to the collector then.
  giveBack(block);
}
