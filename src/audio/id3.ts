import type { ByteReader } from './byte-reader.ts';
import { unreadable } from './refusal.ts';

const MAX_TAGS = 16;
const ID3V1_LENGTH = 128;
const APE_FOOTER_LENGTH = 32;

/**
 * Where the file proper begins: behind any ID3v2 tags (ID3v2.4 structure, section 3.1). A tag is jumped over by
 * its declared length, its frames are never looked at.
 */
export function endOfId3v2(reader: ByteReader): number {
  let offset = 0;
  for (let tags = 0; reader.has(offset, 'ID3'); tags++) {
    if (tags === MAX_TAGS || offset + 10 > reader.size) throw unreadable('The file is all tags and no audio');
    const size = reader.u32be(offset + 6);
    if (size & 0x80808080) throw unreadable('The ID3 tag at the start of the file is corrupt');
    const length =
      (size & 0x7f) | ((size & 0x7f00) >> 1) | ((size & 0x7f0000) >> 2) | ((size & 0x7f000000) >> 3);
    const hasFooter = (reader.u8(offset + 5) & 0x10) !== 0;
    offset += 10 + length + (hasFooter ? 10 : 0);
    if (offset >= reader.size)
      throw unreadable('The ID3 tag at the start of the file has no audio behind it');
  }
  return offset;
}

/** Where the audio of a file ends that may carry an ID3v1 and an APEv2 tag behind it. */
export function startOfTrailingTags(reader: ByteReader): number {
  let end = reader.size;
  if (end > ID3V1_LENGTH && reader.has(end - ID3V1_LENGTH, 'TAG')) end -= ID3V1_LENGTH;
  const footer = end - APE_FOOTER_LENGTH;
  if (footer > 0 && reader.has(footer, 'APETAGEX')) {
    const hasHeader = (reader.u32le(footer + 20) & 0x80000000) !== 0;
    const length = reader.u32le(footer + 12) + (hasHeader ? APE_FOOTER_LENGTH : 0);
    if (length < end) end -= length;
  }
  return end;
}
