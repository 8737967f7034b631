import { expect } from 'vitest';
import { fixture, promptForm } from '../support/multipart.ts';
import { type TestService, test } from '../support/service.ts';

async function figure(service: TestService, line: string): Promise<number> {
  const response = await fetch(`${service.base}/metrics`);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
  const found = (await response.text()).split('\n').find((text) => text.startsWith(`${line} `));
  return Number(found?.slice(line.length + 1));
}

test('what is kept for playing, and how often it was of use, can be observed', async ({ service }) => {
  const { body } = await service.upload(promptForm('Observed'));
  const play = async () => {
    const response = await fetch(service.base + body.data.url);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(fixture('tone.wav'));
  };
  await expect
    .poll(async () => {
      await play();
      return await figure(service, 'media_prompts_playback_cache_bytes');
    })
    .toBe(fixture('tone.wav').byteLength);
  const hit = 'media_prompts_playback_cache_requests_total{result="hit"}';
  const before = await figure(service, hit);
  await play();
  expect(await figure(service, hit)).toBe(before + 1);
  expect(await figure(service, 'media_prompts_playback_cache_recordings')).toBe(1);
});

test('how many recordings have their renditions made now can be observed', async ({ service }) => {
  await expect.poll(() => figure(service, 'media_prompts_rendering'), { timeout: 30_000 }).toBe(0);
  for (const outcome of ['made', 'failed', 'postponed']) {
    expect(await figure(service, `media_prompts_rendition_jobs_total{outcome="${outcome}"}`)).toBe(0);
  }
});

test('answers are timed by route, and no url, name or token is among the labels', async ({ service }) => {
  const { body } = await service.upload(promptForm('Secret name'));
  await service.get(`/v3/media-prompts/${body.data.media_prompt_id}`);
  const text = await (await fetch(`${service.base}/metrics`)).text();
  expect(text).toContain('route="/v3/media-prompts/:media_prompt_id"');
  expect(text).not.toMatch(/Secret name|file-\d{13}|eyJ/);
});

test('a recording at hand is answered as one that is not, header for header', async ({ service }) => {
  const { body } = await service.upload(promptForm('Both lanes'));
  const ask = async (method: string, headers: Readonly<Record<string, string>>) => {
    const response = await fetch(service.base + body.data.url, { method, headers });
    const names = [...response.headers].filter(([name]) => !['date', 'x-request-id'].includes(name));
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    return { status: response.status, names, bytes: Buffer.from(await response.arrayBuffer()) };
  };
  const requests = [
    ['GET', {}],
    ['HEAD', {}],
    ['GET', { range: 'bytes=10-19' }],
    ['GET', { range: 'bytes=-5' }],
    ['GET', { 'if-none-match': '*' }],
    ['GET', { range: 'bytes=99999999-' }],
    ['GET', { 'if-match': '"other"' }],
  ] as const;
  const answers = [];
  for (const [method, headers] of requests) {
    answers.push(await ask(method, headers));
  }
  await expect
    .poll(async () => {
      await ask('GET', {});
      return await figure(service, 'media_prompts_playback_at_once_total{status="200"}');
    })
    .toBeGreaterThan(0);
  for (const [i, [method, headers]] of requests.entries()) {
    const again = await ask(method, headers);
    expect(again.status).toBe(answers[i]?.status);
    if (again.status < 400) expect(again).toEqual(answers[i]);
  }
});
