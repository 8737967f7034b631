import { randomBytes } from 'node:crypto';
import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { addOrgUnit } from '../../src/catalogue/org-units.ts';
import { fixture, fixturePath } from '../support/multipart.ts';
import { token } from '../support/service.ts';
import { noise } from '../support/wav.ts';
import { eventually, HAS_CHROMIUM, signIn, test } from './console.ts';

const wav = (name: string, bytes: number) => ({
  name,
  mimeType: 'audio/wav',
  buffer: noise(bytes, randomBytes(2).readUInt16LE()),
});

async function openUpload(page: Page, base: string, bearer = token()): Promise<void> {
  await signIn(page, base, bearer, '#view=upload');
  await page.getByRole('heading', { name: 'Upload' }).waitFor();
}

const choose = (page: Page, files: Parameters<ReturnType<Page['locator']>['setInputFiles']>[0]) =>
  page.getByLabel('Choose files').setInputFiles(files);
const lineOf = (page: Page, file: string) => page.getByRole('listitem').filter({ hasText: file });
const MEGABYTE = 1_048_576;

/** A line on which one can watch an upload. */
async function slowDown(page: Page, bytesPerSecond: number): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Network.enable');
  await devtools.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSecond,
  });
}

describe.skipIf(!HAS_CHROMIUM)('uploading', () => {
  test('takes many files, under names that can be changed, and they are in the list', async ({
    service,
    look,
  }) => {
    const { page, complaints } = await look();
    await openUpload(page, service.base);
    await page.getByLabel('Type of new files').selectOption('Voicemail');
    await choose(page, [fixturePath('welcome.wav'), fixturePath('tone.mp3'), fixturePath('opus.ogg')]);
    expect(await lineOf(page, 'tone.mp3').getByLabel('Name', { exact: true }).inputValue()).toBe('tone');
    await lineOf(page, 'tone.mp3').getByLabel('Name', { exact: true }).fill('After hours');
    await lineOf(page, 'opus.ogg').getByLabel('Type').selectOption('Survey');
    await page.getByRole('button', { name: 'Upload 3 files' }).click();
    await page.getByText('3 files uploaded.').waitFor();
    const { body } = await service.get<{
      media_prompts: { name: string; message_type: string; sha256: string }[];
    }>('/v3/media-prompts?sort_by=name&sort_order=asc');
    expect(body.data.media_prompts.map(({ name, message_type }) => [name, message_type])).toEqual([
      ['After hours', 'voicemail'],
      ['opus', 'survey'],
      ['welcome', 'voicemail'],
    ]);
    await lineOf(page, 'tone.mp3').getByRole('button', { name: 'Listen' }).click();
    await page.getByRole('heading', { name: 'After hours' }).waitFor();
    expect(complaints).toEqual([]);
  });

  test('goes on after one that is refused, says why at its field, and tries again', async ({
    service,
    look,
  }) => {
    const unit = await addOrgUnit(service.db, { name: 'Closing down', parentId: 1 });
    const { page, complaints } = await look({ statuses: [400, 404] });
    await openUpload(page, service.base);
    await choose(page, [
      { name: 'taken.wav', mimeType: 'audio/wav', buffer: fixture('tone.wav') },
      { name: 'picture.wav', mimeType: 'audio/wav', buffer: fixture('picture.png') },
      { name: 'nobody.wav', mimeType: 'audio/wav', buffer: fixture('tone.wav') },
      { name: 'TAKEN.mp3', mimeType: 'audio/mpeg', buffer: fixture('tone.mp3') },
      { name: 'good.wav', mimeType: 'audio/wav', buffer: fixture('tone.wav') },
      { name: 'nothing.wav', mimeType: 'audio/wav', buffer: Buffer.alloc(0) },
    ]);
    await lineOf(page, 'nobody.wav').getByRole('combobox', { name: 'Org unit' }).fill('closing');
    await lineOf(page, 'nobody.wav').getByRole('option', { name: 'Closing down' }).click();
    await service.rows('delete from org_units where id = $1', [unit?.id]);
    await page.getByRole('button', { name: 'Upload 6 files' }).click();
    await lineOf(page, 'good.wav').getByText('Uploaded', { exact: true }).waitFor();
    await lineOf(page, 'picture.wav')
      .getByText(/looks like PNG/)
      .waitFor();
    await lineOf(page, 'nothing.wav').getByText('The file is empty.').waitFor();
    const nobody = lineOf(page, 'nobody.wav').getByRole('combobox', { name: 'Org unit' });
    await eventually(() => nobody.getAttribute('aria-invalid')).toBe('true');
    // Whichever of the two came first has the name.
    const second = page
      .getByRole('listitem')
      .filter({ hasText: /taken/i })
      .filter({ hasText: 'Not uploaded' });
    const name = second.getByLabel('Name', { exact: true });
    expect(await name.getAttribute('aria-invalid')).toBe('true');
    await second
      .getByText(/taken|already/i)
      .last()
      .waitFor();
    await name.fill('Another name');
    expect(await name.getAttribute('aria-invalid')).toBe('false');
    await second.getByRole('button', { name: 'Try again' }).click();
    await eventually(
      async () =>
        (await service.get<{ total: number }>('/v3/media-prompts?name=Another name')).body.data.total,
    ).toBe(1);
    expect(complaints).toEqual([]);
  });

  test('shows how far and how fast it is, sends three at once, and can be cancelled', async ({
    service,
    look,
  }) => {
    const { page, complaints } = await look();
    const running = { now: 0, most: 0 };
    const isUpload = (request: { method(): string }) => request.method() === 'POST';
    page.on('request', (request) => {
      if (isUpload(request)) running.most = Math.max(running.most, ++running.now);
    });
    for (const end of ['requestfinished', 'requestfailed'] as const) {
      page.on(end as 'requestfinished', (request) => {
        if (isUpload(request)) running.now -= 1;
      });
    }
    await openUpload(page, service.base);
    await slowDown(page, 2 * MEGABYTE);
    const files = ['one', 'two', 'three', 'four', 'five'];
    await choose(
      page,
      files.map((name) => wav(`${name}.wav`, 2 * MEGABYTE)),
    );
    await page.getByRole('button', { name: 'Upload 5 files' }).click();
    const first = lineOf(page, 'one.wav');
    await first.getByText(/^[1-9]\d?% · [\d.]+ (kB|MB|byte)\/s$/).waitFor();
    const bar = first.getByRole('progressbar', { name: 'Upload of one' });
    expect(Number(await bar.getAttribute('value'))).toBeGreaterThan(0);
    await lineOf(page, 'five.wav').getByText('Waiting for its turn').waitFor();
    await page.getByRole('link', { name: /Upload.*5 running/ }).waitFor();
    expect(running.most).toBe(3);
    await page.getByRole('button', { name: 'Cancel the upload of two' }).click();
    await lineOf(page, 'two.wav').getByText('Cancelled').waitFor();

    // Leaving would lose them: the browser asks.
    const asked = page.waitForEvent('dialog');
    await page.getByRole('heading', { name: 'Upload' }).click();
    void page.close({ runBeforeUnload: true });
    const question = await asked;
    expect(question.type()).toBe('beforeunload');
    await question.dismiss();

    await slowDown(page, -1);
    for (const name of ['one', 'three', 'four', 'five']) {
      await lineOf(page, `${name}.wav`).getByText('Uploaded', { exact: true }).waitFor({ timeout: 60_000 });
    }
    const { body } = await service.get<{ total: number }>('/v3/media-prompts?name=two');
    expect(body.data.total).toBe(0);
    await lineOf(page, 'two.wav').getByRole('button', { name: 'Try again' }).click();
    await lineOf(page, 'two.wav').getByText('Uploaded', { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  test('takes files that are dropped anywhere on the page', async ({ service, look }) => {
    const { page, complaints } = await look();
    await signIn(page, service.base);
    const dropped = await page.evaluateHandle(`(() => {
      const dropped = new DataTransfer();
      dropped.items.add(new File([new Uint8Array(100)], 'Dropped here.wav'));
      return dropped;
    })()`);
    await page.dispatchEvent('body', 'dragenter', { dataTransfer: dropped });
    await page.getByText('Drop to upload').waitFor();
    await page.dispatchEvent('body', 'drop', { dataTransfer: dropped });
    await page.getByText('Drop to upload').waitFor({ state: 'detached' });
    expect(await lineOf(page, 'Dropped here.wav').getByLabel('Name', { exact: true }).inputValue()).toBe(
      'Dropped here',
    );
    expect(complaints).toEqual([]);
  });

  test('waits for a new token when the service refuses the old one, and goes on with it', async ({
    service,
    look,
  }) => {
    const { page, complaints } = await look({ statuses: [401] });
    // Of a browser whose clock is late only the service knows that a token is over.
    await page.clock.install({ time: Date.now() - 3_600_000 });
    const bearer = token({ expiresIn: '15s' });
    await openUpload(page, service.base, bearer);
    await choose(page, [wav('patient.wav', 50_000)]);
    await eventually(async () => (await service.get('/v3/capabilities', { token: bearer })).status).toBe(401);
    await page.getByRole('button', { name: 'Upload 1 file' }).click();
    const dialog = page.getByRole('dialog', { name: 'Sign in' });
    await lineOf(page, 'patient.wav').getByText('Waiting for its turn').waitFor();
    await dialog.getByLabel('Token, or a link').fill(token());
    await dialog.getByRole('button', { name: 'Sign in' }).click();
    await dialog.waitFor({ state: 'detached' });
    await lineOf(page, 'patient.wav').getByText('Uploaded', { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });
});
