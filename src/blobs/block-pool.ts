/** Bytes moved at once: large enough to make the hop to a thread cheap, small enough to have many. */
export const BLOCK = 256 * 1024;
/**
 * Blocks kept for the next user: those of as many uploads as run at once by default. Blocks that are dropped and
 * made anew wait for the collector, which comes late to what lies outside its heap.
 */
const KEPT_BLOCKS = 32;

const freeBlocks: Buffer[] = [];

/** A block with somebody else's old bytes in it. Whoever takes it gives it back once nobody reads it any more. */
export function takeBlock(): Buffer {
  return freeBlocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK);
}

export function giveBack(block: Buffer): void {
  if (freeBlocks.length < KEPT_BLOCKS) freeBlocks.push(block);
}
