import { type Browser, chromium, type Page } from 'playwright-core';
import type { Result } from './figures.ts';
import { type Filled, startFilled } from './list-pages.ts';
import { need, onStage } from './processes.ts';
import { inRounds, ratio } from './rounds.ts';

const FULL = { rounds: 7, sizes: [1_000, 100_000], units: 1_000 } as const;
const QUICK = { rounds: 1, sizes: [200], units: 10 } as const;
const CHROMIUM = '/usr/bin/chromium';
/** How much longer one may wait among many prompts than among few. */
const MOST_GROWTH = 1.2;

/** What somebody does, as a script of the page; the pause after the last key of a search is not counted. */
const ACTIONS: Readonly<Record<string, { readonly script: string; readonly pauseMs?: number }>> = {
  'sort by name': { script: "button('Name').click()" },
  'the other way round': { script: "button('Name').click()" },
  'sort by size': { script: "button('Size').click()" },
  'sort by duration': { script: "button('Duration').click()" },
  'next page': { script: "button('Next').click()" },
  'back to the newest': { script: "button('Created').click()" },
  'a type': { script: "choose('Type', 'survey')" },
  'search for a part of the name': { script: "type('Search names', '7')", pauseMs: 200 },
};

/** What the page is asked to do, and waited for until other rows are painted; resolves with the time it took, ms. */
const scriptOf = (action: string) => `new Promise((resolve) => {
  const button = (name) => [...document.querySelectorAll('main button')].find((each) => each.textContent.trim().startsWith(name));
  const field = (name) => [...document.querySelectorAll('label')].find((each) => each.textContent.startsWith(name)).querySelector('input, select');
  const change = (element, value, event) => {
    element.value = value;
    element.dispatchEvent(new Event(event, { bubbles: true }));
  };
  const type = (name, text) => change(field(name), text, 'input');
  const choose = (name, value) => change(field(name), value, 'change');
  const rows = () => [...document.querySelectorAll('tbody .name')].map((each) => each.textContent).join();
  const before = rows();
  const began = performance.now();
  ${action};
  const look = () => {
    const after = rows();
    if (after === before || after === '') requestAnimationFrame(look);
    else requestAnimationFrame(() => resolve(performance.now() - began));
  };
  look();
})`;

/** Kept from the beginning, so that the script that draws the page first is seen, too. */
const WATCH_TASKS = `window.longest = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
}).observe({ type: 'longtask', buffered: true });`;

/** ms, by what was done; and the longest task of all of it. */
interface Visit {
  readonly times: Readonly<Record<string, number>>;
  readonly longestTask: number;
}

/** How long people wait for the list of the page at `/console`, among few prompts and among many. */
export async function benchConsole({ isQuick }: { readonly isQuick: boolean }): Promise<Result> {
  const { rounds, sizes, units } = isQuick ? QUICK : FULL;
  const version = await need(CHROMIUM, '--version', 'chromium');
  return await onStage(async (stage) => {
    const filled: Record<string, Filled> = {};
    for (const prompts of sizes) {
      const name = `${prompts.toLocaleString('en')} prompts`;
      filled[name] = await startFilled(stage, `console-${prompts}`, { prompts, units });
    }
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu'],
    });
    try {
      const visits = await inRounds(
        { title: 'console', rounds, warmUp: !isQuick },
        Object.keys(filled),
        (name) => visit(browser, filled[name]),
        ({ times, longestTask }) =>
          `slowest ${Math.max(...Object.values(times)).toFixed(0)} ms, longest task ${longestTask.toFixed(0)} ms`,
      );
      return resultOf(visits, version);
    } finally {
      await browser.close();
    }
  });
}

async function visit(browser: Browser, filled: Filled | undefined): Promise<Visit> {
  if (filled === undefined) throw new Error('no such service');
  const { base, token } = filled.service;
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  try {
    const page = await context.newPage();
    await page.addInitScript(WATCH_TASKS);
    await page.goto(`${base}/console`);
    await page.getByRole('textbox').first().fill(token);
    await page.keyboard.press('Enter');
    await page.locator('tbody .name').first().waitFor();
    const times: Record<string, number> = {};
    for (const [name, { script, pauseMs = 0 }] of Object.entries(ACTIONS)) {
      times[name] = (await page.evaluate<number>(scriptOf(script))) - pauseMs;
    }
    await assertRight(page, filled);
    return { times, longestTask: await page.evaluate<number>('window.longest') };
  } finally {
    await context.close();
  }
}

/** The page shows what the API answers to the same question. */
async function assertRight(page: Page, { service }: Filled): Promise<void> {
  const query = 'message_type=survey&name=7&sort_by=created_on&sort_order=desc&limit=50';
  const answer = await fetch(`${service.base}/v3/media-prompts?${query}`, {
    headers: { authorization: `Bearer ${service.token}` },
  });
  const { data } = (await answer.json()) as { data: { media_prompts: readonly { name: string }[] } };
  const shown = await page.locator('tbody .name').allTextContents();
  if (shown.join() !== data.media_prompts.map(({ name }) => name).join()) {
    throw new Error('the page shows other prompts than the API answers');
  }
}

function resultOf(visits: Readonly<Record<string, readonly Visit[]>>, version: string): Result {
  const entries = Object.entries(visits);
  const [few, many] = [entries[0], entries.at(-1)];
  const ratios = ratio(many?.[1] ?? [], few?.[1], {
    id: 'C1',
    name: `all that is done, ms, ${many?.[0]} ÷ ${few?.[0]}`,
    most: MOST_GROWTH,
    figure: ({ times }) => Object.values(times).reduce((sum, time) => sum + time, 0),
  });
  return {
    sections: [
      {
        title: 'From the click to other rows on the screen, ms',
        columns: entries.map(([name]) => name),
        rows: [
          ...Object.keys(ACTIONS).map((action) => ({
            name: action,
            cells: entries.map(([, of]) => of.map(({ times }) => times[action] ?? Number.NaN)),
          })),
          {
            name: 'the longest task of the visit',
            cells: entries.map(([, of]) => of.map(({ longestTask }) => longestTask)),
          },
        ],
      },
    ],
    ratios,
    notes: [
      version,
      'A search begins 200 ms after the last key; these are not counted. The browser has no graphics and shares the two cores with the service.',
    ],
  };
}
