import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { startDatabase } from './databases.ts';
import { machine, type Row, say, table } from './figures.ts';
import { BIG_UNIT, fill } from './million.ts';
import { startService } from './our-service.ts';
import { type Aim, inPairs } from './pairs.ts';
import { output, start } from './processes.ts';

const PORTS = { large: 3330, small: 3331, bare: 3332 } as const;
const FIRST_PAGE = `org_unit_id=${BIG_UNIT}&message_type=whisper&limit=50`;

/** A url that is asked for again and again. */
interface Target {
  readonly url: string;
  readonly token: string;
}

/**
 * Pages of a list over a million prompts, against a bare query over the same rows; and against itself over a tenth
 * of them, and on its last page.
 */
export async function benchLists({ isQuick }: { readonly isQuick: boolean }): Promise<void> {
  const pairs = isQuick ? 1 : 7;
  const seconds = isQuick ? 1 : 3;
  const sizes = isQuick ? { large: 20_000, small: 2_000 } : { large: 1_000_000, small: 100_000 };
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-bench-'));
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const serve = async (name: 'large' | 'small') => {
      const database = await startDatabase(join(folder, name, 'database'));
      stops.push(() => database.stop());
      const settings = { DATABASE_URL: database.url };
      const service = await startService(join(folder, name), PORTS[name], settings);
      stops.push(() => service.stop());
      say(`  filling ${name}: ${sizes[name]} prompts`);
      await fill(database.url, { units: isQuick ? 100 : 10_000, prompts: sizes[name] });
      return { service, database };
    };
    const large = await serve('large');
    const small = await serve('small');
    const peer = ['bench/peers/bare-list.ts', String(PORTS.bare), large.database.url];
    const bare = await start([process.execPath, ...peer], `http://127.0.0.1:${PORTS.bare}`);
    stops.push(() => bare.stop());

    const page = ({ service }: typeof large, query: string): Target => ({
      url: `${service.base}/v3/media-prompts?${query}`,
      token: service.token,
    });
    const first = page(large, FIRST_PAGE);
    const last = page(large, `${FIRST_PAGE}&cursor=${await lastCursor(first)}`);
    const rows: Row[] = [];
    const compare = async (ours: Target, other: Target, aim: Omit<Aim<number>, 'figure'>) => {
      const aims = [{ ...aim, figure: (value: number) => value }];
      rows.push(...(await inPairs(pairs, [ours, other], (target) => rate(target, seconds), aims)));
    };

    say(`lists, ${pairs} pairs of ${seconds} s`);
    await compare(
      first,
      { url: `${bare.base}/?${FIRST_PAGE}`, token: '' },
      { name: 'page of 50 with an exact total, requests/s ÷ bare pg without one', least: 1.2 },
    );
    await compare(first, last, { name: 'first page ÷ last page by cursor', most: 1.5 });
    await compare(page(small, FIRST_PAGE), first, { name: '100 k prompts ÷ 1 M prompts', most: 1.5 });
    const tree = (of: typeof large) => page(of, 'limit=50');
    await compare(tree(small), tree(large), {
      name: 'whole tree of 10 k units: 100 k ÷ 1 M prompts',
      most: 1.5,
    });
    say(`\n${machine()}\n\n${table(rows)}\n`);
    await writeFile(resolve('bench/list.json'), `${JSON.stringify({ machine: machine(), rows }, null, 2)}\n`);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

async function rate({ url, token }: Target, seconds: number): Promise<number> {
  const report = await output([
    'wrk',
    '-t1',
    '-c8',
    `-d${seconds}s`,
    '-H',
    `Authorization: Bearer ${token}`,
    url,
  ]);
  if (/Non-2xx|Socket errors/.test(report)) throw new Error(`wrong answers from ${url}:\n${report}`);
  const [, requests = '0', time = '1'] = /(\d+) requests in ([\d.]+)s/.exec(report) ?? [];
  return Number(requests) / Number(time);
}

/** Found by paging in big steps to the end; also sees that every page is full and the total right. */
async function lastCursor({ url, token }: Target): Promise<string> {
  let cursor: string | null = null;
  let seen = 0;
  for (;;) {
    const step: string = url.replace('limit=50', 'limit=200') + (cursor === null ? '' : `&cursor=${cursor}`);
    const response = await fetch(step, { headers: { authorization: `Bearer ${token}` } });
    const { data } = (await response.json()) as {
      data: { media_prompts: unknown[]; total: number; next_cursor: string | null };
    };
    seen += data.media_prompts.length;
    if (data.next_cursor === null) {
      if (seen !== data.total || cursor === null) throw new Error(`${seen} prompts listed of ${data.total}`);
      return cursor;
    }
    cursor = data.next_cursor;
  }
}
