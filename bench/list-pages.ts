import { join } from 'node:path';
import { query, startDatabase } from './databases.ts';
import { type Measured, say } from './figures.ts';
import { brief, measureReading } from './measure.ts';
import { BIG_UNIT, fill, type Size } from './million.ts';
import { type OurService, startService } from './our-service.ts';
import type { Stage } from './processes.ts';
import { inRounds, type Plan } from './rounds.ts';

export const FIRST_PAGE = `org_unit_id=${BIG_UNIT}&message_type=whisper&limit=50`;
export const TREE_PAGE = 'limit=50';
export const CONNECTIONS = 8;

/** A page that is asked for again and again, and the processes that work for it. */
export interface Page {
  readonly url: string;
  readonly token: string;
  readonly roots: readonly number[];
  readonly length: number;
}

/** A filled service. */
export interface Filled {
  readonly service: OurService;
  /** Of its database, for questions beside the service. */
  readonly databaseUrl: string;
  /** The processes that work for it. */
  readonly roots: readonly number[];
}

/** What an answer holds. */
export interface ListPage {
  readonly media_prompts: readonly { readonly media_prompt_id: number }[];
  readonly total: number;
  readonly next_cursor: string | null;
}

/** A service on a database that it has migrated and that holds so many prompts. */
export async function startFilled(stage: Stage, name: string, size: Size): Promise<Filled> {
  const database = await stage.keep(startDatabase(join(stage.folder, name, 'database')));
  const env = { DATABASE_URL: database.url };
  const service = await stage.keep(startService(join(stage.folder, name), { env }));
  say(`filling ${name}: ${size.prompts} prompts in ${size.units} units`);
  await fill(database.url, size);
  return { service, databaseUrl: database.url, roots: [service.pid, database.pid] };
}

/** What is answered to this search now, to be asked for again. */
export async function pageOf({ service, roots }: Filled, search: string): Promise<Page> {
  const url = `${service.base}/v3/media-prompts?${search}`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${service.token}` } });
  const { byteLength } = await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`);
  return { url, token: service.token, roots, length: byteLength };
}

/** Reads each page in each round, for so many seconds. */
export function readInRounds<Name extends string>(
  plan: Plan,
  pages: Readonly<Record<Name, Page>>,
  seconds: number,
): Promise<Readonly<Record<Name, readonly Measured[]>>> {
  const read = (name: Name) => {
    const { roots, url, token, length } = pages[name];
    const headers = { authorization: `Bearer ${token}` };
    return measureReading(roots, { url, connections: CONNECTIONS, seconds, headers, length });
  };
  return inRounds(plan, Object.keys(pages) as Name[], read, brief);
}

/** The totals that lists tell, held against the rows. */
export async function checkTotals({ service, databaseUrl }: Filled): Promise<void> {
  for (const [search, where] of [
    [TREE_PAGE, 'true'],
    [FIRST_PAGE, `org_unit_id = ${BIG_UNIT} and message_type = 'whisper'`],
  ] as const) {
    const count = `select count(*)::int as rows from prompts where ${where}`;
    const [row] = await query<{ rows: number }>(databaseUrl, count);
    const url = `${service.base}/v3/media-prompts?${search}`;
    const { total, media_prompts } = await listed(url, service.token);
    if (total !== row?.rows || media_prompts.length !== Math.min(50, total)) {
      throw new Error(`${search} lists ${media_prompts.length} of ${total}, and there are ${row?.rows}`);
    }
  }
}

/** One page, which has to be answered. */
export async function listed(url: string, token: string): Promise<ListPage> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`);
  return ((await answer.json()) as { data: ListPage }).data;
}
