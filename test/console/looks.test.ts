import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { fixture, promptForm } from '../support/multipart.ts';
import { untilReady } from '../support/rendering.ts';
import { token } from '../support/service.ts';
import { test as base, HAS_CHROMIUM, signIn } from './console.ts';

const test = base.extend({
  // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
  env: [({}, use) => use({ RENDITION_ENGINE: 'ffmpeg' }), { scope: 'file' }],
});

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What WCAG 2.2 AA and good practice find wrong, each with the element. */
async function faultsOf(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE);
  return await page.evaluate<string[]>(`axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => id + ': ' + html + failureSummary)))`);
}

/** Every main state of the page, by the way that leads there. */
const STATES: Readonly<Record<string, (page: Page, base: string) => Promise<void>>> = {
  'signing in': async (page, base) => {
    await page.goto(`${base}/console`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('Paste a token first.').waitFor();
  },
  'the list': async (page, base) => {
    await signIn(page, base);
    await page.getByText('Main menu').waitFor();
  },
  'choosing an org unit': async (page, base) => {
    await signIn(page, base);
    await page.getByText('Main menu').waitFor();
    await page.getByRole('combobox', { name: 'Org unit' }).fill('sales');
    await page.getByRole('listbox').getByRole('option', { selected: true }).waitFor();
  },
  'no org unit of that name': async (page, base) => {
    await signIn(page, base);
    await page.getByRole('combobox', { name: 'Org unit' }).fill('nowhere');
    await page.getByText('No org unit that you reach').waitFor();
  },
  'a prompt': async (page, base) => {
    await signIn(page, base, token(), '#prompt=1');
    await page.locator('canvas').first().waitFor();
    await page.getByText('It keeps its copy').waitFor();
    await page.getByText('The file', { exact: true }).click();
  },
  'the question before a delete': async (page, base) => {
    await signIn(page, base, token(), '#prompt=1');
    await page.getByRole('button', { name: 'Delete …' }).click();
    await page.getByRole('dialog').waitFor();
  },
  uploading: async (page, base) => {
    await signIn(page, base, token(), '#view=upload');
    await page.getByLabel('Choose files').setInputFiles([
      { name: 'tone.mp3', mimeType: 'audio/mpeg', buffer: fixture('tone.mp3') },
      { name: 'Main menu.wav', mimeType: 'audio/wav', buffer: fixture('tone.wav') },
      { name: 'picture.wav', mimeType: 'audio/wav', buffer: fixture('picture.png') },
    ]);
    await page.getByLabel('Name', { exact: true }).nth(1).waitFor();
    await page.getByRole('button', { name: /^Upload 3/ }).click();
    await page.getByText(/looks like PNG/).waitFor();
    await page.getByText('Not uploaded').nth(1).waitFor();
  },
  'an expired token': async (page, base) => {
    await page.clock.install();
    await signIn(page, base);
    await page.clock.fastForward('01:00:01');
    await page.getByRole('dialog', { name: 'Sign in' }).waitFor();
  },
};

describe.skipIf(!HAS_CHROMIUM)('the page', () => {
  for (const [state, reach] of Object.entries(STATES)) {
    for (const isDark of [false, true]) {
      for (const width of [1280, 360]) {
        test(`is for everybody: ${state}, ${isDark ? 'dark' : 'light'}, ${width} px`, async ({
          service,
          look,
        }) => {
          await service.rows(`insert into org_units (id, parent_id, name, path)
            values (2, 1, 'Sales', '/1/2/'), (3, 2, 'Sales in the north', '/1/2/3/') on conflict do nothing`);
          const first = await service.upload(promptForm('Main menu', {}, 'welcome.wav'));
          if (first.status === 201) await untilReady(service, first.body.data.media_prompt_id);
          const { page } = await look({ isDark, width, statuses: [400, 401] });
          await reach(page, service.base);
          expect(await faultsOf(page)).toEqual([]);
          // Nothing is pushed out of the page sideways.
          const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
          expect(wide).toBeLessThanOrEqual(width);
        });
      }
    }
  }

  test('says what it is, in which language, and asks nobody but the service', async ({ service, look }) => {
    const { page, urls, complaints } = await look();
    await signIn(page, service.base);
    expect(await page.title()).toBe('Prompts – media-prompts');
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    const description = await page.locator('meta[name=description]').getAttribute('content');
    expect(description?.length).toBeGreaterThan(30);
    expect(new Set(urls.map((url) => new URL(url).origin))).toEqual(new Set([service.base]));
    expect(complaints).toEqual([]);
  });
});
