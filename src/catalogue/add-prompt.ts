import { sql } from 'kysely';
import { QuotaExceededError } from './catalogue-error.ts';
import { answered, type Database, inTransaction } from './database.ts';
import type { PromptRow } from './prompts.ts';
import { PRIORITIES } from './rendition-priorities.ts';
import { statement } from './statement.ts';
import type { MessageType } from './tables.ts';
import { bytesKept, effectiveQuota, isLimited, lockRoom, type Room, tally } from './usage.ts';

/** A prompt that is not there yet, with its recording. */
export interface NewPrompt extends Omit<PromptRow, 'id' | 'createdOn' | 'modifiedOn'> {
  readonly nameKey: string;
  /** Of the blob, as the ledger will know it. */
  readonly extension: string;
  /** Whether its renditions are put into the queue with it. */
  readonly wantsRenditions: boolean;
}

/** What the database gives a new prompt. */
export type AddedPrompt = Pick<PromptRow, 'id' | 'createdOn' | 'modifiedOn'>;

/**
 * Inserts prompt and recording, counts them, queues their renditions, and turns the ledger row from arriving to kept,
 * in one transaction.
 * Undefined when the ledger row is no longer arriving; nothing is written then. `standardQuota` holds for units
 * without one of their own; bytes, 0 = none.
 *
 * @throws CatalogueError `name-taken`, `unit-gone`, `quota-exceeded`, `full`: nothing was written; `unavailable`:
 *   nobody knows.
 */
export async function addPrompt(
  db: Database,
  prompt: NewPrompt,
  standardQuota: number,
): Promise<AddedPrompt | undefined> {
  // One statement does where there is no quota, and it finds that out by itself.
  const [added] = standardQuota === 0 ? await answered(insertWhereUnlimited(db, prompt)) : [];
  return added ?? (await addWithinQuota(db, prompt, standardQuota));
}

/** One commit at a time in a unit with a quota: who waits for the lock sees what the one before it left. */
async function addWithinQuota(
  db: Database,
  prompt: NewPrompt,
  standardQuota: number,
): Promise<AddedPrompt | undefined> {
  const work = async (trx: Database) => {
    const room = await lockRoom(trx, prompt.orgUnitId, standardQuota);
    if (room !== undefined && room.used + prompt.fileSize > room.quota) throw new QuotaExceededError(room);
    const [added] = await insertAnywhere(trx, prompt);
    return added;
  };
  return await inTransaction(db, work, 'read committed');
}

/** No row when the ledger's is no longer arriving, or when the unit is limited and must not be. */
const insertionOf = ({ onlyUnlimited }: { readonly onlyUnlimited: boolean }) =>
  statement((db, prompt: NewPrompt) =>
    db
      .with('kept', (q) =>
        q
          .updateTable('blobs')
          .set({ state: 'kept', extension: prompt.extension, lease_until: null })
          .where('name', '=', prompt.blobName)
          .where('state', '=', 'arriving')
          .$if(onlyUnlimited, (query) =>
            query.where((row) =>
              row.not(
                row.exists(
                  row
                    .selectFrom('org_units')
                    .where('id', '=', prompt.orgUnitId)
                    .where(isLimited(0))
                    .select('id'),
                ),
              ),
            ),
          )
          .returning('name'),
      )
      .with('recording', (q) =>
        q
          .insertInto('recordings')
          .columns([
            'blob_name',
            'original_filename',
            'file_size',
            'sha256',
            'container',
            'codec',
            'sample_rate',
            'channels',
            'duration_ms',
          ])
          .expression((values) =>
            values
              .selectFrom('kept')
              .select([
                'kept.name',
                sql<string | null>`${prompt.originalFilename}::text`.as('original_filename'),
                sql<number>`${prompt.fileSize}::bigint`.as('file_size'),
                sql<string>`${prompt.sha256}::text`.as('sha256'),
                sql<string>`${prompt.container}::text`.as('container'),
                sql<string>`${prompt.codec}::text`.as('codec'),
                sql<number | null>`${prompt.sampleRate}::integer`.as('sample_rate'),
                sql<number | null>`${prompt.channels}::integer`.as('channels'),
                sql<number | null>`${prompt.durationMs}::bigint`.as('duration_ms'),
              ]),
          )
          .returning('id'),
      )
      .with('prompt', (q) =>
        q
          .insertInto('prompts')
          .columns([
            'uuid',
            'org_unit_id',
            'name',
            'name_key',
            'message_type',
            'recording_id',
            'recording_file_type',
            'recording_created_by',
            'description',
          ])
          .expression((values) =>
            values
              .selectFrom('recording')
              .select([
                sql<string>`${prompt.uuid}::uuid`.as('uuid'),
                sql<number>`${prompt.orgUnitId}::bigint`.as('org_unit_id'),
                sql<string>`${prompt.name}::text`.as('name'),
                sql<string>`${prompt.nameKey}::text`.as('name_key'),
                sql<MessageType>`${prompt.messageType}::text`.as('message_type'),
                'recording.id as recording_id',
                sql<string>`${prompt.recordingFileType}::text`.as('recording_file_type'),
                sql<number | null>`${prompt.recordingCreatedBy}::bigint`.as('recording_created_by'),
                sql<string | null>`${prompt.description}::text`.as('description'),
              ]),
          )
          .returning(['id', 'org_unit_id', 'message_type', 'created_on', 'modified_on']),
      )
      .with('job', (q) =>
        q
          .insertInto('rendition_jobs')
          .columns(['recording_id', 'org_unit_id', 'priority'])
          .expression((values) =>
            values
              .selectFrom('recording')
              .where(sql<boolean>`${prompt.wantsRenditions}::boolean`)
              .select([
                'recording.id as recording_id',
                sql<number>`${prompt.orgUnitId}::bigint`.as('org_unit_id'),
                sql<number>`${sql.lit(PRIORITIES.new)}`.as('priority'),
              ]),
          ),
      )
      .with('counted', () =>
        tally(sql`
          select org_unit_id, message_type, 1 as prompts, ${prompt.fileSize}::bigint as bytes from prompt`),
      )
      .selectFrom('prompt')
      .select(['id', 'created_on as createdOn', 'modified_on as modifiedOn']),
  );

const insertAnywhere = insertionOf({ onlyUnlimited: false });
const insertWhereUnlimited = insertionOf({ onlyUnlimited: true });

/** What would refuse a prompt of this name, folded, right now: that the name is in use, or the room there is. */
export async function findObstacles(
  db: Database,
  orgUnitId: number,
  nameKey: string,
  standardQuota: number,
): Promise<{ readonly isNameInUse: boolean; readonly room: Room | undefined }> {
  const row = await answered(
    db
      .selectFrom('org_units')
      .where('id', '=', orgUnitId)
      .select((unit) => [
        unit
          .exists(
            unit
              .selectFrom('prompts')
              .where('org_unit_id', '=', orgUnitId)
              .where('name_key', '=', nameKey)
              .select('prompts.id'),
          )
          .as('isNameInUse'),
        effectiveQuota(standardQuota).as('quota'),
        sql<number | null>`case when ${isLimited(standardQuota)} then ${bytesKept} end`.as('used'),
      ])
      .executeTakeFirst(),
  );
  const { isNameInUse = false, quota = 0, used = null } = row ?? {};
  return { isNameInUse: isNameInUse === true, room: used === null ? undefined : { used, quota } };
}
