import { describe, expect, onTestFinished } from 'vitest';
import { RENDITIONS, type RenditionKind } from '../../../src/audio/renditions.ts';
import { promptForm } from '../../support/multipart.ts';
import { pathOf, putRendition, WITHOUT_CONVERTER } from '../../support/renditions.ts';
import { test as base, startService, type TestService, type WirePrompt } from '../../support/service.ts';

interface Playback {
  readonly url: string;
  readonly cache_seconds: number | null;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly [member: string]: unknown;
}

const BASE = 'https://prompts.example.com/media';

const NEEDED = ['pcm8k', 'pcm16k', 'wav16', 'ulaw8k', 'mp3'] as const;

/** A service that hands out its audio in this way, and a prompt that has what engines need. */
async function serviceWith(env: Readonly<Record<string, string>>): Promise<TestService> {
  const service = await startService({ ...WITHOUT_CONVERTER, ...env });
  return service;
}

async function addPrompt(service: TestService, sizes: Partial<Record<RenditionKind, number>> = {}) {
  const { body } = await service.upload(promptForm(`For engines ${JSON.stringify(sizes)}`));
  for (const kind of NEEDED) await putRendition(service, body.data, kind, { fileSize: sizes[kind] ?? 4000 });
  return body.data;
}

async function ask(service: TestService, { media_prompt_id: id }: WirePrompt, query: string) {
  const { status, body } = await service.get<Playback>(`/v3/media-prompts/${id}/playback?${query}`);
  expect({ query, status, message: body.message }).toEqual({ query, status: 200, message: 'Success' });
  return body.data;
}

const codesOf = ({ warnings }: Playback) => warnings.map(({ code }) => code);

const test = base.extend<{ asked: { readonly service: TestService; readonly prompt: WirePrompt } }>({
  asked: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await serviceWith({ PUBLIC_BASE_URL: `${BASE}/` });
      await use({ service, prompt: await addPrompt(service) });
      await service.close();
    },
    { scope: 'file' },
  ],
});

const DAY = 86_400;
const SINCH = ['few_downloads'];

describe('under an https address and with the usual max-age', () => {
  test.for([
    ['asterisk', 'narrow', 'pcm8k', DAY, []],
    ['asterisk', 'wide', 'wav16', DAY, []],
    ['freeswitch', 'narrow', 'pcm8k', 300, []],
    ['freeswitch', 'wide', 'pcm16k', 300, []],
    ['jambonz', 'narrow', 'pcm8k', 300, []],
    ['jambonz', 'wide', 'pcm16k', 300, []],
    ['twilio', 'narrow', 'mp3', DAY, []],
    ['twilio', 'wide', 'mp3', DAY, []],
    ['plivo', 'narrow', 'mp3', DAY, []],
    ['plivo', 'wide', 'mp3', DAY, []],
    ['vonage', 'narrow', 'pcm8k', null, ['not_cached']],
    ['vonage', 'wide', 'pcm16k', null, ['not_cached']],
    ['bandwidth', 'narrow', 'mp3', DAY, []],
    ['bandwidth', 'wide', 'mp3', DAY, []],
    ['sinch', 'narrow', 'mp3', DAY, SINCH],
    ['sinch', 'wide', 'mp3', DAY, SINCH],
    ['amazon_connect', 'narrow', 'ulaw8k', null, ['not_fetched']],
    ['amazon_connect', 'wide', 'ulaw8k', null, ['not_fetched', 'narrowband_only']],
    ['browser', 'narrow', 'mp3', DAY, []],
    ['browser', 'wide', 'mp3', DAY, []],
  ] as const)('%s, %s plays %s', async ([engine, band, kind, seconds, codes], { asked }) => {
    const { service, prompt } = asked;
    const playback = await ask(service, prompt, `engine=${engine}&band=${band}`);
    const { contentType, codec, sampleRate } = RENDITIONS[kind];
    expect(playback).toEqual({
      url: `${BASE}${pathOf(prompt, kind)}`,
      engine,
      band,
      rendition: kind,
      content_type: contentType,
      codec,
      sample_rate: sampleRate,
      file_size: 4000,
      cache_seconds: seconds,
      warnings: codes.map((code) => ({ code, message: expect.stringMatching(/^[A-Z].*\.$/) })),
    });
    expect(Object.keys(playback).slice(0, 4)).toEqual(['url', 'engine', 'band', 'rendition']);
  });

  test('a band that is not named is the narrow one', async ({ asked: { service, prompt } }) => {
    expect(await ask(service, prompt, 'engine=asterisk')).toEqual(
      await ask(service, prompt, 'engine=asterisk&band=narrow'),
    );
  });

  test('Sinch is said to refuse what has more than 1 MB', async ({ asked: { service } }) => {
    for (const [mp3, codes] of [
      [1_000_000, SINCH],
      [1_000_001, ['too_large', ...SINCH]],
    ] as const) {
      const playback = await ask(service, await addPrompt(service, { mp3 }), 'engine=sinch');
      expect({ size: playback['file_size'], codes: codesOf(playback) }).toEqual({ size: mp3, codes });
    }
  });
});

describe('what is said of how this service hands out its audio', () => {
  const FAR = ['twilio', 'plivo', 'vonage', 'bandwidth', 'sinch'];
  const ENGINES = ['asterisk', 'freeswitch', 'jambonz', ...FAR, 'amazon_connect', 'browser'];

  /** What each engine keeps, and the warnings that have one of these codes. */
  async function told(env: Readonly<Record<string, string>>, codes: readonly string[]) {
    const service = await serviceWith(env);
    onTestFinished(() => service.close());
    const prompt = await addPrompt(service);
    const answers: Record<string, readonly unknown[]> = {};
    for (const engine of ENGINES) {
      const playback = await ask(service, prompt, `engine=${engine}`);
      expect(playback.url).toBe(
        (env['PUBLIC_BASE_URL'] ?? '') + pathOf(prompt, playback['rendition'] as RenditionKind),
      );
      answers[engine] = [playback.cache_seconds, ...codesOf(playback).filter((code) => codes.includes(code))];
    }
    return answers;
  }

  base('without PUBLIC_BASE_URL the url is a path, for which Vonage may keep nothing', async () => {
    const answers = await told({}, ['relative_url', 'not_cached', 'plain_http']);
    for (const [engine, [seconds, ...codes]] of Object.entries(answers)) {
      const isVonage = engine === 'vonage';
      expect({ engine, codes }).toEqual({
        engine,
        codes: isVonage ? ['relative_url', 'not_cached'] : ['relative_url'],
      });
      if (isVonage) expect(seconds).toBeNull();
    }
  });

  base('over http, what goes far is readable, a page may not play it, and Vonage keeps it', async () => {
    const answers = await told({ PUBLIC_BASE_URL: 'http://192.0.2.7:3000' }, [
      'relative_url',
      'plain_http',
      'not_cached',
    ]);
    for (const [engine, [, ...codes]] of Object.entries(answers)) {
      const isSeen = [...FAR, 'browser'].includes(engine);
      expect({ engine, codes }).toEqual({ engine, codes: isSeen ? ['plain_http'] : [] });
    }
    expect(answers['vonage']?.[0]).toBe(DAY);
  });

  base('with PLAYBACK_ACCESS=token no engine that fetches gets anything', async () => {
    const answers = await told({ PUBLIC_BASE_URL: BASE, PLAYBACK_ACCESS: 'token' }, ['token_required']);
    for (const [engine, told] of Object.entries(answers)) {
      expect({ engine, told }).toEqual({
        engine,
        told: engine === 'amazon_connect' ? [null] : [null, 'token_required'],
      });
    }
  });

  base('a short max-age holds up Asterisk, and Sinch does not heed it', async () => {
    const env = { PUBLIC_BASE_URL: BASE, PLAYBACK_MAX_AGE_SECONDS: '59' };
    expect(await told(env, ['short_max_age', 'cached_longer'])).toEqual({
      asterisk: [59, 'short_max_age'],
      freeswitch: [59],
      jambonz: [59],
      twilio: [59],
      plivo: [59],
      vonage: [null],
      bandwidth: [59],
      sinch: [DAY, 'cached_longer'],
      amazon_connect: [null],
      browser: [59],
    });
  });

  base('a long max-age holds for all but FreeSWITCH, which asks again after five minutes', async () => {
    const env = { PUBLIC_BASE_URL: BASE, PLAYBACK_MAX_AGE_SECONDS: '200000' };
    const answers = await told(env, ['short_max_age', 'cached_longer']);
    expect(answers).toMatchObject({ asterisk: [200_000], freeswitch: [300], sinch: [200_000] });
  });
});
