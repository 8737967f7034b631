import type { ConverterInput } from './converter.ts';

/** By ffmpeg's names of decoders, all that our eight formats can hold. Pictures and films are never decoded. */
const DECODERS = [
  ...['pcm_u8', 'pcm_s16le', 'pcm_s24le', 'pcm_s32le', 'pcm_s64le', 'pcm_f32le', 'pcm_f64le'],
  ...['pcm_mulaw', 'pcm_alaw', 'adpcm_ms', 'adpcm_ima_wav', 'g722', 'g726', 'g723_1', 'g729'],
  ...['gsm_ms', 'libgsm_ms', 'mp3float', 'mp3', 'aac', 'aac_fixed', 'alac', 'flac'],
  ...['opus', 'libopus', 'vorbis', 'libvorbis', 'speex', 'libspeex'],
].join(',');

/** What comes before the inputs of every run. */
export const COMMON_ARGS: readonly string[] = [
  ...['-nostdin', '-hide_banner', '-nostats', '-loglevel', 'info', '-y'],
  ...['-filter_threads', '1', '-filter_complex_threads', '1'],
];

/**
 * Opens a file with one demuxer and from this disk alone. The demuxer is named rather than guessed, so a playlist is
 * not read as one; the white lists hold for whatever a container might want to open from inside.
 */
export function inputArgs({ file, demuxer, options = [] }: ConverterInput): readonly string[] {
  return [
    ...['-threads', '1', '-protocol_whitelist', 'file', '-format_whitelist', demuxer],
    ...['-codec_whitelist', DECODERS, '-f', demuxer, ...options, '-i', `file:${file}`],
  ];
}
