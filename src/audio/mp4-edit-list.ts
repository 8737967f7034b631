import type { ByteReader } from './byte-reader.ts';
import type { Box } from './mp4-box.ts';

/** What of the media is played, so that what the encoder put in front and behind is not (14496-12 section 8.6.6). */
export interface EditList {
  /** In units of the movie's time; 0 when the list leaves it open. */
  readonly duration: number;
  /** Where the first edit begins, in units of the track's time. */
  readonly mediaTime: number;
}

const MAX_EDITS = 10_000;

/** Null for a list of nothing but empty edits. */
export function readEditList(reader: ByteReader, elst: Box): EditList | null {
  const isLong = reader.u8(elst.body) === 1;
  const entryBytes = isLong ? 20 : 12;
  const room = Math.floor((elst.end - elst.body - 8) / entryBytes);
  const entries = Math.min(reader.u32be(elst.body + 4), room, MAX_EDITS);
  let duration = 0;
  let firstTime: number | null = null;
  for (let i = 0; i < entries; i++) {
    const entry = elst.body + 8 + i * entryBytes;
    const mediaTime = isLong ? reader.i64be(entry + 8) : reader.i32be(entry + 4);
    if (mediaTime < 0) continue;
    duration += isLong ? reader.u64be(entry) : reader.u32be(entry);
    firstTime ??= mediaTime;
  }
  return firstTime === null ? null : { duration, mediaTime: firstTime };
}
