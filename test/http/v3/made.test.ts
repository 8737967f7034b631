import { randomUUID } from 'node:crypto';
import { describe, expect, onTestFinished, type TestContext, vi } from 'vitest';
import { RENDITIONS } from '../../../src/audio/renditions.ts';
import { promptForm } from '../../support/multipart.ts';
import { KINDS, pathOf, WITHOUT_CONVERTER } from '../../support/renditions.ts';
import { test as base, startService, type TestService, type WirePrompt } from '../../support/service.ts';

// A converter has a low priority, and other tests run beside it.
vi.setConfig({ testTimeout: 180_000 });

const WITH_CONVERTER = { RENDITION_ENGINE: 'auto' } as const;

const test = base.extend<{ service: TestService }>({
  service: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await startService(WITH_CONVERTER);
      await use(service);
      await service.close();
    },
    { scope: 'file' },
  ],
});

/** What is made while somebody waits; on a machine without any converter there is nothing to see. */

interface Rendition {
  readonly rendition: string;
  readonly state: string;
  readonly file_size: number | null;
  readonly sha256: string | null;
  readonly codec: string;
  readonly sample_rate: number;
}

async function needConverter(service: TestService, skip: TestContext['skip']): Promise<void> {
  const { body } = await service.get<{ converter: string; reason: string }>('/v3/capabilities');
  skip(body.data.converter === 'none', body.data.reason);
}

async function addPrompt(service: TestService, name: string, audio = 'welcome.wav'): Promise<WirePrompt> {
  return (await service.upload(promptForm(name, {}, audio))).body.data;
}

/** Asks again as long as something is not made yet: how long that takes is up to the machine. */
async function patiently<T extends { readonly status: number }>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer.status !== 503) return answer;
  }
}

const of = ({ media_prompt_id: id }: WirePrompt, rest = '') => `/v3/media-prompts/${id}${rest}`;

describe('where something converts', () => {
  test('capabilities tell what it is', async ({ service, skip }) => {
    await needConverter(service, skip);
    const { body } = await service.get('/v3/capabilities');
    expect(body.data).toMatchObject({
      converter: expect.stringMatching(/^(ffmpeg|wasm)$/),
      version: expect.stringMatching(/\d/),
      reason: expect.stringMatching(/\.$/),
    });
  });

  test('the url for an engine plays what it said, at once after the upload', async ({ service, skip }) => {
    await needConverter(service, skip);
    const prompt = await addPrompt(service, 'At once');
    const { status, body } = await patiently(() =>
      service.get<{ url: string; content_type: string; file_size: number }>(
        of(prompt, '/playback?engine=asterisk&band=wide'),
      ),
    );
    expect(status).toBe(200);
    const { url, content_type: type, file_size: size } = body.data;
    expect(url).toBe(pathOf(prompt, 'wav16'));
    const response = await fetch(service.base + url);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(type);
    expect((await response.arrayBuffer()).byteLength).toBe(size);
  });

  test('a rendition is made once for all who ask for it before it is there', async ({ service, skip }) => {
    await needConverter(service, skip);
    const prompt = await addPrompt(service, 'Awaited');
    const replies = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const response = await patiently(() => fetch(service.base + pathOf(prompt, 'pcm8k')));
        return { status: response.status, etag: response.headers.get('etag') };
      }),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(replies.map(({ etag }) => etag)).size).toBe(1);
  });

  test('a prompt tells of all that was made, what was measured, and how it looks', async ({
    service,
    skip,
  }) => {
    await needConverter(service, skip);
    const prompt = await addPrompt(service, 'All made');
    expect((await patiently(() => service.get(of(prompt, '/playback?engine=browser')))).status).toBe(200);
    const { body } = await service.get<WirePrompt>(of(prompt));
    const renditions = body.data['renditions'] as Rendition[];
    expect(renditions.map(({ rendition, state }) => [rendition, state])).toEqual(
      KINDS.map((kind) => [kind, 'ready']),
    );
    for (const kind of KINDS) {
      const told = renditions.find(({ rendition }) => rendition === kind);
      const { codec, sampleRate } = RENDITIONS[kind];
      expect(told).toMatchObject({ codec, sample_rate: sampleRate });
      const response = await fetch(service.base + pathOf(prompt, kind));
      expect((await response.arrayBuffer()).byteLength).toBe(told?.file_size);
      expect(response.headers.get('etag')).toBe(`"${told?.sha256?.slice(0, 32)}"`);
    }
    const report = body.data['audio_report'] as Record<string, number>;
    expect(report['loudness_lufs']).toBeLessThan(0);
    expect(Math.abs((report['decoded_duration_ms'] ?? 0) - 2686)).toBeLessThanOrEqual(60);

    const drawn = await service.get<{ buckets: number; duration_ms: number; peaks: [number, number][] }>(
      of(prompt, '/waveform?buckets=50'),
    );
    expect(drawn.status).toBe(200);
    expect(drawn.body.data.peaks).toHaveLength(50);
    expect(Math.min(...drawn.body.data.peaks.map(([least]) => least))).toBeLessThan(0);
    expect(drawn.body.data.duration_ms).toBe(report['decoded_duration_ms']);
  });

  test('a waveform that is asked for at once waits for what it is drawn from', async ({ service, skip }) => {
    await needConverter(service, skip);
    const prompt = await addPrompt(service, 'Drawn at once');
    expect((await patiently(() => service.get(of(prompt, '/waveform')))).status).toBe(200);
  });

  test('what takes longer than ten seconds is a 503 that says when to ask again', async ({
    service: converting,
    skip,
  }) => {
    await needConverter(converting, skip);
    const { dataDir, databaseUrl } = converting;
    const other = await startService(WITHOUT_CONVERTER, { dataDir, databaseUrl });
    onTestFinished(() => other.close({ data: true }));
    // Nobody gets at it: somebody else holds it, and gives no sign.
    const prompt = await addPrompt(other, 'Held');
    await converting.rows(
      `insert into rendition_jobs (recording_id, org_unit_id, priority, holder, due_at)
       select id, 1, 1, $2, now() + interval '1 hour' from recordings where blob_name = $1
       on conflict (recording_id) do update set holder = excluded.holder, due_at = excluded.due_at`,
      [prompt.recording_name, randomUUID()],
    );
    const answers = await Promise.all([
      converting.get(of(prompt, '/playback?engine=asterisk')),
      converting.get(of(prompt, '/waveform')),
      converting.get(pathOf(prompt, 'mp3')),
    ]);
    for (const { status, headers, body } of answers) {
      expect(status).toBe(503);
      expect(headers.get('retry-after')).toBe('2');
      expect(body).toMatchObject({
        code: 503,
        message: 'This rendition is not made yet; try again in a moment.',
        data: null,
      });
    }
    const { body } = await converting.get<WirePrompt>(of(prompt));
    const renditions = body.data['renditions'] as Rendition[];
    expect(renditions.map(({ state }) => state)).toEqual(KINDS.map(() => 'pending'));
  });
});
