import { describe, expect, test } from 'vitest';
import { RENDITIONS, type RenditionKind } from '../../src/audio/renditions.ts';
import { type Analysis, analyse } from '../../src/conversion/analyse.ts';
import { render } from '../../src/conversion/render.ts';
import { silence, sweep, tone, voice, wavOf } from '../support/sound.ts';
import { levelDb, spectrumDb } from '../support/spectrum.ts';
import {
  ALL_KINDS,
  CONVERTERS,
  converterOf,
  DEADLINE_MS,
  type Heard,
  hear,
  taskFolder,
  wavFacts,
} from './workbench.ts';

interface Result {
  readonly analysis: Analysis;
  readonly heard: ReadonlyMap<RenditionKind, Heard>;
}

describe.each(CONVERTERS)('with %s', async (choice) => {
  const converter = await converterOf(choice);
  /** What only filters decide, which both converters share, is looked at once. */
  const once: (name: string, run: () => Promise<void>) => void =
    choice === CONVERTERS[0] ? test : () => undefined;

  async function convert(
    wav: Buffer,
    loudnessLufs: number | 'off' = -19,
    kinds: readonly RenditionKind[] = ALL_KINDS,
  ): Promise<Result> {
    const folder = taskFolder(wav);
    const options = { deadlineMs: DEADLINE_MS, loudnessLufs };
    const analysis = await analyse(converter, folder, 'original', wavFacts(0), options);
    const made = await render(converter, folder, 'original', analysis, kinds, options);
    return { analysis, heard: await hear(converter, folder, made) };
  }

  test('a quiet voice with sharp peaks comes to its loudness, and no peak above -2 dBTP', async () => {
    const speaker = voice(0.06);
    const clicks = (time: number) => (time % 0.7 < 0.0003 ? 0.4 : 0);
    const { heard } = await convert(
      wavOf((time, channel) => speaker(time, channel) + clicks(time), { seconds: 2 }),
    );
    for (const [kind, { loudnessLufs, truePeakDbtp }] of heard) {
      expect(Math.abs((loudnessLufs ?? 0) + 19), `${kind}: ${loudnessLufs} LUFS`).toBeLessThanOrEqual(1);
      expect(truePeakDbtp, `${kind}: true peak`).toBeLessThanOrEqual(-2);
    }
  });

  test('nothing aliases: of a sweep up to 24 kHz nothing is left above the band', async () => {
    const { heard } = await convert(wavOf(sweep(8000, 0.7), { seconds: 3 }), 'off', ['pcm8k', 'pcm16k']);
    for (const kind of ['pcm8k', 'pcm16k'] as const) {
      const { sampleRate } = RENDITIONS[kind];
      const samples = heard.get(kind)?.samples ?? new Int16Array();
      const levelAt = (hertz: number) => {
        const start = Math.round((hertz / 8000 - 0.01) * sampleRate);
        return levelDb(samples.subarray(start, start + Math.round(0.02 * sampleRate)));
      };
      const passed = [400, 1000, 2000, 3000, 3400].map(levelAt);
      expect(Math.max(...passed) - Math.min(...passed), `${kind}: ripple`).toBeLessThan(0.5);
      const highest = sampleRate / 2 + 150;
      for (let hertz = highest; hertz < 23_500; hertz += 150) {
        expect(levelAt(hertz) - (passed[1] ?? 0), `${kind}: what is left of ${hertz} Hz`).toBeLessThan(-60);
      }
    }
  });

  once('tones above the band leave no tone in it', async () => {
    const above = [4300, 5100, 6700, 9100, 11_900].map((hertz) => tone(hertz, 0.15));
    const both = wavOf(
      (time) => above.reduce((sum, part) => sum + part(time, 0), tone(1000, 0.15)(time, 0)),
      {
        seconds: 1.5,
      },
    );
    const { heard } = await convert(both, 'off', ['pcm8k', 'ulaw8k']);
    const spectrum = spectrumDb(heard.get('pcm8k')?.samples.subarray(1000) ?? new Int16Array(), 8192);
    const binOf = (hertz: number) => Math.round((hertz * 8192) / 8000);
    const wanted = spectrum[binOf(1000)] ?? 0;
    const others = spectrum.filter((_, bin) => Math.abs(bin - binOf(1000)) > 8);
    expect(Math.max(...others) - wanted).toBeLessThan(-60);
  });

  once('near silence stays as it is, and is reported', async () => {
    const { analysis, heard } = await convert(wavOf(tone(500, 0.001), { seconds: 1 }), -19, [
      'pcm16k',
      'opus',
    ]);
    expect(analysis.warnings.map(({ code }) => code)).toContain('too_quiet');
    for (const { truePeakDbtp } of heard.values()) expect(truePeakDbtp).toBeLessThan(-50);
    const nothing = await convert(wavOf(silence, { seconds: 1 }), -19, ['pcm8k', 'g722', 'mp3']);
    expect(nothing.analysis).toMatchObject({
      loudnessLufs: null,
      truePeakDbtp: null,
      decodedDurationMs: 1000,
    });
    for (const { truePeakDbtp } of nothing.heard.values()) expect(truePeakDbtp).toBeLessThan(-60);
  });

  once('with loudness off the level stays, and only peaks are limited', async () => {
    const { heard } = await convert(wavOf(tone(997, 0.1), { seconds: 1 }), 'off', ['pcm16k']);
    expect(heard.get('pcm16k')?.truePeakDbtp).toBeCloseTo(-20, 0);
    const loud = await convert(wavOf(voice(1.6), { seconds: 1 }), 'off', ['pcm8k', 'ulaw', 'opus']);
    for (const { truePeakDbtp } of loud.heard.values()) expect(truePeakDbtp).toBeLessThanOrEqual(-2);
  });

  once('channels are mixed without clipping, and one is taken where they cancel each other out', async () => {
    const loud = voice(0.8);
    const same = await convert(wavOf(loud, { seconds: 1, channels: 2 }), 'off', ['pcm16k']);
    const single = await convert(wavOf(voice(0.8), { seconds: 1 }), 'off', ['pcm16k']);
    const levelOf = ({ heard }: Result) => heard.get('pcm16k')?.loudnessLufs ?? 0;
    expect(Math.abs(levelOf(same) - levelOf(single))).toBeLessThan(0.5);
    const buzz = tone(440, 0.3);
    const opposed = wavOf((time, channel) => buzz(time, 0) * (channel === 0 ? 1 : -1), {
      seconds: 1,
      channels: 2,
    });
    const { heard } = await convert(opposed, -19, ['pcm8k']);
    expect(heard.get('pcm8k')?.loudnessLufs).toBeCloseTo(-19, 0);
  });
});
