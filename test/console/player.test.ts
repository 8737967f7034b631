import type { Page } from 'playwright-core';
import { describe, expect, onTestFinished } from 'vitest';
import { promptForm } from '../support/multipart.ts';
import { untilReady } from '../support/rendering.ts';
import { startService, type TestService, token } from '../support/service.ts';
import { silence, voice, wavOf } from '../support/sound.ts';
import { test as base, eventually, expectNames, HAS_CHROMIUM, openPrompt, signIn } from './console.ts';

const test = base.extend({
  // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
  env: [({}, use) => use({ RENDITION_ENGINE: 'ffmpeg' }), { scope: 'file' }],
});

const SECONDS = 8;
/** Loud enough to be heard as it is, and with a second of silence before it. */
const speech = wavOf((time, channel) => (time < 1 ? silence(time, channel) : voice(0.5)(time, channel)), {
  seconds: SECONDS,
  rate: 22_050,
});

async function addSpeech(service: TestService, name: string) {
  const form = promptForm(name).map((part) => (part.name === 'file' ? { ...part, content: speech } : part));
  const { status, body } = await service.upload(form);
  expect(status).toBe(201);
  return body.data;
}

const clockOf = (page: Page) => page.evaluate<number>('document.querySelector("audio").currentTime');
const soundOf = (page: Page) => page.evaluate<string>('document.querySelector("audio").currentSrc');
const clipboardOf = (page: Page) => page.evaluate<string>('navigator.clipboard.readText()');

describe.skipIf(!HAS_CHROMIUM)('a prompt that is open', () => {
  test('is heard as it was uploaded and as a caller hears it, from one position', async ({
    service,
    look,
  }) => {
    const prompt = await addSpeech(service, 'To be heard');
    await untilReady(service, prompt.media_prompt_id);
    const { page, complaints } = await look();
    await signIn(page, service.base);
    await openPrompt(page, 'To be heard');
    const player = page.getByRole('region', { name: 'Player' });
    await player.locator('canvas').first().waitFor();
    await player.getByRole('button', { name: 'Play' }).click();
    await eventually(() => clockOf(page)).toBeGreaterThan(0.3);
    expect(await soundOf(page)).toBe(service.base + prompt.url);

    await player.getByRole('button', { name: 'Pause' }).click();
    const slider = player.getByRole('slider', { name: 'Position' });
    await slider.focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('Shift+ArrowRight');
    await eventually(() => clockOf(page)).toBeCloseTo(5, 1);
    expect(await slider.getAttribute('aria-valuetext')).toMatch(/^0:05\.0 of 0:08\.0$/);

    await page.keyboard.press('c');
    await eventually(() => soundOf(page)).toMatch(/-pcm8k\.wav$/);
    await eventually(() => clockOf(page)).toBeCloseTo(5, 1);
    expect(await player.getByLabel('What the caller hears').isChecked()).toBe(true);
    await page.keyboard.press(' ');
    await eventually(() => clockOf(page)).toBeGreaterThan(5.2);
    // While it plays, too.
    await page.keyboard.press('c');
    await eventually(() => soundOf(page)).toBe(service.base + prompt.url);
    await eventually(() => clockOf(page)).toBeGreaterThan(5.4);
    await page.keyboard.press(' ');

    // A click into the waveform goes there.
    const box = await player.locator('.waveform').boundingBox();
    if (box === null) throw new Error('no waveform');
    await page.mouse.click(box.x + box.width / 4, box.y + box.height / 2);
    await eventually(() => clockOf(page)).toBeCloseTo(SECONDS / 4, 0);
    expect(complaints).toEqual([]);
  });

  test('shows what was measured, once it is', async ({ service, look }) => {
    const prompt = await addSpeech(service, 'To be measured');
    const { page, complaints } = await look({ statuses: [503] });
    await signIn(page, service.base, token(), `#prompt=${prompt.media_prompt_id}`);
    await page.getByText(/^-\d+\.\d LUFS$/).waitFor({ timeout: 60_000 });
    await page.getByText('1.0 s before').waitFor();
    await page
      .getByRole('row')
      .filter({ hasText: 'To be measured' })
      .getByText(/fine|quiet|narrow|silence/)
      .waitFor();
    expect(complaints).toEqual([]);
  });

  test('gives its ID, its URL and the line for an engine to the clipboard', async ({ service, look }) => {
    const prompt = await addSpeech(service, 'To be copied');
    await untilReady(service, prompt.media_prompt_id);
    const { page, complaints } = await look();
    await signIn(page, service.base);
    await openPrompt(page, 'To be copied');
    await page.getByRole('button', { name: 'Copy the ID' }).click();
    await page.getByText('ID copied.').waitFor();
    expect(await clipboardOf(page)).toBe(String(prompt.media_prompt_id));
    await page.getByRole('button', { name: 'Copy the URL' }).click();
    await page.getByText('URL copied.').waitFor();
    expect(await clipboardOf(page)).toBe(service.base + prompt.url);

    const wav = `${service.base}/uploads/call-flow-recordings/${prompt.recording_name}-pcm8k.wav`;
    const engine = page.getByRole('region', { name: 'Give it to an engine' });
    await engine.getByText(`same => n,Playback(${wav})`).waitFor();
    await engine.getByText('It keeps its copy for 1 day.').waitFor();
    await engine.getByLabel('Line').selectOption('Wideband, 16 kHz');
    await engine.getByText('-wav16.wav16)').waitFor();
    await engine.getByLabel('Engine').selectOption('Twilio');
    await engine.getByText('<Play>').waitFor();
    await engine.getByRole('button', { name: 'Copy this text' }).click();
    await page.getByText('To paste copied.').waitFor();
    const mp3 = `${service.base}/uploads/call-flow-recordings/${prompt.recording_name}-mp3.mp3`;
    expect(await clipboardOf(page)).toBe(`<Response><Play>${mp3}</Play></Response>`);
    expect((await fetch(mp3)).status).toBe(200);
    expect(complaints).toEqual([]);
  });

  test('gives no engine the URL of the one before while it asks for its own', async ({ service, look }) => {
    const prompt = await addSpeech(service, 'To be asked for');
    await untilReady(service, prompt.media_prompt_id);
    const { page, complaints } = await look();
    await signIn(page, service.base);
    await openPrompt(page, 'To be asked for');
    const engine = page.getByRole('region', { name: 'Give it to an engine' });
    await engine.getByText('same => n,Playback(').waitFor();
    const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<void>();
    await page.route('**/playback?engine=twilio*', async (route) => {
      await mayAnswer;
      await route.continue();
    });
    await engine.getByLabel('Engine').selectOption('Twilio');
    await engine.getByRole('button', { name: 'Copy this text' }).waitFor({ state: 'detached' });
    expect(await engine.getByText(prompt.recording_name).count()).toBe(0);
    answer();
    await engine.getByText('-mp3.mp3</Play></Response>').waitFor();
    expect(complaints).toEqual([]);
  });

  test('is deleted after a question that names it', async ({ service, look }) => {
    await addSpeech(service, 'To be kept');
    const prompt = await addSpeech(service, 'To be deleted');
    // Of what is asked of a prompt the last answers may come when it is gone.
    const { page, complaints } = await look({ statuses: [404, 503] });
    await signIn(page, service.base);
    await page.getByLabel('Search names').fill('to be');
    await openPrompt(page, 'To be deleted');
    await page.getByRole('button', { name: 'Delete …' }).click();
    const dialog = page.getByRole('dialog', { name: 'Delete this prompt?' });
    await dialog.getByText('“To be deleted”').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect((await service.get(`/v3/media-prompts/${prompt.media_prompt_id}`)).status).toBe(200);
    await page.getByRole('button', { name: 'Delete …' }).click();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await page.getByText('“To be deleted” is deleted.').waitFor();
    await page.getByRole('button', { name: 'To be deleted' }).waitFor({ state: 'detached' });
    expect((await service.get(`/v3/media-prompts/${prompt.media_prompt_id}`)).status).toBe(404);
    expect(complaints).toEqual([]);
  });

  test('that somebody else deleted says so', async ({ service, look }) => {
    const { page } = await look({ statuses: [404] });
    await signIn(page, service.base, token(), '#prompt=999999');
    await page.getByText('There is no such prompt, or it was deleted.').waitFor();
  });
});

describe.skipIf(!HAS_CHROMIUM)('where playing needs a token', () => {
  test('a prompt is played with that of the page', async ({ folder, look }) => {
    const service = await startService({ PLAYBACK_ACCESS: 'token' }, { consoleFolder: folder });
    onTestFinished(() => service.close());
    await addSpeech(service, 'Behind a token');
    const { page, complaints } = await look({ base: service.base, statuses: [401] });
    await signIn(page, service.base);
    await expectNames(page, ['Behind a token']);
    await openPrompt(page, 'Behind a token');
    await eventually(() => soundOf(page)).toMatch(/^blob:/);
    await page.getByRole('button', { name: 'Play' }).click();
    await eventually(() => clockOf(page)).toBeGreaterThan(0.3);
    expect(complaints).toEqual([]);
  });
});

describe.skipIf(!HAS_CHROMIUM)('where nothing makes renditions', () => {
  test('a prompt is heard as it was uploaded, and the rest says why it is not there', async ({
    folder,
    look,
  }) => {
    const service = await startService({}, { consoleFolder: folder });
    onTestFinished(() => service.close());
    await addSpeech(service, 'Original alone');
    const { page, complaints } = await look({ base: service.base });
    await signIn(page, service.base);
    await openPrompt(page, 'Original alone');
    expect(await page.getByLabel('What the caller hears').isDisabled()).toBe(true);
    await page.getByText('Nothing is measured here').waitFor();
    await page.getByText('No waveform could be drawn.').waitFor();
    await page.getByText('Conversion is switched off.').first().waitFor();
    await page.getByRole('button', { name: 'Play' }).click();
    await eventually(() => clockOf(page)).toBeGreaterThan(0.3);
    expect(complaints).toEqual([]);
  });
});
