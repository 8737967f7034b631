import type { ByteReader } from './byte-reader.ts';
import type { Box } from './mp4-box.ts';
import { unreadable } from './refusal.ts';

const ES_DESCRIPTOR = 3;
const DECODER_CONFIG = 4;
const SPECIFIC_INFO = 5;
const LONGEST_SPECIFIC_INFO = 512;

/** The DecoderConfigDescriptor of an `esds` box (ISO/IEC 14496-1 sections 7.2.6.5 and 7.2.6.6). */
export function readDecoderConfig(
  reader: ByteReader,
  esds: Box,
): { objectType: number; specificInfo: Buffer } {
  const stream = descriptorAt(reader, esds.body + 4, esds.end);
  if (stream?.tag !== ES_DESCRIPTOR) throw unreadable('The MP4 file does not say what its audio is');
  const config = descriptorAt(reader, stream.body + 3 + optionalFields(reader, stream.body), esds.end);
  if (config?.tag !== DECODER_CONFIG) throw unreadable('The MP4 file does not say what its audio is');
  const objectType = reader.u8(config.body);
  const info = descriptorAt(reader, config.body + 13, esds.end);
  const length = info?.tag === SPECIFIC_INFO ? Math.min(info.end - info.body, LONGEST_SPECIFIC_INFO) : 0;
  return { objectType, specificInfo: Buffer.from(reader.view(info?.body ?? 0, length)) };
}

/** Bytes between the flags of an ES_Descriptor and its first inner descriptor. */
function optionalFields(reader: ByteReader, body: number): number {
  const flags = reader.u8(body + 2);
  const urlLength = flags & 0x40 ? 1 + reader.u8(body + 3 + (flags & 0x80 ? 2 : 0)) : 0;
  return (flags & 0x80 ? 2 : 0) + urlLength + (flags & 0x20 ? 2 : 0);
}

function descriptorAt(reader: ByteReader, offset: number, end: number) {
  if (offset + 2 > end) return null;
  let length = 0;
  let body = offset + 1;
  for (let bytes = 0; bytes < 4; bytes++) {
    const byte = reader.u8(body);
    body += 1;
    length = length * 128 + (byte & 0x7f);
    if (byte < 0x80) break;
  }
  return { tag: reader.u8(offset), body, end: Math.min(body + length, end) };
}
