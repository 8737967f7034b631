/** Samples at 48 kHz in frames of the configurations of one mode (RFC 6716 table 2). */
const SILK = [480, 960, 1920, 2880];
const HYBRID = [480, 960];
const CELT = [120, 240, 480, 960];

/** Seconds in an Opus packet, by its first two bytes (RFC 6716 section 3.1). */
export function opusPacketSeconds(first: number, second: number): number {
  const configuration = first >> 3;
  const code = first & 3;
  const frames = code === 3 ? second & 63 : code === 0 ? 1 : 2;
  return (frames * samplesPerFrame(configuration)) / 48_000;
}

function samplesPerFrame(configuration: number): number {
  if (configuration < 12) return SILK[configuration & 3] ?? 0;
  return (configuration < 16 ? HYBRID[configuration & 1] : CELT[configuration & 3]) ?? 0;
}
