import process from 'node:process';
import { loadSection, type Measured, type Result, type Row } from './figures.ts';
import {
  CONNECTIONS,
  checkTotals,
  FIRST_PAGE,
  type Filled,
  type ListPage,
  listed,
  type Page,
  pageOf,
  readInRounds,
  startFilled,
  TREE_PAGE,
} from './list-pages.ts';
import { compareWorkers } from './list-workers.ts';
import { freeAddress, need, onStage, type Stage, start } from './processes.ts';
import { ratio } from './rounds.ts';

const FULL = { rounds: 7, seconds: 3, units: 10_000, large: 1_000_000, small: 100_000 } as const;
const QUICK = { rounds: 1, seconds: 0.2, units: 100, large: 10_000, small: 2_000 } as const;

const rate = ({ requestsPerSecond }: Measured) => requestsPerSecond;
const cpu = ({ cpuPerRequest }: Measured) => cpuPerRequest;

/**
 * Pages of a list over a million prompts, against a bare query over the same rows; and against itself over a tenth
 * of them, and on its last page.
 */
export async function benchLists({ isQuick }: { readonly isQuick: boolean }): Promise<Result> {
  const { rounds, seconds, units, ...sizes } = isQuick ? QUICK : FULL;
  const wrk = await need('wrk', '-v', 'wrk');
  return await onStage(async (stage) => {
    const [large, small] = await Promise.all([
      startFilled(stage, 'large', { units, prompts: sizes.large }),
      startFilled(stage, 'small', { units, prompts: sizes.small }),
    ]);
    const first = await pageOf(large, FIRST_PAGE);
    const pages = {
      'first page': first,
      'last page by cursor': await pageOf(large, `${FIRST_PAGE}&cursor=${await lastCursor(large)}`),
      'first page of a tenth': await pageOf(small, FIRST_PAGE),
      'whole tree': await pageOf(large, TREE_PAGE),
      'whole tree of a tenth': await pageOf(small, TREE_PAGE),
      'bare pg, no total': await startBare(stage, large, first),
    };
    for (const service of [large, small]) await checkTotals(service);
    const found = await readInRounds({ title: 'lists', rounds, warmUp: !isQuick }, pages, seconds);
    const section = loadSection(
      `Pages of 50 from ${sizes.large} prompts in ${units} units, c=${CONNECTIONS}`,
      found,
      { withGb: false },
    );
    const workers = await compareWorkers(
      stage,
      large,
      { title: 'workers', rounds, warmUp: !isQuick },
      seconds,
    );
    return {
      sections: [section, workers.section],
      ratios: [...ratiosOf(found), ...workers.ratios],
      notes: [wrk],
    };
  });
}

function ratiosOf(found: Readonly<Record<string, readonly Measured[]>>): readonly Row[] {
  const of = (name: string) => found[name] ?? [];
  const first = of('first page');
  const bare = 'page of 50 with an exact total ÷ bare pg without one';
  const time = (of: Measured) => 1 / rate(of);
  return [
    ...ratio(first, of('bare pg, no total'), {
      id: 'L1',
      name: `${bare}, requests/s`,
      least: 1.2,
      figure: rate,
    }),
    ...ratio(first, of('bare pg, no total'), { name: `${bare}, CPU/request`, figure: cpu }),
    ...ratio(of('last page by cursor'), first, {
      id: 'L2',
      name: 'deepest cursor page ÷ first page, time',
      most: 1.5,
      figure: time,
    }),
    ...ratio(first, of('first page of a tenth'), {
      id: 'L2',
      name: 'all prompts ÷ a tenth of them, time',
      most: 1.5,
      figure: time,
    }),
    ...ratio(of('whole tree'), of('whole tree of a tenth'), {
      id: 'L2',
      name: 'the same, a page of the whole tree',
      most: 1.5,
      figure: time,
    }),
  ];
}

/** The peer reads the same rows of the same database, which works for one of the two at a time. */
async function startBare(stage: Stage, { databaseUrl, roots }: Filled, ours: Page): Promise<Page> {
  const { port, base } = await freeAddress();
  const peer = ['bench/peers/bare-list.ts', String(port), databaseUrl];
  const server = await stage.keep(start([process.execPath, ...peer], base));
  const url = `${base}/?${FIRST_PAGE}`;
  const text = await (await fetch(url)).text();
  const theirs = (JSON.parse(text) as readonly { readonly id: string }[]).map(({ id }) => Number(id));
  const { media_prompts } = await listed(ours.url, ours.token);
  if (JSON.stringify(theirs) !== JSON.stringify(media_prompts.map(({ media_prompt_id: id }) => id))) {
    throw new Error('the service and the bare query do not list the same prompts');
  }
  return { url, token: '', roots: [server.pid, ...roots.slice(1)], length: Buffer.byteLength(text) };
}

/** Found by paging in big steps to the end; also sees that every prompt is listed once. */
async function lastCursor({ service }: Filled): Promise<string> {
  const url = `${service.base}/v3/media-prompts?${FIRST_PAGE.replace('limit=50', 'limit=200')}`;
  const seen = new Set<number>();
  let cursor: string | null = null;
  for (;;) {
    const page: ListPage = await listed(cursor === null ? url : `${url}&cursor=${cursor}`, service.token);
    for (const { media_prompt_id: id } of page.media_prompts) seen.add(id);
    if (page.next_cursor === null) {
      if (seen.size !== page.total || cursor === null) {
        throw new Error(`${seen.size} prompts listed of ${page.total}`);
      }
      return cursor;
    }
    cursor = page.next_cursor;
  }
}
