import { type RawBuilder, sql } from 'kysely';
import { containing } from './containing.ts';
import type { Database } from './database.ts';
import { endOfSubtree, inSubtree } from './org-units.ts';
import { jsonOf, type Shape } from './shape.ts';
import type { MessageType } from './tables.ts';
import { instantAsJson } from './values.ts';

export type SortKey = 'created_on' | 'name' | 'message_type' | 'duration_ms' | 'file_size';

/** Where a page ended: the sort value and the id of its last prompt. */
export interface Position {
  readonly value: string | number;
  readonly id: number;
}

export interface PageRequest {
  /** Who asks: an org unit. */
  readonly viewer: number;
  /** The unit at the top; its descendants are included. */
  readonly orgUnitId: number;
  readonly messageType?: MessageType | undefined;
  /** Part of the name, folded. */
  readonly nameKeyPart?: string | undefined;
  readonly sortBy: SortKey;
  readonly descending: boolean;
  readonly limit: number;
  readonly offset: number;
  readonly after?: Position | undefined;
}

export interface PromptPage {
  /** The prompts in the words of the shape: the text of a JSON array, without white space between its parts. */
  readonly items: string;
  /** Of all that match, exactly. */
  readonly total: number;
  /** Where the page ended; undefined when nothing follows. */
  readonly end: Position | undefined;
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

/**
 * The page of a unit that has none below it; of any other its path instead. Null when the unit does not lie in the tree
 * of the viewer.
 */
export function pageOfUnit(
  db: Database,
  shape: Shape,
  request: PageRequest,
  limit = sql<number>`${request.limit}`,
) {
  const isOfUnit = (table: 'p' | 'c') => sql<boolean>`${sql.ref(table)}.org_unit_id = ${request.orgUnitId}`;
  return db.selectNoFrom(
    sql<string | null>`(
      select case
        when exists (select from org_units below where ${isBelow}) then unit.path
        else ${pageOf(db, shape, request, isOfUnit, limit)}
        end
      from org_units unit
      join org_units root on root.id = ${request.viewer} and ${inSubtree('unit.path', 'root.path')}
      where unit.id = ${request.orgUnitId}
    )`.as('content'),
  );
}

const isBelow = sql<boolean>`below.path > unit.path and ${inSubtree('below.path', 'unit.path')}`;

/** The page of all units whose path begins with this one. */
export function pageOfTree(db: Database, shape: Shape, request: PageRequest, path: string) {
  const isInTree = (table: 'p' | 'c') => sql<boolean>`${sql.ref(table)}.org_unit_id in (
    select u.id from org_units u where u.path >= ${path} and u.path < ${endOfSubtree(path)})`;
  return db.selectNoFrom(pageOf(db, shape, request, isInTree, sql`${request.limit}`).as('content'));
}

/** Reads a page that is one text: a line of JSON about it, then its items. JSON has no line end within a text. */
export function pageFrom(content: string): PromptPage {
  const endOfHead = content.indexOf('\n');
  const { total, end } = JSON.parse(content.slice(0, endOfHead)) as {
    readonly total: number;
    readonly end: Position | null;
  };
  return { items: content.slice(endOfHead + 1), total, end: end ?? undefined };
}

/** Which rows of prompts (`p`) or of their counters (`c`) lie where the list is of. */
type IsInside = (table: 'p' | 'c') => RawBuilder<boolean>;

/**
 * A page as `pageFrom` reads it. The ids come first, from indexes where that can be, and their rows after: what a
 * page skips is cheap to skip. One id more than asked for tells whether anything follows.
 */
function pageOf(
  db: Database,
  shape: Shape,
  request: PageRequest,
  isInside: IsInside,
  limit: RawBuilder<number>,
): RawBuilder<string> {
  const direction = sql.raw(request.descending ? 'desc' : 'asc');
  const value =
    request.sortBy === 'created_on' ? sql`${instantAsJson(sql.ref('value'))}::json` : sql.ref('value');
  return sql`(
    with page as materialized (
      select id, value, row_number() over (order by value ${direction}, id ${direction}) as place
      from (${idsOf(db, request, isInside, sql`${limit} + 1`)}) found
    )
    select json_build_object(
      'total', ${totalOf(db, request, isInside)},
      'end', (
        select json_build_object('value', ${value}, 'id', id) from page
        where place = ${limit} and exists (select from page where place > ${limit}))
      )::text || chr(10) || '[' || coalesce((
        select string_agg(item, ',') from (
          select ${jsonOf(shape)} as item
          from page join prompts p on p.id = page.id join recordings r on r.id = p.recording_id
          where page.place <= ${limit} order by page.place
        ) items
      ), '') || ']'
  )`;
}

function idsOf(db: Database, request: PageRequest, isInside: IsInside, limit: RawBuilder<number>) {
  const key = SORT_EXPRESSIONS[request.sortBy];
  const direction = request.descending ? 'desc' : 'asc';
  return db
    .selectFrom('prompts as p')
    .$if(OF_RECORDING.has(request.sortBy), (query) =>
      query.innerJoin('recordings as r', 'r.id', 'p.recording_id'),
    )
    .where(isInside('p'))
    .where(matches(request))
    .$if(request.after !== undefined, (query) => query.where(isAfter(request)))
    .orderBy(key, direction)
    .orderBy('p.id', direction)
    .limit(limit)
    .$if(request.offset > 0, (query) => query.offset(request.offset))
    .select(['p.id', sql<string | number>`${key}`.as('value')]);
}

/** Without a part of the name, nothing but counters is read. */
function totalOf(db: Database, request: PageRequest, isInside: IsInside) {
  const { messageType, nameKeyPart } = request;
  if (nameKeyPart !== undefined) {
    const counted = db.selectFrom('prompts as p').where(isInside('p')).where(matches(request));
    return sql`(${counted.select((p) => p.fn.countAll<number>().as('total'))})`;
  }
  const counters = db
    .selectFrom('org_unit_usage as c')
    .where(isInside('c'))
    .$if(messageType !== undefined, (query) => query.where(sql<boolean>`c.message_type = ${messageType}`));
  return sql`(${counters.select(sql<number>`coalesce(sum(c.prompts), 0)::bigint`.as('total'))})`;
}

function isAfter({ sortBy, descending, after }: PageRequest) {
  const key = SORT_EXPRESSIONS[sortBy];
  const less = sql.raw(descending ? '<' : '>');
  const value = sql`${after?.value}::${SORT_TYPES[sortBy]}`;
  const follows = sql<boolean>`(${key}, p.id) ${less} (${value}, ${after?.id}::bigint)`;
  // No index knows of both tables; the bound of one gets the right part of its own.
  return OF_RECORDING.has(sortBy) ? sql<boolean>`${key} ${less}= ${value} and ${follows}` : follows;
}

function matches({ messageType, nameKeyPart }: PageRequest) {
  const conditions = [sql<boolean>`true`];
  if (messageType !== undefined) conditions.push(sql`p.message_type = ${messageType}`);
  if (nameKeyPart !== undefined) conditions.push(sql`p.name_key like ${containing(nameKeyPart)}`);
  return sql<boolean>`${sql.join(conditions, sql` and `)}`;
}
