import type { ByteReader } from './byte-reader.ts';
import type { Element, ElementReader } from './ebml.ts';
import { opusPacketSeconds } from './opus-packet.ts';
import type { WebmTrack } from './webm-track.ts';

const CLUSTER = 0x1f43b675;
const TIMESTAMP = 0xe7;
const SIMPLE_BLOCK = 0xa3;
const BLOCK_GROUP = 0xa0;
const BLOCK = 0xa1;
const BLOCK_DURATION = 0x9b;

/** A block of the wanted track: its times in seconds. */
interface TimedBlock {
  readonly begin: number;
  readonly seconds: number;
}

/** Tells the time from the blocks of one track, for files that do not tell their duration. */
export function createBlockClock(
  reader: ByteReader,
  elements: ElementReader,
  track: WebmTrack,
  scale: number,
) {
  const unit = scale / 1e9;

  /**
   * The blocks from `offset` on, in order. A cluster is entered, not jumped over: live writers leave its
   * length open, and then it ends where something begins that is no child of a cluster.
   */
  function* blocks(offset: number): Generator<TimedBlock> {
    let time = 0;
    let element = elements.read(offset);
    while (element !== null) {
      if (element.id === TIMESTAMP) time = elements.unsigned(element) * unit;
      const block = timedBlock(element, time);
      if (block !== null) yield block;
      const isEntered = element.id === CLUSTER || element.id === BLOCK_GROUP;
      const next: number | null = isEntered ? element.body : element.end;
      element = next === null ? null : elements.read(next);
    }
  }

  function timedBlock(element: Element, clusterTime: number): TimedBlock | null {
    const isBlock = element.id === SIMPLE_BLOCK || element.id === BLOCK;
    if (!isBlock || element.end === null || element.end > reader.size) return null;
    const numberLength = Math.clz32(reader.u8(element.body)) - 23;
    const number = reader.u8(element.body) & (0xff >> numberLength);
    const data = element.body + numberLength + 3;
    if (numberLength !== 1 || number !== track.number || data + 2 > element.end) return null;
    const relative = (reader.u16be(data - 3) << 16) >> 16;
    return { begin: clusterTime + relative * unit, seconds: secondsOf(element, data) };
  }

  function secondsOf(block: Element, data: number): number {
    if (block.id === BLOCK && block.end !== null) {
      const next = elements.read(block.end);
      if (next?.id === BLOCK_DURATION) return elements.unsigned(next) * unit;
    }
    if (track.codec === 'opus') return opusPacketSeconds(reader.u8(data), reader.u8(data + 1));
    return (track.defaultDuration ?? 0) / 1e9;
  }

  return {
    /** From the start of the first block to the end of the last. */
    secondsFrom(offset: number): number {
      let begin = Number.POSITIVE_INFINITY;
      let end = 0;
      for (const block of blocks(offset)) {
        begin = Math.min(begin, block.begin);
        end = Math.max(end, block.begin + block.seconds);
      }
      return Math.max(0, end - begin);
    },
    hasBlocks: (offset: number) => !blocks(offset).next().done,
  };
}
