import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AudioFacts } from '../../src/audio/facts.ts';
import { type Analysis, analyse, PEAK_BUCKETS } from '../../src/conversion/analyse.ts';
import { ConversionError } from '../../src/conversion/converter.ts';
import { fixture, fixturePath } from '../audio/files.ts';
import { type Sound, silence, tone, voice, wavOf } from '../support/sound.ts';
import { CONVERTERS, converterOf, DEADLINE_MS, factsOf, taskFolder, wavFacts } from './workbench.ts';

describe.each(CONVERTERS)('with %s', async (choice) => {
  const converter = await converterOf(choice);

  async function analysed(original: string | Buffer, facts: AudioFacts): Promise<Analysis> {
    const folder = taskFolder(original);
    const analysis = await analyse(converter, folder, 'original', facts, { deadlineMs: DEADLINE_MS });
    expect(readdirSync(folder)).toEqual(['original']);
    return analysis;
  }
  const codesOf = ({ warnings }: Analysis) => warnings.map(({ code }) => code);
  const between = (from: number, to: number, sound: Sound): Sound => {
    return (time, channel) => (time >= from && time < to ? sound(time, channel) : 0);
  };

  test('loudness and peak are those of EBU’s reference tone', async () => {
    const stereo = wavOf(tone(997, 10 ** (-23 / 20)), { seconds: 2, channels: 2 });
    const analysis = await analysed(stereo, wavFacts(2000, { channels: 2 }));
    expect(analysis.loudnessLufs).toBeCloseTo(-23, 0);
    expect(analysis.truePeakDbtp).toBeCloseTo(-23, 0);
    expect(analysis.decodedDurationMs).toBe(2000);
  });

  test('silence is measured at both ends, and named when it is long', async () => {
    const short = await analysed(wavOf(between(0.3, 1.3, voice(0.6)), { seconds: 1.5 }), wavFacts(1500));
    expect(short.leadingSilenceMs).toBeGreaterThanOrEqual(290);
    expect(short.leadingSilenceMs).toBeLessThanOrEqual(340);
    expect(short.trailingSilenceMs).toBeGreaterThanOrEqual(190);
    expect(short.trailingSilenceMs).toBeLessThanOrEqual(240);
    expect(codesOf(short)).not.toContain('long_silence');
    const long = await analysed(wavOf(between(1.2, 2, tone(440, 0.3)), { seconds: 2 }), wavFacts(2000));
    expect(codesOf(long)).toContain('long_silence');
    const none = await analysed(wavOf(silence, { seconds: 1 }), wavFacts(1000));
    expect(none).toMatchObject({ loudnessLufs: null, leadingSilenceMs: 1000, trailingSilenceMs: 0 });
    expect(codesOf(none)).toEqual(['too_quiet', 'long_silence']);
  });

  test('a waveform has two thousand buckets of least and greatest, at the original level', async () => {
    const { peaks } = await analysed(wavOf(between(1, 2, tone(500, 0.5)), { seconds: 2 }), wavFacts(2000));
    expect(peaks.length).toBe(PEAK_BUCKETS * 2);
    expect([...peaks.subarray(0, 1900)].every((peak) => Math.abs(peak) <= 1)).toBe(true);
    expect(Math.max(...peaks)).toBeGreaterThanOrEqual(63);
    expect(Math.max(...peaks)).toBeLessThanOrEqual(65);
    expect(Math.min(...peaks)).toBeLessThanOrEqual(-63);
    const tiny = await analysed(wavOf(tone(500, 0.5), { seconds: 0.06 }), wavFacts(60));
    expect(tiny.peaks.length).toBe(0.06 * 16_000 * 2);
    expect(codesOf(tiny)).toContain('very_short');
    expect(tiny.loudnessLufs).toBeGreaterThan(-12);
  });

  test('a voice that is too loud for its file is clipped; one that just fits is not', async () => {
    expect(codesOf(await analysed(wavOf(voice(4), { seconds: 1 }), wavFacts(1000)))).toContain('clipped');
    expect(codesOf(await analysed(wavOf(tone(997, 1), { seconds: 1 }), wavFacts(1000)))).not.toContain(
      'clipped',
    );
    expect(codesOf(await analysed(wavOf(voice(0.5), { seconds: 1 }), wavFacts(1000)))).not.toContain(
      'clipped',
    );
  });

  test('what sounds like a telephone is told by its rate and by its sound', async () => {
    const low = await analysed(fixturePath('welcome.wav'), factsOf('welcome.wav'));
    expect(codesOf(low)).toContain('narrowband');
    const speech: Sound = (time) =>
      [300, 900, 2100, 3300].reduce((sum, hertz) => sum + tone(hertz, 0.1)(time, 0), 0);
    expect(codesOf(await analysed(wavOf(speech, { seconds: 1 }), wavFacts(1000)))).toContain('narrowband');
    const wide = wavOf((time) => speech(time, 0) + tone(6000, 0.005)(time, 0), { seconds: 1 });
    expect(codesOf(await analysed(wide, wavFacts(1000)))).not.toContain('narrowband');
  });

  test('a file of which a part is missing is truncated, also one that says nothing is wrong', async () => {
    const whole = fixture('tone.mp3');
    const cut = await analysed(whole.subarray(0, whole.length / 2), factsOf('tone.mp3'));
    expect(codesOf(cut)).toContain('truncated');
    expect(cut.decodedDurationMs).toBeLessThan(700);
  });

  test('a stream that changes its rate in the middle is decoded to its end', async () => {
    const joined = Buffer.concat([fixture('no-xing.mp3'), fixture('low-rate.mp3')]);
    const { decodedDurationMs } = await analysed(joined, { ...factsOf('no-xing.mp3'), durationMs: null });
    expect(decodedDurationMs).toBeGreaterThan(1900);
  });

  test('more than an hour or eight channels are refused with a sentence', async () => {
    const folder = taskFolder(wavOf(silence, { seconds: 1 }));
    const options = { deadlineMs: DEADLINE_MS };
    for (const change of [{ durationMs: 3_600_001 }, { channels: 9 }]) {
      const refusal = await analyse(converter, folder, 'original', wavFacts(1000, change), options).catch(
        (error: unknown) => error,
      );
      expect(refusal).toBeInstanceOf(ConversionError);
      expect(refusal).toMatchObject({
        code: 'unusable-audio',
        message: expect.stringMatching(/^The recording .*\.$/),
      });
    }
    expect(existsSync(join(folder, 'samples.raw'))).toBe(false);
  });
});
