import { type ExpressionBuilder, sql } from 'kysely';
import { answered, type Database } from './database.ts';
import { endOfSubtree } from './org-units.ts';
import { COLUMNS, type Joined, joined, type PromptRow } from './prompts.ts';
import type { MessageType, Tables } from './tables.ts';

export type SortKey = 'created_on' | 'name' | 'message_type' | 'duration_ms' | 'file_size';

/** Where a page ended: the sort value and the id of its last prompt. */
export interface Position {
  readonly value: string | number;
  readonly id: number;
}

export interface PromptFilter {
  /** Path of the unit at the top; its descendants are included. */
  readonly unitPath: string;
  readonly messageType?: MessageType | undefined;
  /** Part of the name, folded. */
  readonly nameKeyPart?: string | undefined;
}

export interface PageRequest extends PromptFilter {
  readonly sortBy: SortKey;
  readonly descending: boolean;
  readonly limit: number;
  readonly offset: number;
  readonly after?: Position | undefined;
}

/** Orders by what the recording says, not the prompt. */
const OF_RECORDING: ReadonlySet<SortKey> = new Set(['duration_ms', 'file_size']);

/** A prompt without a known duration sorts as the shortest. */
const SORT_EXPRESSIONS = {
  created_on: sql<string>`p.created_on`,
  name: sql<string>`p.name_key`,
  message_type: sql<string>`p.message_type`,
  duration_ms: sql<number>`coalesce(r.duration_ms, -1)`,
  file_size: sql<number>`r.file_size`,
} as const satisfies Record<SortKey, unknown>;

const SORT_TYPES = {
  created_on: sql`timestamptz`,
  name: sql`text`,
  message_type: sql`text`,
  duration_ms: sql`bigint`,
  file_size: sql`bigint`,
} as const satisfies Record<SortKey, unknown>;

export type ListedPrompt = PromptRow & { readonly sortValue: string | number };

/**
 * One page in the order asked for, ties broken by id in the same direction. The ids of the page are found first,
 * from indexes where that can be, and its rows are read after: what a page skips is then cheap to skip.
 */
export async function listPrompts(db: Database, page: PageRequest): Promise<readonly ListedPrompt[]> {
  const key = SORT_EXPRESSIONS[page.sortBy];
  const direction = page.descending ? 'desc' : 'asc';
  const ids = db
    .selectFrom('prompts as p')
    .$if(OF_RECORDING.has(page.sortBy), (query) =>
      query.innerJoin('recordings as r', 'r.id', 'p.recording_id'),
    )
    .where((p) => matches(db, p, page))
    .$if(page.after !== undefined, (query) => query.where(isAfter(page)))
    .orderBy(key, direction)
    .orderBy('p.id', direction)
    .limit(page.limit)
    .offset(page.offset)
    .select(['p.id', sql<string | number>`${key}`.as('sortValue')]);
  return await answered(
    joined(db)
      .innerJoin(ids.as('page'), 'page.id', 'p.id')
      .orderBy('page.sortValue', direction)
      .orderBy('p.id', direction)
      .select([...COLUMNS, 'page.sortValue'])
      .execute(),
  );
}

function isAfter({ sortBy, descending, after }: PageRequest) {
  const key = SORT_EXPRESSIONS[sortBy];
  const less = sql.raw(descending ? '<' : '>');
  const value = sql`${after?.value}::${SORT_TYPES[sortBy]}`;
  const follows = sql<boolean>`(${key}, p.id) ${less} (${value}, ${after?.id}::bigint)`;
  // No index knows of both tables; the bound of one gets the right part of its own.
  return OF_RECORDING.has(sortBy) ? sql<boolean>`${key} ${less}= ${value} and ${follows}` : follows;
}

/** How many prompts the filter matches, exactly. Without a part of the name, nothing but counters is read. */
export async function countPrompts(db: Database, filter: PromptFilter): Promise<number> {
  const { total } = await answered(
    filter.nameKeyPart === undefined
      ? db
          .selectFrom('org_unit_usage as c')
          .where('c.org_unit_id', 'in', unitsIn(db, filter))
          .$if(filter.messageType !== undefined, (query) =>
            query.where(sql<boolean>`c.message_type = ${filter.messageType}`),
          )
          .select(sql<number>`coalesce(sum(c.prompts), 0)::bigint`.as('total'))
          .executeTakeFirstOrThrow()
      : db
          .selectFrom('prompts as p')
          .where((p) => matches(db, p, filter))
          .select((p) => p.fn.countAll<number>().as('total'))
          .executeTakeFirstOrThrow(),
  );
  return total;
}

function matches(db: Database, p: ExpressionBuilder<Tables & Pick<Joined, 'p'>, 'p'>, filter: PromptFilter) {
  const conditions = [p('p.org_unit_id', 'in', unitsIn(db, filter))];
  if (filter.messageType !== undefined) conditions.push(p('p.message_type', '=', filter.messageType));
  if (filter.nameKeyPart !== undefined) {
    const pattern = `%${filter.nameKeyPart.replace(/[\\%_]/g, '\\$&')}%`;
    conditions.push(p('p.name_key', 'like', pattern));
  }
  return p.and(conditions);
}

const unitsIn = (db: Database, { unitPath }: PromptFilter) =>
  db
    .selectFrom('org_units as u')
    .where('u.path', '>=', unitPath)
    .where('u.path', '<', endOfSubtree(unitPath))
    .select('u.id');
