import type { ByteReader } from './byte-reader.ts';
import { requireMostOf, type Sound } from './facts.ts';
import { parseMp3Frame } from './mp3.ts';
import { type Box, type BoxReader, createBoxReader } from './mp4-box.ts';
import { createFragmentClock, type FragmentClock } from './mp4-fragments.ts';
import { readSoundEntry, type SoundEntry } from './mp4-sample-entry.ts';
import { readTrack, type Track } from './mp4-track.ts';
import { unreadable, unsupported } from './refusal.ts';

/** Apple's brands of files that hold sound only: plain, audio book, protected. */
const M4A_BRANDS = new Set(['M4A ', 'M4B ', 'M4P ']);
const QUICKTIME_BRAND = 'qt  ';
const MAX_TRACKS = 100;

interface Movie {
  /** Units of the movie's time in a second. */
  readonly timescale: number;
  /** The first track with sound. */
  readonly track: Track;
  readonly hasPicture: boolean;
  /** Null when all of the movie is described in one place. */
  readonly fragments: FragmentClock | null;
}

/** The ISO base media file format (ISO/IEC 14496-12), whole or fragmented: its first audio track. */
export function readMp4(reader: ByteReader): { container: 'mp4' | 'm4a'; sound: Sound } {
  const boxes = createBoxReader(reader);
  const brand = reader.ascii(8, 4);
  if (brand === QUICKTIME_BRAND) throw unsupported('This is a QuickTime movie, not MP4 or M4A');
  let movie: Movie | null = null;
  let dataBytes = 0;
  for (const box of boxes.walk(0, reader.size)) {
    if (box.type === 'moov') movie ??= readMovie(reader, boxes, box);
    else if (box.type === 'moof') movie?.fragments?.add(box);
    else if (box.type === 'mdat') dataBytes += box.end - box.body;
    if (movie !== null && movie.fragments === null) break;
  }
  if (movie === null) throw unreadable('The MP4 file has no index of its audio');
  if (movie.fragments !== null) requireMostOf(movie.fragments.bytes(), dataBytes);
  const entry = describe(reader, boxes, movie.track);
  const container = M4A_BRANDS.has(brand) && !movie.hasPicture ? 'm4a' : 'mp4';
  return { container, sound: { ...entry, seconds: secondsOf(movie) } };
}

function readMovie(reader: ByteReader, boxes: BoxReader, moov: Box): Movie {
  if (moov.isCut) throw unreadable('The MP4 file is cut off in the index of its audio');
  const tracks: Track[] = [];
  let timescale = 0;
  let mvex: Box | null = null;
  for (const box of boxes.walk(moov.body, moov.end)) {
    if (box.type === 'mvhd') timescale = reader.u32be(box.body + (reader.u8(box.body) === 1 ? 20 : 12));
    else if (box.type === 'mvex') mvex = box;
    else if (box.type === 'trak' && tracks.length < MAX_TRACKS) tracks.push(readTrack(reader, boxes, box));
  }
  const track = tracks.find(({ handler }) => handler === 'soun');
  if (track === undefined) throw unsupported('This MP4 file has no sound');
  const hasPicture = tracks.some(({ handler }) => handler === 'vide');
  const fragments = mvex === null ? null : createFragmentClock(reader, boxes, track.id, mvex);
  return { timescale, track, hasPicture, fragments };
}

/** What the track holds, once it is clear that its bytes are there. */
function describe(reader: ByteReader, boxes: BoxReader, track: Track): SoundEntry {
  if (track.stsd === undefined || track.timescale === 0) {
    throw unreadable('The MP4 file does not say what its audio is');
  }
  const entry = readSoundEntry(reader, boxes, track.stsd);
  const offset = track.firstSampleOffset;
  if (offset === null) return entry;
  requireMostOf(track.sampleBytes, reader.size - offset);
  const frame = entry.codec === 'mp3' && offset + 4 <= reader.size ? parseMp3Frame(reader, offset) : null;
  return frame === null ? entry : { codec: 'mp3', sampleRate: frame.sampleRate, channels: frame.channels };
}

/** The edit list where it tells, else all of the media behind the point where the first edit begins. */
function secondsOf({ timescale, track, fragments }: Movie): number {
  const inFragments = fragments?.duration() ?? 0;
  const media = (track.mediaDuration + inFragments) / track.timescale;
  if (track.edits === null) return media;
  const trimmed = media - track.edits.mediaTime / track.timescale;
  return track.edits.duration > 0 && inFragments === 0 ? track.edits.duration / timescale : trimmed;
}
