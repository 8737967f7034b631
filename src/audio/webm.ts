import type { ByteReader } from './byte-reader.ts';
import { createElementReader, type Element, type ElementReader } from './ebml.ts';
import { requireMostOf, type Sound } from './facts.ts';
import { unreadable, unsupported } from './refusal.ts';
import { createBlockClock } from './webm-clock.ts';
import { readAudioTrack, type WebmTrack } from './webm-track.ts';

const EBML = 0x1a45dfa3;
const DOC_TYPE = 0x4282;
const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const TIMESTAMP_SCALE = 0x2ad7b1;
const DURATION = 0x4489;
const TRACKS = 0x1654ae6b;
const CLUSTER = 0x1f43b675;
const DEFAULT_SCALE = 1_000_000;

interface SegmentHead {
  readonly track: WebmTrack;
  /** Nanoseconds of one unit of time. */
  readonly scale: number;
  /** In seconds; null when the writer never came back to fill it in, as browsers do not. */
  readonly duration: number | null;
  readonly firstCluster: number;
}

/** WebM: Matroska (RFC 9559) in EBML (RFC 8794) with the document type `webm`. */
export function readWebm(reader: ByteReader): Sound {
  const elements = createElementReader(reader);
  const head = elements.read(0);
  if (head === null || head.id !== EBML || head.end === null) throw unreadable('The WebM file is corrupt');
  requireWebm(elements, head);
  const segment = elements.read(head.end);
  if (segment === null || segment.id !== SEGMENT) throw unreadable('The WebM file is corrupt');
  const { track, scale, duration, firstCluster } = readSegmentHead(elements, segment);
  if (segment.end !== null) requireMostOf(segment.end, reader.size);
  const clock = createBlockClock(reader, elements, track, scale);
  const seconds =
    duration === null ? clock.secondsFrom(firstCluster) : clock.hasBlocks(firstCluster) ? duration : 0;
  return { codec: track.codec, sampleRate: track.sampleRate, channels: track.channels, seconds };
}

function requireWebm(elements: ElementReader, head: Element): void {
  const docType = elements.children(head).find((child) => child.id === DOC_TYPE);
  const name = docType === undefined ? 'matroska' : elements.text(docType);
  if (name !== 'webm') throw unsupported('This is a Matroska file, not WebM');
}

/** Everything in front of the first cluster. */
function readSegmentHead(elements: ElementReader, segment: Element): SegmentHead {
  let clock: Pick<SegmentHead, 'scale' | 'duration'> = { scale: DEFAULT_SCALE, duration: null };
  let track: WebmTrack | null = null;
  let offset = segment.body;
  let child = elements.read(offset);
  while (child !== null && child.id !== CLUSTER) {
    if (child.id === TRACKS) track = readAudioTrack(elements, child);
    else if (child.id === INFO) clock = readInfo(elements, child);
    if (child.end === null) break;
    offset = child.end;
    child = elements.read(offset);
  }
  if (track === null) throw unreadable('The WebM file does not say what its audio is');
  return { track, ...clock, firstCluster: offset };
}

function readInfo(elements: ElementReader, info: Element): Pick<SegmentHead, 'scale' | 'duration'> {
  let scale = DEFAULT_SCALE;
  let units = 0;
  for (const fact of elements.children(info)) {
    if (fact.id === TIMESTAMP_SCALE) scale = elements.unsigned(fact);
    else if (fact.id === DURATION) units = elements.float(fact);
  }
  return { scale, duration: units > 0 ? (units * scale) / 1e9 : null };
}
