import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import { describe, expect } from 'vitest';
import { fixturePath } from '../support/multipart.ts';
import { test as base } from '../support/service.ts';
import { noise } from '../support/wav.ts';
import { addSound, addTone, EXTENSIONS } from './recordings.ts';

const run = promisify(execFile);
const isThere = (program: string) => spawnSync(program, ['-version']).error === undefined;
const HAS_FFMPEG = isThere('ffmpeg') && isThere('ffprobe');
const CHROMIUM = '/usr/bin/chromium';

const test = base.extend<{ folder: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
  folder: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'media-prompts-clients-'));
    await use(folder);
    await rm(folder, { recursive: true });
  },
});

describe.skipIf(!isThere('curl'))('curl', () => {
  test('goes on where a download broke off', async ({ service, folder }) => {
    const { path, bytes } = await addSound(service, 'Resumed', noise(1_500_000, 1), 'wav');
    const target = join(folder, 'half.wav');
    await writeFile(target, bytes.subarray(0, 700_001));
    await run('curl', ['-fsS', '-C', '-', '-o', target, service.base + path]);
    expect((await readFile(target)).equals(bytes)).toBe(true);
  });

  test('gets the stretches it asks for', async ({ service, folder }) => {
    const { path, bytes } = await addSound(service, 'Stretches', noise(50_000, 2), 'wav');
    const target = join(folder, 'part.wav');
    for (const [range, part] of [
      ['100-199', bytes.subarray(100, 200)],
      ['49000-', bytes.subarray(49_000)],
      ['-1', bytes.subarray(-1)],
    ] as const) {
      await run('curl', ['-fsS', '-r', range, '-o', target, service.base + path]);
      expect((await readFile(target)).equals(part)).toBe(true);
    }
  });

  test('fetches nothing again that is no newer than its copy, by time and by ETag', async ({
    service,
    folder,
  }) => {
    const { path } = await addTone(service, 'Copy', 'mp3');
    const url = service.base + path;
    const [copy, etag, target] = [join(folder, 'copy.mp3'), join(folder, 'etag'), join(folder, 'again.mp3')];
    await run('curl', ['-fsS', '-R', '--etag-save', etag, '-o', copy, url]);
    for (const condition of [
      ['-z', copy],
      ['--etag-compare', etag],
    ]) {
      const { stdout } = await run('curl', ['-fsS', ...condition, '-o', target, '-w', '%{http_code}', url]);
      expect(stdout).toBe('304');
      expect(existsSync(target) ? (await readFile(target)).byteLength : 0).toBe(0);
    }
  });
});

describe.skipIf(!HAS_FFMPEG)('ffmpeg', () => {
  /** The samples from `start` seconds on, as one hash. */
  async function decode(source: string, start: string): Promise<string> {
    const { stdout } = await run(
      'ffmpeg',
      ['-v', 'error', '-xerror', '-ss', start, '-i', source, '-vn', '-f', 's16le', '-'],
      { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 },
    );
    expect(stdout.byteLength).toBeGreaterThan(0);
    return createHash('md5').update(stdout).digest('hex');
  }

  test.for(EXTENSIONS)(
    'hears in %s by url what it hears in the file, from the start and from 0.3 s on',
    {
      timeout: 60_000,
    },
    async (extension, { service }) => {
      const { path } = await addTone(service, 'ffmpeg', extension);
      const file = fixturePath(`tone.${extension}`);
      for (const start of ['0', '0.3']) {
        expect(await decode(service.base + path, start)).toBe(await decode(file, start));
      }
    },
  );

  test.for(EXTENSIONS)('probes %s by url as it probes the file', async (extension, { service }) => {
    const { path } = await addTone(service, 'ffprobe', extension);
    const probe = async (source: string) => {
      const entries = 'format=format_name,duration,size:stream=codec_name,sample_rate,channels';
      const { stdout } = await run('ffprobe', [
        '-v',
        'error',
        '-show_entries',
        entries,
        '-of',
        'json',
        source,
      ]);
      return JSON.parse(stdout) as unknown;
    };
    expect(await probe(service.base + path)).toEqual(await probe(fixturePath(`tone.${extension}`)));
  });
});

/** Chromium cannot seek in a FLAC of one frame or two, wherever it comes from. */
async function longFlac(folder: string): Promise<Buffer> {
  const path = join(folder, 'long.flac');
  await run('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'sine=duration=5', '-bitexact', path]);
  return await readFile(path);
}

/** What the page finds out about one recording. */
interface Listening {
  readonly playable: string;
  readonly error: string | undefined;
  readonly duration: number;
  readonly at: number;
  readonly hasEnded: boolean;
}

/** Runs in the page, which is no part of this program's types: loads, seeks to the middle, plays to the end. */
const LISTEN = `async ({ url, type }) => {
  const audio = new Audio();
  const event = (name) => new Promise((resolve, reject) => {
    audio.addEventListener(name, resolve, { once: true });
    audio.addEventListener('error', () => reject(new Error(audio.error.message)), { once: true });
  });
  const told = { playable: audio.canPlayType(type), duration: 0, at: 0, hasEnded: false };
  try {
    audio.muted = true;
    const loaded = event('canplay');
    audio.src = url;
    await loaded;
    told.duration = audio.duration;
    const sought = event('seeked');
    audio.currentTime = audio.duration / 2;
    await sought;
    told.at = audio.currentTime;
    const ended = event('ended');
    await audio.play();
    await ended;
    told.hasEnded = audio.ended;
    return told;
  } catch (error) {
    return { ...told, error: String(error) };
  }
}`;

const browserTest = test.extend<{ browser: Browser; site: string }>({
  /** A page of another site: of the service's own, none may play. */
  site: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const pages = createServer((_request, response) => {
        response.setHeader('content-type', 'text/html').end('<!doctype html>');
      }).listen(0, '127.0.0.1');
      await once(pages, 'listening');
      await use(`http://localhost:${(pages.address() as AddressInfo).port}`);
      pages.close();
      pages.closeAllConnections();
    },
    { scope: 'file' },
  ],
  browser: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const browser = await chromium.launch({
        executablePath: CHROMIUM,
        args: [
          '--headless',
          '--no-sandbox',
          '--disable-gpu',
          '--disable-quic',
          '--no-first-run',
          '--disable-background-networking',
          '--disable-component-update',
          '--disable-sync',
          '--autoplay-policy=no-user-gesture-required',
        ],
      });
      await use(browser);
      await browser.close();
    },
    { scope: 'file' },
  ],
});

describe.skipIf(!existsSync(CHROMIUM))('Chromium', () => {
  browserTest.for(EXTENSIONS)(
    'plays %s in <audio>, seeks to its middle and comes to its end',
    {
      timeout: 60_000,
    },
    async (extension, { service, browser, site, folder }) => {
      const { path, type } =
        extension === 'flac' && HAS_FFMPEG
          ? await addSound(service, 'Chromium flac', await longFlac(folder), 'flac')
          : await addTone(service, 'Chromium', extension);
      const page = await browser.newPage();
      const statuses: number[] = [];
      page.on('response', (response) => {
        if (response.url().endsWith(path)) statuses.push(response.status());
      });
      await page.goto(site);
      const script = `(${LISTEN})(${JSON.stringify({ url: service.base + path, type })})`;
      const heard = await page.evaluate<Listening>(script);
      await page.close();
      expect(heard).toEqual({
        playable: expect.stringMatching(/^(maybe|probably)$/),
        duration: expect.any(Number),
        at: expect.closeTo(heard.duration / 2, 3),
        hasEnded: true,
      });
      expect(heard.duration).toBeGreaterThan(0.4);
      expect(statuses.length).toBeGreaterThan(0);
      for (const status of statuses) expect([200, 206]).toContain(status);
    },
  );
});
