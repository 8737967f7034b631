/** Bytes moved at once: large enough to make the hop to a thread cheap, small enough to have many. */
export const BLOCK = 256 * 1024;
/** Blocks kept for the next user; the rest of a rush is given back to the collector. */
const KEPT_BLOCKS = 16;

const freeBlocks: Buffer[] = [];

/** A block with somebody else's old bytes in it. Whoever takes it gives it back once nobody reads it any more. */
export function takeBlock(): Buffer {
  return freeBlocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK);
}

export function giveBack(block: Buffer): void {
  if (freeBlocks.length < KEPT_BLOCKS) freeBlocks.push(block);
}
