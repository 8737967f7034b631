import { type RawBuilder, sql } from 'kysely';
import { answered, type Database, inTransaction } from './database.ts';
import { endOfSubtree } from './org-units.ts';
import type { MessageType } from './tables.ts';

/**
 * Counters of what each org unit keeps. The statement that adds or removes a prompt changes one of them, so that
 * they are as exact as the rows: whatever becomes of the statement becomes of both.
 *
 * A counter is split into slots, since its row stays locked until the commit is on the disk. Each change takes
 * a slot that is free, so a unit has as many as were ever needed at once: one where nobody was in a hurry.
 */

/** The most slots that a counter is split into. */
const SLOTS = 16;
/** Org units looked at in one statement of an audit. */
const BATCH = 200;
/** How long the server keeps a unit locked for a process that stopped in the middle of a commit, ms. */
const STALL_TIMEOUT = 3_000;

/** How much is kept. */
export interface Usage {
  readonly prompts: number;
  readonly bytes: number;
}

/** How much a unit keeps itself, without what lies below it, and how much it may. Bytes. */
export interface Room {
  readonly used: number;
  readonly quota: number;
}

/** An org unit whose counters do not say what its rows say. */
export interface Miscount {
  readonly orgUnitId: number;
  readonly messageType: MessageType;
  /** By the counters. */
  readonly counted: Usage;
  /** By the rows. */
  readonly actual: Usage;
}

/**
 * The subquery that adds `changes` (org_unit_id, message_type, prompts, bytes; at most one row) to the counters.
 * To be run in the statement that makes them, and selected from what that returned: so the counter is locked
 * after everything else, and whoever holds one waits for nobody.
 */
export const tally = (changes: RawBuilder<unknown>) => sql<Record<string, unknown>>`(
  insert into org_unit_usage as u (org_unit_id, message_type, slot, prompts, bytes)
  select c.org_unit_id, c.message_type, coalesce(
    (select f.slot from org_unit_usage f
     where f.org_unit_id = c.org_unit_id and f.message_type = c.message_type
     order by f.slot limit 1 for no key update skip locked),
    (select s from generate_series(0, ${sql.lit(SLOTS - 1)}) s
     where not exists (select from org_unit_usage t
       where t.org_unit_id = c.org_unit_id and t.message_type = c.message_type and t.slot = s)
     order by random() limit 1),
    floor(random() * ${sql.lit(SLOTS)})
  ), c.prompts, c.bytes
  from (${changes}) c
  on conflict (org_unit_id, message_type, slot)
  do update set prompts = u.prompts + excluded.prompts, bytes = u.bytes + excluded.bytes
)`;

/**
 * Locks a unit that has a quota until the end of the transaction `trx`, so that no other commit under the quota
 * comes between, and tells its room. Undefined, and nothing is locked, when it has none. `trx` must read what is
 * committed at each statement: what is kept is read only once the lock is there.
 */
export async function lockRoom(
  trx: Database,
  orgUnitId: number,
  standard: number,
): Promise<Room | undefined> {
  const locked = await trx
    .selectFrom('org_units')
    .where('id', '=', orgUnitId)
    .where(isLimited(standard))
    // The foreign keys of other transactions take no offence at this lock.
    .forNoKeyUpdate()
    .select([
      sql<number>`${effectiveQuota(standard)}`.as('quota'),
      sql`set_config('idle_in_transaction_session_timeout', ${String(STALL_TIMEOUT)}, true)`.as('stall'),
    ])
    .executeTakeFirst();
  if (locked === undefined) return undefined;
  const { used } = await trx
    .selectFrom('org_units')
    .where('id', '=', orgUnitId)
    .select(bytesKept.as('used'))
    .executeTakeFirstOrThrow();
  return { used, quota: locked.quota };
}

/** Is this unit under a quota? To be asked of a row of org_units. */
export const isLimited = (standard: number) => sql<boolean>`${effectiveQuota(standard)} > 0`;

/** The quota that holds for a row of org_units, bytes; 0 = none. */
export const effectiveQuota = (standard: number) => sql<number>`coalesce(quota_bytes, ${standard}::bigint)`;

/** What a row of org_units keeps itself, bytes. */
export const bytesKept = sql<number>`(
  select coalesce(sum(bytes), 0)::bigint from org_unit_usage where org_unit_id = org_units.id
)`;

/** Sets the quota of a unit: bytes, 0 for none, null for the configured one. False when there is no such unit. */
export async function setQuota(db: Database, orgUnitId: number, bytes: number | null): Promise<boolean> {
  const { numUpdatedRows } = await answered(
    db
      .updateTable('org_units')
      .set({ quota_bytes: bytes })
      .where('id', '=', orgUnitId)
      .executeTakeFirstOrThrow(),
  );
  return numUpdatedRows === 1n;
}

/** What an org unit keeps itself. */
export interface UnitUsage extends Usage {
  readonly id: number;
  readonly name: string;
  /** Bytes; 0 = none. */
  readonly quota: number;
}

/** What each unit keeps itself, parents before their children: of all, or of one and those below it. */
export async function listUsage(
  db: Database,
  standard: number,
  rootPath: string | undefined,
): Promise<readonly UnitUsage[]> {
  return await answered(
    db
      .selectFrom('org_units as unit')
      .leftJoin('org_unit_usage as u', 'u.org_unit_id', 'unit.id')
      .$if(rootPath !== undefined, (query) =>
        query.where('unit.path', '>=', rootPath ?? '').where('unit.path', '<', endOfSubtree(rootPath ?? '')),
      )
      .groupBy('unit.id')
      .orderBy('unit.path')
      .select([
        'unit.id',
        'unit.name',
        sql<number>`coalesce(sum(u.prompts), 0)::bigint`.as('prompts'),
        sql<number>`coalesce(sum(u.bytes), 0)::bigint`.as('bytes'),
        effectiveQuota(standard).as('quota'),
      ])
      .execute(),
  );
}

/** Every counter that is not what the rows say. Changes nothing, hinders nobody; exact while others write. */
export async function* auditUsage(db: Database): AsyncGenerator<Miscount> {
  for await (const units of batchesOfUnits(db)) {
    const { rows } = await answered(sql<DifferenceRow>`${differencesOf(units)}`.execute(db));
    for (const row of rows) {
      yield {
        orgUnitId: row.org_unit_id,
        messageType: row.message_type,
        counted: { prompts: row.counted_prompts, bytes: row.counted_bytes },
        actual: { prompts: row.actual_prompts, bytes: row.actual_bytes },
      };
    }
  }
}

/**
 * Sets every counter right, in one transaction, and returns how many were wrong. Others go on adding and
 * removing meanwhile: a commit changes rows and counters alike, so what they differ by stays the same, and
 * that difference is what is added here.
 */
export async function rebuildUsage(db: Database): Promise<number> {
  const work = async (trx: Database) => {
    // Two that found the same difference would both add it. Of all others nobody takes this lock.
    await sql`lock table org_unit_usage in share update exclusive mode`.execute(trx);
    let wrong = 0;
    for await (const units of batchesOfUnits(trx)) {
      const { numAffectedRows } = await sql`
        insert into org_unit_usage as u (org_unit_id, message_type, slot, prompts, bytes)
        select org_unit_id, message_type, 0, actual_prompts - counted_prompts, actual_bytes - counted_bytes
        from (${differencesOf(units)}) d
        on conflict (org_unit_id, message_type, slot)
        do update set prompts = u.prompts + excluded.prompts, bytes = u.bytes + excluded.bytes`.execute(trx);
      wrong += Number(numAffectedRows ?? 0n);
    }
    return wrong;
  };
  return await inTransaction(db, work, 'read committed');
}

interface DifferenceRow {
  readonly org_unit_id: number;
  readonly message_type: MessageType;
  readonly counted_prompts: number;
  readonly counted_bytes: number;
  readonly actual_prompts: number;
  readonly actual_bytes: number;
}

/** In one statement, since only then do rows and counters come from the same instant. */
const differencesOf = (units: readonly number[]) => sql`
  select * from (
    select org_unit_id, message_type,
      sum(counted_prompts)::bigint as counted_prompts, sum(counted_bytes)::bigint as counted_bytes,
      sum(actual_prompts)::bigint as actual_prompts, sum(actual_bytes)::bigint as actual_bytes
    from (
      select org_unit_id, message_type, prompts as counted_prompts, bytes as counted_bytes,
        0 as actual_prompts, 0 as actual_bytes
      from org_unit_usage where org_unit_id = any(${units}::bigint[])
      union all
      select p.org_unit_id, p.message_type, 0, 0, 1, r.file_size
      from prompts p join recordings r on r.id = p.recording_id where p.org_unit_id = any(${units}::bigint[])
    ) each_row
    group by org_unit_id, message_type
  ) each_counter
  where counted_prompts <> actual_prompts or counted_bytes <> actual_bytes`;

async function* batchesOfUnits(db: Database): AsyncGenerator<readonly number[]> {
  for (let after = 0; ; ) {
    const rows = await answered(
      db.selectFrom('org_units').where('id', '>', after).orderBy('id').limit(BATCH).select('id').execute(),
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map(({ id }) => id);
    after = last.id;
  }
}
