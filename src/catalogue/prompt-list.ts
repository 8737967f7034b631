import { type RawBuilder, sql } from 'kysely';
import { answered, type Database, instant } from './database.ts';
import { endOfSubtree, inSubtree } from './org-units.ts';
import { COLUMNS, joined, type PromptRow } from './prompts.ts';
import { statement } from './statement.ts';
import type { MessageType } from './tables.ts';

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

export type ListedPrompt = PromptRow & { readonly sortValue: string | number };

export interface PromptPage {
  readonly rows: readonly ListedPrompt[];
  /** Of all that match, exactly. */
  readonly total: number;
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
 * One page in the order asked for, ties broken by id in the same direction, and the exact number of all that match.
 * Undefined when the unit does not lie in the tree of the viewer.
 *
 * Most lists are of a unit that has none below it: they take one question. Only the answer for any other unit is its
 * path, with which its tree is asked for.
 */
export async function listPrompts(db: Database, request: PageRequest): Promise<PromptPage | undefined> {
  const found = await answered(isUsual(request) ? usualPage(db, request) : pageOfUnit(db, request).execute());
  const answer = contentOf<PageOfUnit>(found);
  if (answer === null) return undefined;
  if (answer.isLeaf) return pageFrom(answer, request);
  const inTree = contentOf<PageOfRows>(await answered(pageOfTree(db, request, answer.path).execute()));
  return inTree === null ? undefined : pageFrom(inTree, request);
}

interface PageOfRows {
  readonly rows: { -readonly [Key in keyof ListedPrompt]: ListedPrompt[Key] }[];
  readonly total: number;
}
type PageOfUnit =
  | (PageOfRows & { readonly isLeaf: true })
  | { readonly isLeaf: false; readonly path: string };

/** One text, which is read in a fraction of the time that fifty rows of columns take. */
interface Answer {
  readonly content: string | null;
}

function contentOf<Content>([answer]: readonly Answer[]): Content | null {
  return JSON.parse(answer?.content ?? 'null') as Content | null;
}

/** The rows were just read and are nobody else's: a copy of each would be most of the garbage of a list. */
function pageFrom({ rows, total }: PageOfRows, { sortBy }: PageRequest): PromptPage {
  for (const row of rows) {
    row.createdOn = instant(row.createdOn);
    row.modifiedOn = instant(row.modifiedOn);
    if (sortBy === 'created_on') row.sortValue = instant(String(row.sortValue));
  }
  return { rows, total };
}

function pageOfUnit(db: Database, request: PageRequest, limit = sql<number>`${request.limit}`) {
  const isOfUnit = (table: 'p' | 'c') => sql<boolean>`${sql.ref(table)}.org_unit_id = ${request.orgUnitId}`;
  return db.selectNoFrom(
    sql<string | null>`(
      select case
        when exists (select from org_units below where ${isBelow}) then
          json_build_object('isLeaf', false, 'path', unit.path)
        else json_build_object('isLeaf', true, ${pageOf(db, request, isOfUnit, limit)})
        end::text
      from org_units unit
      join org_units root on root.id = ${request.viewer} and ${inSubtree('unit.path', 'root.path')}
      where unit.id = ${request.orgUnitId}
    )`.as('content'),
  );
}

const isBelow = sql<boolean>`below.path > unit.path and ${inSubtree('below.path', 'unit.path')}`;

function pageOfTree(db: Database, request: PageRequest, path: string) {
  const isInTree = (table: 'p' | 'c') => sql<boolean>`${sql.ref(table)}.org_unit_id in (
    select u.id from org_units u where u.path >= ${path} and u.path < ${endOfSubtree(path)})`;
  const page = pageOf(db, request, isInTree, sql`${request.limit}`);
  return db.selectNoFrom(sql<string>`json_build_object(${page})::text`.as('content'));
}

/** Which rows of prompts (`p`) or of their counters (`c`) lie where the list is of. */
type IsInside = (table: 'p' | 'c') => RawBuilder<boolean>;

const pageOf = (db: Database, request: PageRequest, isInside: IsInside, limit: RawBuilder<number>) => sql`
  'total', ${totalOf(db, request, isInside)},
  'rows', (select coalesce(json_agg(listed), '[]') from (${rowsOf(db, request, isInside, limit)}) listed)`;

/** The ids come first, from indexes where that can be, and their rows after: what a page skips is cheap to skip. */
function rowsOf(db: Database, request: PageRequest, isInside: IsInside, limit: RawBuilder<number>) {
  const key = SORT_EXPRESSIONS[request.sortBy];
  const direction = request.descending ? 'desc' : 'asc';
  const ids = db
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
    .select(['p.id', sql<string | number>`${key}`.as('sortValue')]);
  return joined(db)
    .innerJoin(ids.as('page'), 'page.id', 'p.id')
    .orderBy('page.sortValue', direction)
    .orderBy('p.id', direction)
    .select([...COLUMNS, 'page.sortValue']);
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

/** What is asked for all the time, in an order that an index of the unit has: its plan is as good for every unit. */
const isUsual = (request: PageRequest): boolean =>
  USUAL_LIMITS.has(request.limit) &&
  request.sortBy === 'created_on' &&
  request.nameKeyPart === undefined &&
  request.offset === 0;

/** What the dialects have for a page unless told otherwise, and the one more that tells whether there is another. */
const USUAL_LIMITS: ReadonlySet<number> = new Set([51, 101]);

type Parameters = Pick<PageRequest, 'viewer' | 'orgUnitId' | 'messageType'> & Position;

/** One statement for each form that the usual page has. */
async function usualPage(db: Database, request: PageRequest): Promise<readonly Answer[]> {
  const { viewer, orgUnitId, messageType, after, descending, limit } = request;
  const form = `${limit} ${descending} ${messageType !== undefined} ${after !== undefined}`;
  const known = usualPages.get(form);
  const ask =
    known ??
    statement((draft, parameters: Parameters) =>
      pageOfUnit(
        draft,
        {
          ...request,
          viewer: parameters.viewer,
          orgUnitId: parameters.orgUnitId,
          messageType: messageType === undefined ? undefined : parameters.messageType,
          after: after === undefined ? undefined : { value: parameters.value, id: parameters.id },
        },
        sql.lit(limit),
      ),
    );
  if (known === undefined) usualPages.set(form, ask);
  return await ask(db, { viewer, orgUnitId, messageType, value: after?.value ?? '', id: after?.id ?? 0 });
}

const usualPages = new Map<string, (db: Database, parameters: Parameters) => Promise<readonly Answer[]>>();

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
  if (nameKeyPart !== undefined) {
    conditions.push(sql`p.name_key like ${`%${nameKeyPart.replace(/[\\%_]/g, '\\$&')}%`}`);
  }
  return sql<boolean>`${sql.join(conditions, sql` and `)}`;
}
