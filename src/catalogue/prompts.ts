import { type SelectQueryBuilder, sql } from 'kysely';
import { answered, type Database } from './database.ts';
import { inSubtree } from './org-units.ts';
import type { MessageType, Tables } from './tables.ts';

/** A prompt with its current recording, as one row. */
export interface PromptRow {
  readonly id: number;
  readonly uuid: string;
  readonly orgUnitId: number;
  readonly name: string;
  readonly messageType: MessageType;
  readonly recordingFileType: string;
  readonly recordingCreatedBy: number | null;
  readonly description: string | null;
  readonly createdOn: string;
  readonly modifiedOn: string;
  readonly blobName: string;
  readonly originalFilename: string | null;
  readonly fileSize: number;
  readonly sha256: string;
  readonly container: string;
  readonly codec: string;
  readonly sampleRate: number | null;
  readonly channels: number | null;
  readonly durationMs: number | null;
}

export interface NewPrompt extends Omit<PromptRow, 'id' | 'createdOn' | 'modifiedOn'> {
  readonly nameKey: string;
  /** Of the blob, as the ledger will know it. */
  readonly extension: string;
}

/** The two tables of a PromptRow under their aliases. */
export type Joined = { p: Tables['prompts']; r: Tables['recordings'] };

/** What a PromptRow is selected by, from `joined`. */
export const COLUMNS = [
  'p.id',
  'p.uuid',
  'p.org_unit_id as orgUnitId',
  'p.name',
  'p.message_type as messageType',
  'p.recording_file_type as recordingFileType',
  'p.recording_created_by as recordingCreatedBy',
  'p.description',
  'p.created_on as createdOn',
  'p.modified_on as modifiedOn',
  'r.blob_name as blobName',
  'r.original_filename as originalFilename',
  'r.file_size as fileSize',
  'r.sha256',
  'r.container',
  'r.codec',
  'r.sample_rate as sampleRate',
  'r.channels',
  'r.duration_ms as durationMs',
] as const;

/**
 * Inserts prompt and recording and turns the ledger row from arriving to kept, in one statement and so in one
 * transaction. Undefined when the ledger row is no longer arriving; nothing is written then.
 *
 * @throws CatalogueError `name-taken`, `unit-gone`, `full`: nothing was written; `unavailable`: nobody knows.
 */
export async function addPrompt(
  db: Database,
  prompt: NewPrompt,
): Promise<{ readonly id: number; readonly createdOn: string; readonly modifiedOn: string } | undefined> {
  return await answered(
    db
      .with('kept', (q) =>
        q
          .updateTable('blobs')
          .set({ state: 'kept', extension: prompt.extension, lease_until: null })
          .where('name', '=', prompt.blobName)
          .where('state', '=', 'arriving')
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
      .returning(['id', 'created_on as createdOn', 'modified_on as modifiedOn'])
      .executeTakeFirst(),
  );
}

/** Is this name, folded, in use in the unit right now? */
export async function isNameInUse(db: Database, orgUnitId: number, nameKey: string): Promise<boolean> {
  const row = await answered(
    db
      .selectFrom('prompts')
      .where('org_unit_id', '=', orgUnitId)
      .where('name_key', '=', nameKey)
      .select('id')
      .executeTakeFirst(),
  );
  return row !== undefined;
}

/** Is there any prompt, in whatever unit? */
export async function hasPrompts(db: Database): Promise<boolean> {
  const row = await answered(db.selectFrom('prompts').select('id').limit(1).executeTakeFirst());
  return row !== undefined;
}

/** A prompt has two names that never change: a number and a UUID. */
export type PromptRef = { readonly id: number } | { readonly uuid: string };

const refersTo = (ref: PromptRef) =>
  'id' in ref ? sql<boolean>`p.id = ${ref.id}` : sql<boolean>`p.uuid = ${ref.uuid}::uuid`;

/** The prompt referred to when it lies in the tree of `viewer`. */
export async function findPrompt(
  db: Database,
  viewer: number,
  ref: PromptRef,
): Promise<PromptRow | undefined> {
  return await answered(
    joined(db)
      .innerJoin('org_units as unit', 'unit.id', 'p.org_unit_id')
      .innerJoin('org_units as root', (join) => join.on('root.id', '=', viewer))
      .where(refersTo(ref))
      .where(inSubtree('unit.path', 'root.path'))
      .select(COLUMNS)
      .executeTakeFirst(),
  );
}

/** The prompt whose current recording lies under this blob name, whoever asks. */
export async function findByBlobName(db: Database, blobName: string): Promise<PromptRow | undefined> {
  return await answered(joined(db).where('r.blob_name', '=', blobName).select(COLUMNS).executeTakeFirst());
}

/** Sets the description of a prompt in the tree of `viewer`; its id, or undefined when there is no such prompt. */
export async function describePrompt(
  db: Database,
  viewer: number,
  ref: PromptRef,
  description: string | null,
): Promise<number | undefined> {
  const row = await answered(
    db
      .updateTable('prompts as p')
      .from(['org_units as unit', 'org_units as root'])
      .set({ description, modified_on: sql<string>`now()` })
      .where(refersTo(ref))
      .whereRef('unit.id', '=', 'p.org_unit_id')
      .where('root.id', '=', viewer)
      .where(inSubtree('unit.path', 'root.path'))
      .returning('p.id')
      .executeTakeFirst(),
  );
  return row?.id;
}

/**
 * Removes prompt and recording and dooms the blob for `leaseMs`, in one statement. Undefined when there is no
 * such prompt in the tree of `viewer`; of many at once exactly one gets the blob.
 */
export async function removePrompt(
  db: Database,
  viewer: number,
  ref: PromptRef,
  leaseMs: number,
): Promise<{ readonly name: string; readonly extension: string } | undefined> {
  const blob = await answered(
    db
      .with('prompt', (q) =>
        q
          .deleteFrom('prompts as p')
          .using(['org_units as unit', 'org_units as root'])
          .where(refersTo(ref))
          .whereRef('unit.id', '=', 'p.org_unit_id')
          .where('root.id', '=', viewer)
          .where(inSubtree('unit.path', 'root.path'))
          .returning('p.recording_id'),
      )
      .with('recording', (q) =>
        q
          .deleteFrom('recordings as r')
          .using('prompt')
          .whereRef('r.id', '=', 'prompt.recording_id')
          .returning('r.blob_name'),
      )
      .updateTable('blobs')
      .from('recording')
      .set({
        state: 'doomed',
        lease_until: sql<string>`now() + make_interval(secs => ${leaseMs / 1000}::double precision)`,
      })
      .whereRef('blobs.name', '=', 'recording.blob_name')
      .returning(['blobs.name', 'blobs.extension'])
      .executeTakeFirst(),
  );
  if (blob === undefined) return undefined;
  if (blob.extension === null) throw new Error(`kept blob ${blob.name} has no extension`);
  return { name: blob.name, extension: blob.extension };
}

/** Prompts with their current recordings. */
export function joined(db: Database): SelectQueryBuilder<Tables & Joined, 'p' | 'r', object> {
  return db.selectFrom('prompts as p').innerJoin('recordings as r', 'r.id', 'p.recording_id');
}
