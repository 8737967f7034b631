import { describe, expect } from 'vitest';
import { RENDITIONS } from '../../../src/audio/renditions.ts';
import { promptForm } from '../../support/multipart.ts';
import {
  failRendition,
  KINDS,
  type Measured,
  pathOf,
  putRendition,
  putReport,
  test,
} from '../../support/renditions.ts';
import { type TestService, token, type WirePrompt } from '../../support/service.ts';

const MEASURED: Measured = {
  loudness: -23.456,
  truePeak: -0.04,
  leadingMs: 12,
  trailingMs: 345,
  durationMs: 2000,
  warnings: [{ code: 'clipped', message: 'It is clipped.' }],
  peaks: [-128, 127, -64, 32, 0, 0, -1, 1],
};

/** One sentence, whichever words the reason has. */
const NO_CONVERTER = /^This service makes no renditions: .+/;

async function add(service: TestService, name: string): Promise<WirePrompt> {
  const { status, body } = await service.upload(promptForm(name));
  expect(status).toBe(201);
  return body.data;
}

const of = ({ media_prompt_id: id }: WirePrompt, rest = '') => `/v3/media-prompts/${id}${rest}`;

const envelope = (data: unknown) => ({
  code: 200,
  message: 'Success',
  data,
  request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
  timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
});

describe('a prompt asked for by itself', () => {
  test('has all renditions in the order of the table, and what was measured, after its other members', async ({
    service,
  }) => {
    const prompt = await add(service, 'With audio');
    const made = await putRendition(service, prompt, 'g722');
    await failRendition(service, prompt, 'opus', 'It is not to be had.');
    await putReport(service, prompt, MEASURED);
    const { status, body } = await service.get<WirePrompt>(of(prompt));
    expect(status).toBe(200);
    expect(Object.keys(body.data)).toEqual([...Object.keys(prompt), 'renditions', 'audio_report']);
    const none = { state: 'unavailable', file_size: null, sha256: null, reason: expect.stringMatching(/./) };
    const settled: Readonly<Record<string, object>> = {
      g722: { state: 'ready', file_size: made.bytes.byteLength, sha256: made.sha256, reason: null },
      opus: { ...none, state: 'failed', reason: 'It is not to be had.' },
    };
    expect(body).toEqual(
      envelope({
        ...prompt,
        renditions: KINDS.map((kind) => ({
          rendition: kind,
          url: pathOf(prompt, kind),
          content_type: RENDITIONS[kind].contentType,
          codec: RENDITIONS[kind].codec,
          sample_rate: RENDITIONS[kind].sampleRate,
          channels: 1,
          ...(settled[kind] ?? none),
        })),
        audio_report: {
          loudness_lufs: -23.5,
          true_peak_dbtp: 0,
          leading_silence_ms: 12,
          trailing_silence_ms: 345,
          decoded_duration_ms: 2000,
          warnings: [{ code: 'clipped', message: 'It is clipped.' }],
        },
      }),
    );
    expect(body.data['renditions']).toHaveLength(9);
  });

  test('has no report as long as nothing was measured, nor when nothing could be', async ({ service }) => {
    const prompt = await add(service, 'Unmeasured');
    expect((await service.get<WirePrompt>(of(prompt))).body.data['audio_report']).toBeNull();
    await putReport(service, prompt, null);
    expect((await service.get<WirePrompt>(of(prompt))).body.data['audio_report']).toBeNull();
  });

  test('has more than its upload and its line in a list, which stay as they were', async ({ service }) => {
    const prompt = await add(service, 'Short elsewhere');
    await putRendition(service, prompt, 'pcm8k');
    const { body } = await service.get<{ media_prompts: WirePrompt[] }>(
      '/v3/media-prompts?name=Short%20elsewhere',
    );
    expect(body.data.media_prompts).toEqual([prompt]);
  });
});

describe('a waveform', () => {
  for (const [query, expected] of [
    [
      '?buckets=2',
      [
        [-1, 127 / 128],
        [-1 / 128, 1 / 128],
      ],
    ],
    ['?buckets=1', [[-1, 127 / 128]]],
    [
      '',
      [
        [-1, 127 / 128],
        [-0.5, 0.25],
        [0, 0],
        [-1 / 128, 1 / 128],
      ],
    ],
  ] as const) {
    test(`of four measured parts is answered for ${query || 'no query'}`, async ({ service }) => {
      const prompt = await add(service, `Drawn ${query}`);
      await putReport(service, prompt, MEASURED);
      const { status, body } = await service.get(of(prompt, `/waveform${query}`));
      expect(status).toBe(200);
      expect(body).toEqual(
        envelope({ buckets: expected.length, duration_ms: 2000, peaks: expected.map((pair) => [...pair]) }),
      );
    });
  }

  test('has 800 parts by default, and 2000 at most', async ({ service }) => {
    const prompt = await add(service, 'Long');
    await putReport(service, prompt, { ...MEASURED, peaks: Array.from({ length: 8000 }, (_, i) => i % 100) });
    for (const [query, parts] of [
      ['', 800],
      ['?buckets=2000', 2000],
    ] as const) {
      const { body } = await service.get<{ buckets: number; peaks: unknown[] }>(
        of(prompt, `/waveform${query}`),
      );
      expect([body.data.buckets, body.data.peaks.length]).toEqual([parts, parts]);
    }
  });

  test('of audio that cannot be decoded is a 404 that says so', async ({ service }) => {
    const prompt = await add(service, 'Undecodable');
    await putReport(service, prompt, null);
    const { status, body } = await service.get(of(prompt, '/waveform'));
    const message = 'The audio of this prompt cannot be decoded.';
    expect(status).toBe(404);
    expect(body).toMatchObject({
      code: 404,
      message,
      data: null,
      errors: [{ field: 'rendition', code: 'not_found', message }],
    });
  });

  test('that was never measured is a 501 without a converter', async ({ service }) => {
    const prompt = await add(service, 'Not drawn');
    const { status, headers, body } = await service.get(of(prompt, '/waveform'));
    expect(status).toBe(501);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toEqual({
      code: 501,
      message: expect.stringMatching(NO_CONVERTER),
      data: null,
      request_id: headers.get('x-request-id'),
      timestamp: expect.any(String),
    });
  });
});

describe('the url for an engine', () => {
  test('is a 501 without a converter, and is there for what was made before', async ({ service }) => {
    const prompt = await add(service, 'Made before');
    await putRendition(service, prompt, 'pcm8k');
    expect((await service.get(of(prompt, '/playback?engine=asterisk'))).status).toBe(200);
    const { status, body } = await service.get(of(prompt, '/playback?engine=twilio'));
    expect(status).toBe(501);
    expect(body).toMatchObject({ code: 501, message: expect.stringMatching(NO_CONVERTER), data: null });
    expect(body.errors).toBeUndefined();
    // The start tells of it once; not every request that comes for one.
    expect(service.logLines.filter((line) => line.includes('could not be served'))).toEqual([]);
  });

  test('of a rendition that cannot be made is a 404 with its reason', async ({ service }) => {
    const prompt = await add(service, 'Impossible');
    await failRendition(service, prompt, 'mp3', 'It holds no sound.');
    const { status, body } = await service.get(of(prompt, '/playback?engine=plivo'));
    const message = 'This rendition cannot be made: It holds no sound.';
    expect(status).toBe(404);
    expect(body).toMatchObject({
      code: 404,
      message,
      data: null,
      errors: [{ field: 'rendition', code: 'not_found', message }],
    });
  });
});

describe('what is refused', () => {
  const engine = { field: 'engine', code: 'required' };
  const id = { field: 'media_prompt_id', code: 'invalid' };
  const buckets = { field: 'buckets', code: 'invalid' };
  test.for([
    ['/1/playback', [engine]],
    ['/1/playback?engine=', [{ ...engine, code: 'invalid' }]],
    ['/1/playback?engine=pbx', [{ ...engine, code: 'invalid' }]],
    ['/1/playback?engine=asterisk&engine=sinch', [{ ...engine, code: 'invalid' }]],
    ['/1/playback?engine=asterisk&band=full', [{ field: 'band', code: 'invalid' }]],
    ['/abc/playback?band=x', [id, engine, { field: 'band', code: 'invalid' }]],
    ['/0/waveform', [id]],
    ['/x/waveform?media_prompt_id=1', [id]],
    ...['0', '2001', '-1', '1.5', '', 'all', '01'].map(
      (text) => [`/1/waveform?buckets=${text}`, [buckets]] as const,
    ),
  ] as const)('%s', async ([path, faults], { service }) => {
    const { status, body } = await service.get(`/v3/media-prompts${path}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 400, data: null });
    expect(body.errors?.map(({ field, code }) => ({ field, code }))).toEqual(faults);
  });
});

const PATHS = ['', '/playback?engine=asterisk', '/waveform'] as const;

describe('every route about the audio of a prompt', () => {
  test('answers whoever may read, and HEAD with the headers of GET', async ({ service }) => {
    const prompt = await add(service, 'Read only');
    await putRendition(service, prompt, 'pcm8k');
    await putReport(service, prompt, MEASURED);
    const reader = token({ role: 'read_only' });
    for (const path of [...PATHS.map((rest) => of(prompt, rest)), '/v3/capabilities']) {
      const get = await service.get(path, { token: reader });
      const head = await service.call('HEAD', path, { token: reader });
      expect({ path, status: get.status }).toEqual({ path, status: 200 });
      expect({ path, status: head.status, body: head.body }).toEqual({ path, status: 200, body: '' });
      for (const name of ['content-type', 'content-length']) {
        expect(head.headers.get(name), `${path} ${name}`).toBe(get.headers.get(name));
      }
    }
  });

  test('needs a token, and takes no other method', async ({ service }) => {
    for (const path of ['/v3/media-prompts/1/playback', '/v3/media-prompts/1/waveform', '/v3/capabilities']) {
      expect((await service.get(path, { token: null })).status).toBe(401);
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        const { status, headers, body } = await service.call(method, path);
        expect({ path, method, status }).toEqual({ path, method, status: 405 });
        expect(headers.get('allow')).toBe('GET, HEAD');
        expect(body).toMatchObject({ code: 405, data: null });
      }
      expect((await service.get(`${path}/more`)).status).toBe(404);
    }
  });

  test('knows nothing of a prompt outside the tree of the token, or that is gone', async ({ service }) => {
    await service.rows(
      `insert into org_units (id, parent_id, name, path) values (60, 1, 'Beside', '/1/60/')`,
    );
    const prompt = await add(service, 'Hidden audio');
    await putRendition(service, prompt, 'pcm8k');
    await putReport(service, prompt, MEASURED);
    const hidden = async (bearer: string) => {
      for (const rest of PATHS) {
        const { status, body } = await service.get(of(prompt, rest), { token: bearer });
        expect({ rest, status }).toEqual({ rest, status: 404 });
        expect(body.errors).toMatchObject([{ field: 'media_prompt_id', code: 'not_found' }]);
      }
    };
    await hidden(token({ orgUnitId: 60 }));
    expect((await service.call('DELETE', of(prompt))).status).toBe(200);
    await hidden(token());
  });
});
