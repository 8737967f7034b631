/** A WAV of exactly `size` bytes, 8 kHz, 16 bit, mono, whose noise repeats nowhere. */
export function noise(size: number, seed: number): Buffer {
  const random = mulberry32(seed);
  const wav = Buffer.alloc(size);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(size - 8, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(8000, 24);
  wav.writeUInt32LE(16_000, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(size - 44, 40);
  for (let i = 44; i + 1 < size; i += 2) wav.writeUInt16LE(Math.floor(random() * 65_536), i);
  return wav;
}

/** Numbers from 0 up to 1 that a seed decides. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
