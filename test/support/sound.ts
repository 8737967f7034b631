import { mulberry32 } from './wav.ts';

/** A sample between -1 and 1 at a time in seconds. */
export type Sound = (time: number, channel: number) => number;

interface WavOptions {
  readonly seconds: number;
  readonly rate?: number;
  readonly channels?: number;
}

/** A WAV of 16 bit that holds a sound; what is beyond full scale is cut off. */
export function wavOf(sound: Sound, { seconds, rate = 48_000, channels = 1 }: WavOptions): Buffer {
  const frames = Math.round(seconds * rate);
  const data = frames * channels * 2;
  const wav = Buffer.alloc(44 + data);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + data, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(channels, 22);
  wav.writeUInt32LE(rate, 24);
  wav.writeUInt32LE(rate * channels * 2, 28);
  wav.writeUInt16LE(channels * 2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(data, 40);
  for (let frame = 0; frame < frames; frame += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      const sample = Math.round(sound(frame / rate, channel) * 32_767);
      wav.writeInt16LE(Math.max(-32_768, Math.min(32_767, sample)), 44 + (frame * channels + channel) * 2);
    }
  }
  return wav;
}

export const tone =
  (hertz: number, amplitude: number): Sound =>
  (time) =>
    amplitude * Math.sin(2 * Math.PI * hertz * time);

/** A tone that rises by so many hertz each second, from nothing. */
export const sweep =
  (hertzPerSecond: number, amplitude: number): Sound =>
  (time) =>
    amplitude * Math.sin(Math.PI * hertzPerSecond * time * time);

export const silence: Sound = () => 0;

/** Like a voice: a buzz that comes and goes in syllables, with sibilants between. Phases differ, as in a throat. */
export function voice(amplitude: number, seed = 1): Sound {
  const random = mulberry32(seed);
  return (time) => {
    const syllable = Math.max(0, Math.sin(2 * Math.PI * 2.5 * time)) ** 2;
    let buzz = 0;
    for (let harmonic = 1; harmonic <= 20; harmonic += 1) {
      buzz += Math.cos(2 * Math.PI * 140 * harmonic * time + 1.3 * harmonic ** 2) / (1 + harmonic * 0.6);
    }
    return amplitude * (syllable * buzz * 0.25 + (1 - syllable) * 0.06 * (random() - 0.5));
  };
}
