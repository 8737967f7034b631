import type { Generated, JSONColumnType } from 'kysely';

/** Instants travel as ISO-8601 text in UTC with milliseconds; see `instant` in database.ts. */
type Instant = string;

/** As the table's check has them. */
export type MessageType = 'prompt' | 'whisper' | 'voicemail' | 'survey';

export interface OrgUnitsTable {
  id: Generated<number>;
  parent_id: number | null;
  name: string;
  path: string;
  /** Null: as configured. 0: none. */
  quota_bytes: Generated<number | null>;
  created_on: Generated<Instant>;
}

/** Counters: what a unit keeps of a type is the sum over its slots. */
export interface OrgUnitUsageTable {
  org_unit_id: number;
  message_type: MessageType;
  slot: number;
  prompts: number;
  bytes: number;
}

export interface BlobsTable {
  name: string;
  state: 'arriving' | 'kept' | 'doomed';
  extension: string | null;
  lease_until: Instant | null;
  created_on: Generated<Instant>;
}

export interface RecordingsTable {
  id: Generated<number>;
  blob_name: string;
  original_filename: string | null;
  file_size: number;
  sha256: string;
  container: string;
  codec: string;
  sample_rate: number | null;
  channels: number | null;
  duration_ms: number | null;
  created_on: Generated<Instant>;
}

export interface RenditionsTable {
  recording_id: number;
  kind: string;
  state: 'ready' | 'failed';
  /** This and what follows up to `sha256`: of one that is ready, else null. */
  blob_name: string | null;
  codec: string | null;
  sample_rate: number | null;
  channels: number | null;
  file_size: number | null;
  sha256: string | null;
  /** Of one that failed, else null. */
  reason: string | null;
  made_on: Generated<Instant>;
}

export interface AudioReportsTable {
  recording_id: number;
  recipe: number;
  loudness_lufs: number | null;
  true_peak_dbtp: number | null;
  leading_silence_ms: number | null;
  trailing_silence_ms: number | null;
  decoded_duration_ms: number | null;
  warnings: JSONColumnType<readonly { readonly code: string; readonly message: string }[]>;
  peaks: Buffer | null;
}

export interface RenditionJobsTable {
  recording_id: number;
  org_unit_id: number;
  priority: number;
  attempts: Generated<number>;
  holder: string | null;
  due_at: Generated<Instant>;
}

export interface PromptsTable {
  id: Generated<number>;
  uuid: string;
  org_unit_id: number;
  name: string;
  name_key: string;
  message_type: MessageType;
  recording_id: number;
  recording_file_type: string;
  recording_created_by: number | null;
  description: string | null;
  created_on: Generated<Instant>;
  modified_on: Generated<Instant>;
}

/** One row. */
export interface LedgerClockTable {
  reading: number;
}

export interface RateCountersTable {
  key: string;
  hits: number;
  ends_at: Instant;
}

/** The rows as they stand in the database: snake_case, as the migrations name them. */
export interface Tables {
  org_units: OrgUnitsTable;
  org_unit_usage: OrgUnitUsageTable;
  blobs: BlobsTable;
  recordings: RecordingsTable;
  prompts: PromptsTable;
  rate_counters: RateCountersTable;
  ledger_clock: LedgerClockTable;
  renditions: RenditionsTable;
  audio_reports: AudioReportsTable;
  rendition_jobs: RenditionJobsTable;
}
