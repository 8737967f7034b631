import { join } from 'node:path';
import { loadSection, type Measured, type Row, type Section } from './figures.ts';
import { CONNECTIONS, FIRST_PAGE, type Filled, pageOf, readInRounds } from './list-pages.ts';
import { startService } from './our-service.ts';
import type { Stage } from './processes.ts';
import { type Plan, ratio } from './rounds.ts';

/** What a number of workers could answer if they had a core each and nobody else needed one, requests/s. */
type Worked = Measured & { readonly alone: number };

/**
 * The first page of a filled database through one worker and through two. Only the processes of the service count here:
 * with database and client on the same two cores, two workers have no second core to work on.
 */
export async function compareWorkers(
  stage: Stage,
  filled: Filled,
  plan: Plan,
  seconds: number,
): Promise<{ readonly section: Section; readonly ratios: readonly Row[] }> {
  const pageThrough = async (workers: number) => {
    const env = { DATABASE_URL: filled.databaseUrl, WORKERS: String(workers) };
    const service = await stage.keep(startService(join(stage.folder, `workers-${workers}`), { env }));
    return await pageOf({ ...filled, service, roots: [service.pid] }, FIRST_PAGE);
  };
  const pages = { 'one worker': await pageThrough(1), 'two workers': await pageThrough(2) };
  const found = await readInRounds(plan, pages, seconds);
  const alone = (measured: readonly Measured[], workers: number): readonly Worked[] =>
    measured.map((one) => ({ ...one, alone: (workers * 1e6) / one.cpuPerRequest }));
  const one = alone(found['one worker'], 1);
  const two = alone(found['two workers'], 2);
  const name = '2 workers ÷ 1, list pages';
  return {
    section: loadSection(
      `The first page through workers, c=${CONNECTIONS}, without the database’s CPU`,
      found,
      {
        withGb: false,
      },
    ),
    ratios: [
      ...ratio(two, one, {
        id: 'W',
        name: `${name}, by the CPU time of their own processes`,
        least: 1.6,
        figure: ({ alone }) => alone,
      }),
      ...ratio(two, one, {
        name: `${name}/s with database and client on the same two cores`,
        figure: ({ requestsPerSecond }) => requestsPerSecond,
      }),
    ],
  };
}
