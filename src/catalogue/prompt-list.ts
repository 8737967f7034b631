import { type ExpressionBuilder, sql } from 'kysely';
import { answered, type Database } from './database.ts';
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

/** One page in the order asked for, ties broken by id in the same direction. */
export async function listPrompts(db: Database, page: PageRequest): Promise<readonly ListedPrompt[]> {
  const key = SORT_EXPRESSIONS[page.sortBy];
  const direction = page.descending ? 'desc' : 'asc';
  const { after } = page;
  return await answered(
    joined(db)
      .where((p) => matches(p, page))
      .$if(after !== undefined, (query) =>
        query.where(
          sql<boolean>`(${key}, p.id) ${sql.raw(page.descending ? '<' : '>')} (${after?.value}::${SORT_TYPES[page.sortBy]}, ${after?.id}::bigint)`,
        ),
      )
      .orderBy(key, direction)
      .orderBy('p.id', direction)
      .limit(page.limit)
      .offset(page.offset)
      .select([...COLUMNS, sql<string | number>`${key}`.as('sortValue')])
      .execute(),
  );
}

/** How many prompts the filter matches, exactly. */
export async function countPrompts(db: Database, filter: PromptFilter): Promise<number> {
  const { total } = await answered(
    db
      .selectFrom('prompts as p')
      .where((p) => matches(p, filter))
      .select((p) => p.fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow(),
  );
  return total;
}

function matches(p: ExpressionBuilder<Tables & Pick<Joined, 'p'>, 'p'>, filter: PromptFilter) {
  const subtree = p
    .selectFrom('org_units as u')
    .where('u.path', '>=', filter.unitPath)
    .where('u.path', '<', `${filter.unitPath.slice(0, -1)}0`)
    .select('u.id');
  const conditions = [p('p.org_unit_id', 'in', subtree)];
  if (filter.messageType !== undefined) conditions.push(p('p.message_type', '=', filter.messageType));
  if (filter.nameKeyPart !== undefined) {
    const pattern = `%${filter.nameKeyPart.replace(/[\\%_]/g, '\\$&')}%`;
    conditions.push(p('p.name_key', 'like', pattern));
  }
  return p.and(conditions);
}
