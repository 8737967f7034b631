import { type SelectQueryBuilder, sql } from 'kysely';
import { answered, type Database } from './database.ts';
import { inSubtree } from './org-units.ts';
import type { MessageType, Tables } from './tables.ts';
import { tally } from './usage.ts';

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

/** Sets the description of a prompt in the tree of `viewer` and returns it as it is then; undefined when there is no such prompt. */
export async function describePrompt(
  db: Database,
  viewer: number,
  ref: PromptRef,
  description: string | null,
): Promise<PromptRow | undefined> {
  return await answered(
    db
      .updateTable('prompts as p')
      .from(['recordings as r', 'org_units as unit', 'org_units as root'])
      .set({ description, modified_on: sql<string>`now()` })
      .where(refersTo(ref))
      .whereRef('r.id', '=', 'p.recording_id')
      .whereRef('unit.id', '=', 'p.org_unit_id')
      .where('root.id', '=', viewer)
      .where(inSubtree('unit.path', 'root.path'))
      .returning(COLUMNS)
      .executeTakeFirst(),
  );
}

/** A blob that is doomed, as the ledger knows it. */
export interface DoomedBlob {
  readonly name: string;
  readonly extension: string;
}

/**
 * Removes prompt, recording and renditions, counts the prompt out and dooms the blobs for `leaseMs`, in one
 * statement. Undefined when there is no such prompt in the tree of `viewer`; of many at once exactly one gets the
 * blobs. `name` is the recording's.
 */
export async function removePrompt(
  db: Database,
  viewer: number,
  ref: PromptRef,
  leaseMs: number,
): Promise<{ readonly name: string; readonly blobs: readonly DoomedBlob[] } | undefined> {
  const doomed = await answered(
    db
      .with('prompt', (q) =>
        q
          .deleteFrom('prompts as p')
          .using(['org_units as unit', 'org_units as root'])
          .where(refersTo(ref))
          .whereRef('unit.id', '=', 'p.org_unit_id')
          .where('root.id', '=', viewer)
          .where(inSubtree('unit.path', 'root.path'))
          .returning(['p.org_unit_id', 'p.message_type', 'p.recording_id']),
      )
      .with('recording', (q) =>
        q
          .deleteFrom('recordings as r')
          .using('prompt')
          .whereRef('r.id', '=', 'prompt.recording_id')
          .returning(['r.blob_name', 'r.file_size']),
      )
      .with('rendition', (q) =>
        q
          .deleteFrom('renditions as v')
          .using('prompt')
          .whereRef('v.recording_id', '=', 'prompt.recording_id')
          .returning('v.blob_name'),
      )
      .with('counted', () =>
        tally(sql`
          select prompt.org_unit_id, prompt.message_type, -1 as prompts, -recording.file_size as bytes
          from prompt, recording`),
      )
      .updateTable('blobs')
      .from('recording')
      .set({
        state: 'doomed',
        lease_until: sql<string>`now() + make_interval(secs => ${leaseMs / 1000}::double precision)`,
      })
      .where(
        sql<boolean>`blobs.name in (select blob_name from recording union all select blob_name from rendition)`,
      )
      .returning(['blobs.name', 'blobs.extension', 'recording.blob_name as recordingName'])
      .execute(),
  );
  const [first] = doomed;
  if (first === undefined) return undefined;
  return {
    name: first.recordingName,
    blobs: doomed.map(({ name, extension }) => {
      if (extension === null) throw new Error(`kept blob ${name} has no extension`);
      return { name, extension };
    }),
  };
}

/** Prompts with their current recordings. */
export function joined(db: Database): SelectQueryBuilder<Tables & Joined, 'p' | 'r', object> {
  return db.selectFrom('prompts as p').innerJoin('recordings as r', 'r.id', 'p.recording_id');
}
