import type { Migration } from 'kysely/migration';
import * as initial from './0001-initial.ts';

/** Every migration by its name; the names order them. A released one is never changed. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-initial': initial,
};
