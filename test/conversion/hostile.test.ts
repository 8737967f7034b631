import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { FORMATS } from '../../src/audio/formats.ts';
import { analyse } from '../../src/conversion/analyse.ts';
import { chooseConverter } from '../../src/conversion/choose-converter.ts';
import { ConversionError, type Converter } from '../../src/conversion/converter.ts';
import { render } from '../../src/conversion/render.ts';
import { fixture, fixturePath, noise } from '../audio/files.ts';
import { canMount, mount, unmount } from '../support/disks.ts';
import {
  ALL_KINDS,
  CONVERTERS,
  converterOf,
  DEADLINE_MS,
  factsOf,
  processesIn,
  taskFolder,
} from './workbench.ts';

/** A run that would never end, and takes no time of the processor. */
const ENDLESS = [
  '-af',
  'aloop=loop=-1:size=8000,arealtime',
  '-c:a',
  'pcm_s16le',
  '-f',
  'wav',
  'file:endless.wav',
];
const COPIES = 60;
/** What each needs to begin with is very different. */
const MEMORY_BYTES = { ffmpeg: 600_000_000, wasm: 150_000_000 };
const INPUT = { file: 'original', demuxer: 'wav' };

async function failureOf(work: Promise<unknown>): Promise<ConversionError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConversionError))
    throw new Error('it did not fail as a conversion', { cause: error });
  expect(error.message).toMatch(/^[A-Z][^/\n]*\.$/);
  return error;
}

describe.each(CONVERTERS)('with %s', async (choice) => {
  const converter = await converterOf(choice);
  const endless = (
    folder: string,
    more: { deadlineMs: number; signal?: AbortSignal },
    by: Converter = converter,
  ) => by.run({ folder, inputs: [INPUT], args: ENDLESS, outputs: ['endless.wav'], ...more });

  function expectNothingLeft(folder: string): void {
    expect(readdirSync(folder)).toEqual(['original']);
    expect(processesIn(folder) ?? []).toEqual([]);
  }

  test('a run that takes too long is ended, and leaves nothing', async () => {
    const folder = taskFolder(fixturePath('tone.wav'));
    const started = Date.now();
    expect(await failureOf(endless(folder, { deadlineMs: 1500 }))).toMatchObject({ code: 'failed' });
    expect(Date.now() - started).toBeLessThan(8000);
    expectNothingLeft(folder);
  });

  test('a run is called off by its signal, and by closing the converter', async () => {
    const folder = taskFolder(fixturePath('tone.wav'));
    const controller = new AbortController();
    const aborted = failureOf(endless(folder, { deadlineMs: DEADLINE_MS, signal: controller.signal }));
    await untilRunning(folder);
    controller.abort(new Error('enough'));
    expect(await aborted).toMatchObject({ code: 'failed', cause: controller.signal.reason });
    expectNothingLeft(folder);
    expect((await failureOf(endless(folder, { deadlineMs: 1, signal: controller.signal }))).code).toBe(
      'failed',
    );

    const own = (await chooseConverter(choice)).converter;
    if (own === undefined) throw new Error('there is none');
    const closed = failureOf(endless(folder, { deadlineMs: DEADLINE_MS }, own));
    await untilRunning(folder);
    await own.close();
    expect((await closed).code).toBe('failed');
    expectNothingLeft(folder);
    expect((await failureOf(endless(folder, { deadlineMs: DEADLINE_MS }, own))).code).toBe('failed');
  });

  test('a playlist opens no other file, whatever it is said to be', async () => {
    const secret = fixturePath('tone.mp3');
    const playlists = [
      `#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\nfile://${secret}\n#EXT-X-ENDLIST\n`,
      '#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\nsecret.mp3\n#EXT-X-ENDLIST\n',
      'ffconcat version 1.0\nfile secret.mp3\n',
    ];
    for (const playlist of playlists) {
      const folder = taskFolder(Buffer.from(playlist));
      copyFileSync(secret, join(folder, 'secret.mp3'));
      for (const container of ['mp3', 'wav', 'mp4'] as const) {
        const facts = { ...factsOf('tone.mp3'), container };
        const work = analyse(converter, folder, 'original', facts, { deadlineMs: DEADLINE_MS });
        expect(await failureOf(work)).toMatchObject({ code: 'unusable-audio' });
      }
    }
  });

  test.each(Object.keys(FORMATS) as readonly (keyof typeof FORMATS)[])(
    'rubbish is no %s',
    async (container) => {
      const folder = taskFolder(noise(20_000));
      const facts = { ...factsOf('tone.wav'), container };
      const work = analyse(converter, folder, 'original', facts, { deadlineMs: DEADLINE_MS });
      expect(await failureOf(work)).toMatchObject({ code: 'unusable-audio' });
      expectNothingLeft(folder);
    },
  );

  test('of a file that makes a megabyte of complaints, the last 64 KiB are kept and the measures found', async () => {
    // Bodies are spoiled and headers are not, so that the decoder goes on, and complains of each frame.
    const whole = fixture('no-xing.mp3');
    const spoilt = noise(whole.length * COPIES).map((byte, place) => {
      const original = whole[place % whole.length] ?? 0;
      return place > whole.length && place % 61 === 0 && original < 0xf0 ? byte & 0xfe : original;
    });
    const folder = taskFolder(Buffer.from(spoilt));
    const { stderr } = await converter.run({
      folder,
      inputs: [{ file: 'original', demuxer: 'mp3' }],
      args: ['-f', 'null', '-'],
      outputs: [],
      deadlineMs: DEADLINE_MS,
    });
    expect(stderr.length).toBe(65_536);
    const options = { deadlineMs: DEADLINE_MS };
    const analysis = await analyse(
      converter,
      folder,
      'original',
      { ...factsOf('no-xing.mp3'), durationMs: null },
      options,
    );
    expect(analysis.loudnessLufs).not.toBeNull();
  });

  test('what would take all memory ends, and the next one works', async () => {
    const folder = taskFolder(fixturePath('tone.wav'));
    const { converter: small } = await chooseConverter(choice, { maxMemoryBytes: MEMORY_BYTES[choice] });
    if (small === undefined) throw new Error('there is none');
    const greedy = [
      '-af',
      'aloop=loop=-1:size=8000,aformat=channel_layouts=7.1:sample_fmts=dbl,areverse',
      '-f',
      'null',
      '-',
    ];
    const work = small.run({ folder, inputs: [INPUT], args: greedy, outputs: [], deadlineMs: DEADLINE_MS });
    expect(await failureOf(work)).toMatchObject({ code: 'failed', message: expect.stringMatching(/memory/) });
    const options = { deadlineMs: DEADLINE_MS };
    const { decodedDurationMs } = await analyse(small, folder, 'original', factsOf('tone.wav'), options);
    expect(decodedDurationMs).toBe(1000);
    await small.close();
  });

  test('a result that becomes too large is our fault, and is removed', async () => {
    const { converter: small } = await chooseConverter(choice, { maxFileBytes: 10_000 });
    if (small === undefined) throw new Error('there is none');
    const folder = taskFolder(fixturePath('tone.wav'));
    const args = ['-c:a', 'pcm_s16le', '-f', 'wav', 'file:large.wav'];
    const work = small.run({
      folder,
      inputs: [INPUT],
      args,
      outputs: ['large.wav'],
      deadlineMs: DEADLINE_MS,
    });
    expect(await failureOf(work)).toMatchObject({ code: 'failed' });
    expectNothingLeft(folder);
    await small.close();
  });

  test.skipIf(!canMount())(
    'a disk that is full is nobody’s recording, and nothing is left on it',
    async () => {
      const disk = mkdtempSync(join(tmpdir(), 'conversion-disk-'));
      mount(disk, 'size=64k');
      onTestFinished(() => {
        unmount(disk);
        rmSync(disk, { recursive: true });
      });
      copyFileSync(fixturePath('welcome.wav'), join(disk, 'original'));
      const roomy = taskFolder(fixturePath('welcome.wav'));
      const options = { deadlineMs: DEADLINE_MS, loudnessLufs: -19 };
      const analysis = await analyse(converter, roomy, 'original', factsOf('welcome.wav'), options);
      const work = render(converter, disk, 'original', analysis, ALL_KINDS, options);
      expect(await failureOf(work)).toMatchObject({ code: 'failed' });
      expectNothingLeft(disk);
    },
  );

  async function untilRunning(folder: string): Promise<void> {
    await vi.waitFor(() => expect(readdirSync(folder)).toContain('endless.wav'), {
      timeout: 20_000,
      interval: 20,
    });
  }
});

const SCRIPT = fileURLToPath(new URL('endless-run.ts', import.meta.url));

describe.skipIf(!CONVERTERS.includes('ffmpeg') || process.platform !== 'linux')('the fence', () => {
  test('ffmpeg ends with the process that started it, also when that is killed', async () => {
    const folder = taskFolder(fixturePath('tone.wav'));
    const parent = execFile(process.execPath, [SCRIPT, folder]);
    const running = () => processesIn(folder) ?? [];
    await vi.waitFor(() => expect(running()).toHaveLength(1), { timeout: 20_000, interval: 50 });
    await vi.waitFor(() => expect(readdirSync(folder)).toContain('endless.wav'), {
      timeout: 20_000,
      interval: 50,
    });
    parent.kill('SIGKILL');
    await vi.waitFor(() => expect(running()).toEqual([]), { timeout: 10_000, interval: 50 });
  });
});
