import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { expect, onTestFinished, vi } from 'vitest';
import { test as base, startService, type TestService, token } from '../support/service.ts';

// A browser beside other tests on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** What is waited for a page on a busy machine, ms. */
const PATIENCE = 30_000;

/** Looks again and again until it is as it should be. */
export const eventually = <T>(look: () => T) => expect.poll(look, { timeout: PATIENCE });

export const CHROMIUM = '/usr/bin/chromium';
export const HAS_CHROMIUM = existsSync(CHROMIUM);

/** Builds the page as `npm run build` does, into a folder of its own that goes with the test or the file. */
export async function buildPage(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-console-'));
  await build({ configFile: 'console/vite.config.ts', build: { outDir: folder } });
  return folder;
}

/** A page that a test looks at, and what a person with open developer tools would complain of. */
export interface Seen {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the browser logged as errors, requests that failed, and requests to anybody but the service. */
  readonly complaints: string[];
  /** Every url that was asked for. */
  readonly urls: string[];
}

interface Looking {
  /** Statuses that a test provokes, of which the browser logs every one. */
  readonly statuses?: readonly number[];
  readonly width?: number;
  readonly isDark?: boolean;
  readonly base?: string;
}

/** The built page, a service that serves it, and a browser: one of each for a file. */
export const test = base.extend<{
  env: Readonly<Record<string, string>>;
  folder: string;
  service: TestService;
  browser: Browser;
  look: (options?: Looking) => Promise<Seen>;
}>({
  // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
  env: [({}, use) => use({}), { scope: 'file' }],
  folder: [
    // biome-ignore lint/correctness/noEmptyPattern: as above.
    async ({}, use) => {
      const folder = await buildPage();
      await use(folder);
      await rm(folder, { recursive: true });
    },
    { scope: 'file' },
  ],
  service: [
    async ({ env, folder }, use) => {
      const service = await startService(env, { consoleFolder: folder });
      await use(service);
      await service.close();
    },
    { scope: 'file' },
  ],
  browser: [
    // biome-ignore lint/correctness/noEmptyPattern: as above.
    async ({}, use) => {
      const browser = await chromium.launch({
        executablePath: CHROMIUM,
        args: ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required'],
      });
      await use(browser);
      await browser.close();
    },
    { scope: 'file' },
  ],
  look: async ({ browser, service }, use) => {
    await use(async ({ statuses = [], width = 1280, isDark = false, base: at = service.base } = {}) => {
      const context = await browser.newContext({
        viewport: { width, height: 900 },
        colorScheme: isDark ? 'dark' : 'light',
        reducedMotion: 'reduce',
        locale: 'en-GB',
        timezoneId: 'UTC',
      });
      onTestFinished(() => context.close());
      await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: at });
      const page = await context.newPage();
      return { page, context, ...watch(page, at, statuses) };
    });
  },
});

function watch(page: Page, base: string, statuses: readonly number[]): Pick<Seen, 'complaints' | 'urls'> {
  const complaints: string[] = [];
  const urls: string[] = [];
  page.on('console', (message) => {
    const isExpected = statuses.some((status) => message.text().includes(`status of ${status}`));
    if (message.type() === 'error' && !isExpected) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    urls.push(request.url());
    if (!request.url().startsWith(base) && !request.url().startsWith('blob:')) complaints.push(request.url());
  });
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText;
    // What nobody waits for any more is taken back.
    if (why !== 'net::ERR_ABORTED') complaints.push(`${request.url()}: ${why}`);
  });
  return { complaints, urls };
}

/** Opens the page and signs in by pasting a token. */
export async function signIn(page: Page, base: string, bearer = token(), place = ''): Promise<void> {
  await page.goto(`${base}/console${place}`);
  await page.getByLabel('Token, or a link').fill(bearer);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Views' }).waitFor();
}

/** The names in the list, from above. */
export const namesIn = (page: Page): Promise<string[]> =>
  page.getByRole('table', { name: 'Prompts' }).getByRole('rowheader').getByRole('button').allTextContents();

export async function expectNames(page: Page, names: readonly string[]): Promise<void> {
  await eventually(() => namesIn(page)).toEqual(names);
}

export const openPrompt = (page: Page, name: string): Promise<void> =>
  page.getByRole('button', { name, exact: true }).click();
