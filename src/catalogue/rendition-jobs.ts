import { sql } from 'kysely';
import { answered, type Database } from './database.ts';
import { PRIORITIES } from './rendition-priorities.ts';

/**
 * The queue of recordings whose renditions are still to be made. A job is taken under a lease, by a statement that
 * nobody else can win, and is gone when all of it is committed. Times are the database's.
 */

/** A recording to work at, until the lease ends. */
export interface RenditionJob {
  readonly recordingId: number;
  readonly recordingName: string;
  readonly container: string;
  readonly codec: string;
  /** Hz. */
  readonly sampleRate: number | null;
  readonly channels: number | null;
  readonly durationMs: number | null;
  /** Bytes. */
  readonly fileSize: number;
  readonly orgUnitId: number;
  /** This one included. */
  readonly attempts: number;
  /** Kinds that need no work: made, or found to be impossible. */
  readonly settledKinds: readonly string[];
}

const inMs = (ms: number) => sql<string>`now() + make_interval(secs => ${ms / 1000}::double precision)`;

const dueIn = (priority: number, from: number, to: 'up' | 'down') => sql`(
  select recording_id from rendition_jobs
  where priority = ${sql.lit(priority)} and due_at <= now()
    and org_unit_id ${sql.raw(to === 'up' ? '>' : '<=')} ${from}::bigint
  order by org_unit_id, recording_id limit 1 for update skip locked)`;

/**
 * Takes the job whose turn it is and holds it for `leaseMs`; undefined when none is due. Within a priority the org
 * units take turns: the next one is the first above `afterUnit` that has something to do, however much others have.
 */
export async function claimJob(
  db: Database,
  {
    holder,
    leaseMs,
    afterUnit,
  }: { readonly holder: string; readonly leaseMs: number; readonly afterUnit: number },
): Promise<RenditionJob | undefined> {
  const turns = Object.values(PRIORITIES).flatMap((priority) => [
    dueIn(priority, afterUnit, 'up'),
    dueIn(priority, afterUnit, 'down'),
  ]);
  return await answered(
    db
      .updateTable('rendition_jobs as j')
      .from('recordings as r')
      .set((eb) => ({ holder, due_at: inMs(leaseMs), attempts: eb('j.attempts', '+', 1) }))
      .whereRef('r.id', '=', 'j.recording_id')
      .where('j.recording_id', '=', sql<number>`coalesce(${sql.join(turns)})`)
      .returning((eb) => [
        'j.recording_id as recordingId',
        'r.blob_name as recordingName',
        'r.container',
        'r.codec',
        'r.sample_rate as sampleRate',
        'r.channels',
        'r.duration_ms as durationMs',
        'r.file_size as fileSize',
        'j.org_unit_id as orgUnitId',
        'j.attempts',
        sql<
          string[]
        >`array(select kind from renditions v where v.recording_id = ${eb.ref('j.recording_id')})`.as(
          'settledKinds',
        ),
      ])
      .executeTakeFirst(),
  );
}

/** Prolongs the lease of a job; false when it is somebody else's by now, or its recording is gone. */
export async function renewJob(
  db: Database,
  recordingId: number,
  holder: string,
  leaseMs: number,
): Promise<boolean> {
  const { numUpdatedRows } = await answered(
    db
      .updateTable('rendition_jobs')
      .set({ due_at: inMs(leaseMs) })
      .where('recording_id', '=', recordingId)
      .where('holder', '=', holder)
      .executeTakeFirstOrThrow(),
  );
  return numUpdatedRows === 1n;
}

/** Gives a job back, to be tried again after `pauseMs`; `isForgiven` takes the attempt back. */
export async function postponeJob(
  db: Database,
  recordingId: number,
  holder: string,
  { pauseMs, isForgiven = false }: { readonly pauseMs: number; readonly isForgiven?: boolean },
): Promise<void> {
  await answered(
    db
      .updateTable('rendition_jobs')
      .set((eb) => ({
        holder: null,
        due_at: inMs(pauseMs),
        ...(isForgiven && { attempts: eb('attempts', '-', 1) }),
      }))
      .where('recording_id', '=', recordingId)
      .where('holder', '=', holder)
      .execute(),
  );
}

/** Puts a recording first in the queue, into which it comes if need be. False when it is gone. */
export async function hurryJob(db: Database, recordingName: string): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await answered(
    db
      .insertInto('rendition_jobs')
      .columns(['recording_id', 'org_unit_id', 'priority'])
      .expression((q) =>
        q
          .selectFrom('recordings as r')
          .innerJoin('prompts as p', 'p.recording_id', 'r.id')
          .where('r.blob_name', '=', recordingName)
          // One that is being deleted is not there, instead of a key that fails.
          .forKeyShare('r')
          .select(['r.id', 'p.org_unit_id', sql<number>`${PRIORITIES.waited}::smallint`.as('priority')]),
      )
      .onConflict((conflict) => conflict.column('recording_id').doUpdateSet({ priority: PRIORITIES.waited }))
      .executeTakeFirstOrThrow(),
  );
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/**
 * Queues, of the next `limit` recordings above `after`, those that lack something of a recipe. Returns the last
 * one looked at; undefined at the end.
 */
export async function queueMissing(
  db: Database,
  { after, limit, recipe }: { readonly after: number; readonly limit: number; readonly recipe: number },
): Promise<{ readonly last: number; readonly queued: number } | undefined> {
  const { rows } = await answered(
    sql<{ last: number | null; queued: number }>`
      with looked as (
        select r.id, p.org_unit_id, a.recipe from recordings r
        join prompts p on p.recording_id = r.id
        left join audio_reports a on a.recording_id = r.id
        where r.id > ${after}::bigint order by r.id limit ${sql.lit(limit)} for key share of r
      ), queued as (
        insert into rendition_jobs (recording_id, org_unit_id, priority)
        select id, org_unit_id, ${sql.lit(PRIORITIES.filling)} from looked
        where recipe is null or recipe < ${recipe}::smallint
        on conflict do nothing returning recording_id
      )
      select (select max(id) from looked) as last, (select count(*) from queued) as queued`.execute(db),
  );
  const [row] = rows;
  return row === undefined || row.last === null ? undefined : { last: row.last, queued: row.queued };
}

/** How many jobs wait or run at a priority; counts no further than `most`. */
export async function countJobs(db: Database, priority: number, most: number): Promise<number> {
  const { jobs } = await answered(
    db
      .selectFrom((q) =>
        q
          .selectFrom('rendition_jobs')
          .where('priority', '=', priority)
          .select('priority')
          .limit(most)
          .as('some'),
      )
      .select(sql<number>`count(*)`.as('jobs'))
      .executeTakeFirstOrThrow(),
  );
  return jobs;
}

/** How far the renditions of all recordings are. */
export interface RenditionFigures {
  readonly recordings: number;
  /** Of those, with every rendition of the recipe made or found impossible. */
  readonly complete: number;
  readonly ready: number;
  readonly failed: number;
  readonly waiting: number;
  readonly running: number;
  /** Failed at least once, to be tried again later. */
  readonly postponed: number;
}

/** Counts everything: for an operator who asks, not for each request. */
export async function countRenditions(db: Database, recipe: number): Promise<RenditionFigures> {
  const { rows } = await answered(
    sql<RenditionFigures>`select
      (select count(*) from recordings) as recordings,
      (select count(*) from audio_reports where recipe >= ${recipe}::smallint) as complete,
      (select count(*) from renditions where state = 'ready') as ready,
      (select count(*) from renditions where state = 'failed') as failed,
      (select count(*) from rendition_jobs where holder is null and attempts = 0) as waiting,
      (select count(*) from rendition_jobs where holder is not null and due_at > now()) as running,
      (select count(*) from rendition_jobs where holder is null and attempts > 0) as postponed`.execute(db),
  );
  const [figures] = rows;
  if (figures === undefined) throw new Error('a query without a table has one row');
  return figures;
}

/** Queues again every recording of which something failed, and forgets those failures. Returns how many. */
export async function retryFailed(db: Database): Promise<number> {
  const { rows } = await answered(
    sql<{ queued: number }>`
      with failed as (delete from renditions where state = 'failed' returning recording_id),
      queued as (
        insert into rendition_jobs (recording_id, org_unit_id, priority)
        select distinct p.recording_id, p.org_unit_id, ${sql.lit(PRIORITIES.filling)}
        from failed f join prompts p on p.recording_id = f.recording_id
        on conflict (recording_id) do update set attempts = 0, due_at = now(), holder = null returning recording_id
      ) select count(*) as queued from queued`.execute(db),
  );
  return rows[0]?.queued ?? 0;
}
