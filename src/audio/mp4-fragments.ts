import type { ByteReader } from './byte-reader.ts';
import type { Box, BoxReader } from './mp4-box.ts';

const BASE_DATA_OFFSET = 0x1;
const DESCRIPTION_INDEX = 0x2;
const DEFAULT_DURATION = 0x8;
const DEFAULT_SIZE = 0x10;
const DATA_OFFSET = 0x1;
const FIRST_SAMPLE_FLAGS = 0x4;
const SAMPLE_DURATION = 0x100;
const SAMPLE_SIZE = 0x200;
const SAMPLE_FLAGS = 0x400;
const SAMPLE_TIME_OFFSET = 0x800;
const HEADER_FIELDS = [
  [DATA_OFFSET, 4],
  [FIRST_SAMPLE_FLAGS, 4],
] as const;
const SAMPLE_FIELDS = [
  [SAMPLE_DURATION, 4],
  [SAMPLE_SIZE, 4],
  [SAMPLE_FLAGS, 4],
  [SAMPLE_TIME_OFFSET, 4],
] as const;

export type FragmentClock = ReturnType<typeof createFragmentClock>;

/** What holds for every sample of which a run does not say otherwise. */
interface Defaults {
  readonly duration: number;
  readonly size: number;
}

/** Adds up the fragments of one track (ISO/IEC 14496-12 section 8.8), times in units of the track's time. */
export function createFragmentClock(reader: ByteReader, boxes: BoxReader, trackId: number, mvex: Box) {
  const trackDefaults = readTrackDefaults();
  let begin: number | null = null;
  let end = 0;
  let bytes = 0;

  function readTrackDefaults(): Defaults {
    for (const box of boxes.walk(mvex.body, mvex.end)) {
      if (box.type !== 'trex' || reader.u32be(box.body + 4) !== trackId) continue;
      return { duration: reader.u32be(box.body + 12), size: reader.u32be(box.body + 16) };
    }
    return { duration: 0, size: 0 };
  }

  function addTrackFragment(traf: Box): void {
    const tfhd = boxes.children(traf).get('tfhd');
    if (tfhd === undefined || reader.u32be(tfhd.body + 4) !== trackId) return;
    const defaults = readFragmentDefaults(tfhd);
    for (const box of boxes.walk(traf.body, traf.end)) {
      if (box.type === 'tfdt') end = timeOf(box);
      else if (box.type === 'trun') addRun(box, defaults);
    }
  }

  function timeOf(tfdt: Box): number {
    const isLong = reader.u8(tfdt.body) === 1;
    return isLong ? reader.u64be(tfdt.body + 4) : reader.u32be(tfdt.body + 4);
  }

  function readFragmentDefaults(tfhd: Box): Defaults {
    const flags = reader.u24be(tfhd.body + 1);
    const offset =
      tfhd.body +
      8 +
      lengthOfFields(flags, [
        [BASE_DATA_OFFSET, 8],
        [DESCRIPTION_INDEX, 4],
      ]);
    const sizeOffset = offset + lengthOfFields(flags, [[DEFAULT_DURATION, 4]]);
    return {
      duration: flags & DEFAULT_DURATION ? reader.u32be(offset) : trackDefaults.duration,
      size: flags & DEFAULT_SIZE ? reader.u32be(sizeOffset) : trackDefaults.size,
    };
  }

  function addRun(trun: Box, defaults: Defaults): void {
    const run = readRun(reader, trun);
    begin ??= end;
    end += run.sumOf(SAMPLE_DURATION) ?? run.samples * defaults.duration;
    bytes += run.sumOf(SAMPLE_SIZE) ?? run.samples * defaults.size;
  }

  return {
    add(moof: Box): void {
      for (const box of boxes.walk(moof.body, moof.end)) {
        if (box.type === 'traf') addTrackFragment(box);
      }
    },
    duration: () => end - (begin ?? end),
    /** What all samples together should take. */
    bytes: () => bytes,
  };
}

/** A `trun` box: samples that follow each other. */
function readRun(reader: ByteReader, trun: Box) {
  const flags = reader.u24be(trun.body + 1);
  const declared = reader.u32be(trun.body + 4);
  const first = trun.body + 8 + lengthOfFields(flags, HEADER_FIELDS);
  const entryBytes = lengthOfFields(flags, SAMPLE_FIELDS);
  const room = Math.max(0, Math.floor((trun.end - first) / entryBytes));
  const samples = entryBytes === 0 ? declared : Math.min(declared, room);
  return {
    samples,
    /** The sum of one field over all samples; null when the run leaves that to the defaults. */
    sumOf(field: typeof SAMPLE_DURATION | typeof SAMPLE_SIZE): number | null {
      if ((flags & field) === 0) return null;
      const offset = field === SAMPLE_SIZE && flags & SAMPLE_DURATION ? first + 4 : first;
      let sum = 0;
      for (let i = 0; i < samples; i++) sum += reader.u32be(offset + i * entryBytes);
      return sum;
    },
  };
}

/** The length of those optional fields whose flag is set. */
function lengthOfFields(flags: number, fields: readonly (readonly [flag: number, bytes: number])[]): number {
  let length = 0;
  for (const [flag, bytes] of fields) length += flags & flag ? bytes : 0;
  return length;
}
