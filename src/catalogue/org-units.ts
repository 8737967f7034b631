import { sql } from 'kysely';
import { containing } from './containing.ts';
import { answered, type Database, inTransaction } from './database.ts';

/** A node of the tenants' tree. */
export interface OrgUnit {
  readonly id: number;
  readonly parentId: number | null;
  readonly name: string;
  /** Ids from the root to the unit: `/1/7/`. */
  readonly path: string;
}

/**
 * The condition that `path` lies in the subtree of `root`, as a range that an index on `path` serves:
 * everything from "/1/7/" up to, not including, "/1/70", since "0" follows "/" in bytes.
 */
export const inSubtree = (path: string, root: string) =>
  sql<boolean>`${sql.ref(path)} >= ${sql.ref(root)} and ${sql.ref(path)} < rtrim(${sql.ref(root)}, '/') || '0'`;

/** Where the subtree of a path ends: the least path that follows all of it. */
export const endOfSubtree = (path: string): string => `${path.slice(0, -1)}0`;

/** The path of `unit` when it lies in the tree of `viewer`, else undefined. */
export async function pathInTree(db: Database, viewer: number, unit: number): Promise<string | undefined> {
  const row = await answered(
    db
      .selectFrom('org_units as unit')
      .innerJoin('org_units as root', (join) => join.on('root.id', '=', viewer))
      .where('unit.id', '=', unit)
      .where(inSubtree('unit.path', 'root.path'))
      .select('unit.path')
      .executeTakeFirst(),
  );
  return row?.path;
}

/** Adds a unit below `parentId`, or as a root of its own; undefined when the parent does not exist. */
export async function addOrgUnit(
  db: Database,
  unit: { readonly name: string; readonly parentId: number | null },
): Promise<OrgUnit | undefined> {
  return await inTransaction(db, async (trx) => {
    const parent =
      unit.parentId === null
        ? { path: '/' }
        : await trx.selectFrom('org_units').where('id', '=', unit.parentId).select('path').executeTakeFirst();
    if (parent === undefined) return undefined;
    const { id } = await trx
      .selectNoFrom(sql<number>`nextval(pg_get_serial_sequence('org_units', 'id'))`.as('id'))
      .executeTakeFirstOrThrow();
    const path = `${parent.path}${id}/`;
    await trx
      .insertInto('org_units')
      .values({ id, parent_id: unit.parentId, name: unit.name, path })
      .execute();
    return { id, parentId: unit.parentId, name: unit.name, path };
  });
}

/** Every unit, parents before their children. */
export async function listOrgUnits(db: Database): Promise<readonly OrgUnit[]> {
  return await answered(
    db
      .selectFrom('org_units')
      .select(['id', 'parent_id as parentId', 'name', 'path'])
      .orderBy('path')
      .execute(),
  );
}

export interface SeenOrgUnits {
  readonly units: readonly SeenOrgUnit[];
  readonly total: number;
}

export interface OrgUnitSearch {
  /** The root of the tree that is looked through. */
  readonly viewer: number;
  /** Part of the name, in any case. */
  readonly namePart: string;
  /** Only these; undefined for all. */
  readonly ids?: readonly number[] | undefined;
  readonly limit: number;
  readonly offset: number;
}

/** A unit as somebody at the root of a tree sees it. */
export interface SeenOrgUnit {
  readonly id: number;
  /** Null for the root: what is above it does not exist for who looks. */
  readonly parentId: number | null;
  readonly name: string;
  /** Names from the root down to the unit itself. */
  readonly trail: readonly string[];
}

/** Units of a tree by name, ties broken by id, and the exact number of all that match; undefined when none does. */
export async function findOrgUnits(
  db: Database,
  { viewer, namePart, ids, limit, offset }: OrgUnitSearch,
): Promise<SeenOrgUnits | undefined> {
  const matching = inTreeOf(db, viewer)
    .where(sql<boolean>`lower(unit.name) like lower(${containing(namePart)})`)
    .$if(ids !== undefined, (query) => query.where(sql<boolean>`unit.id = any (${ids}::bigint[])`));
  const { total } = await answered(
    matching.select(({ fn }) => fn.countAll<number>().as('total')).executeTakeFirstOrThrow(),
  );
  if (total === 0) return undefined;
  const page = matching.select(seen).orderBy(sql`lower(unit.name)`).orderBy('unit.id');
  return { units: await answered(page.limit(limit).offset(offset).execute()), total };
}

/** The unit of this id when it lies in the tree of `viewer`, else undefined. */
export async function findOrgUnit(
  db: Database,
  viewer: number,
  id: number,
): Promise<SeenOrgUnit | undefined> {
  const query = inTreeOf(db, viewer).where('unit.id', '=', id).select(seen);
  return await answered(query.executeTakeFirst());
}

const inTreeOf = (db: Database, viewer: number) =>
  db
    .selectFrom('org_units as root')
    .innerJoin('org_units as unit', (join) => join.on(inSubtree('unit.path', 'root.path')))
    .where('root.id', '=', viewer);

const seen = [
  'unit.id as id',
  'unit.name as name',
  sql<number | null>`case when unit.id <> root.id then unit.parent_id end`.as('parentId'),
  // By their keys: a condition on paths would look through the whole tree for each.
  sql<readonly string[]>`(
    select array_agg(above.name order by above.path) from org_units above
    where above.id = any (string_to_array(btrim(unit.path, '/'), '/')::bigint[])
      and above.path >= root.path)`.as('trail'),
] as const;
