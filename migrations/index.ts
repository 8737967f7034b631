import type { Migration } from 'kysely/migration';
import * as initial from './0001-initial.ts';
import * as orgUnitUsage from './0002-org-unit-usage.ts';
import * as rateCounters from './0003-rate-counters.ts';
import * as ledgerClock from './0004-ledger-clock.ts';
import * as pagesOfAUnit from './0005-pages-of-a-unit.ts';
import * as renditions from './0006-renditions.ts';

/** Every migration by its name; the names order them. A released one is never changed. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-initial': initial,
  '0002-org-unit-usage': orgUnitUsage,
  '0003-rate-counters': rateCounters,
  '0004-ledger-clock': ledgerClock,
  '0005-pages-of-a-unit': pagesOfAUnit,
  '0006-renditions': renditions,
};
