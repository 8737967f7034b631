/**
 * What can go wrong with the database itself.
 * - `unavailable`: it is away, too busy, or did not answer in time. Whether a write happened is then unknown.
 * - `full`: its disk is full; the write did not happen.
 * - `name-taken`: the unique constraint on a prompt's name refused the row; nothing was written.
 * - `unit-gone`: the org unit that a row names does not exist; nothing was written.
 * - `quota-exceeded`: a QuotaExceededError; nothing was written.
 * - `outdated`: others changed what a transaction stands on, or waited for each other with it, each time that it was
 *   begun; nothing was written.
 */
export type CatalogueErrorCode =
  | 'unavailable'
  | 'full'
  | 'name-taken'
  | 'unit-gone'
  | 'quota-exceeded'
  | 'outdated';

export class CatalogueError extends Error {
  override readonly name = 'CatalogueError';
  readonly code: CatalogueErrorCode;

  constructor(code: CatalogueErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The recording would not fit into the quota of its org unit. */
export class QuotaExceededError extends CatalogueError {
  /** What the unit keeps and what it may keep, bytes. */
  readonly room: { readonly used: number; readonly quota: number };

  constructor(room: QuotaExceededError['room']) {
    super('quota-exceeded', 'The recording does not fit into the quota of the org unit.');
    this.room = room;
  }
}

/** Does this failure carry an answer of the server (an SQLSTATE), other than that the session is at its end? */
export function isSqlState(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== undefined && !/^(08|25P03|57P)/.test(state);
}

/** Turns a failure of pg into a CatalogueError; what is not the database's doing comes back as it is. */
export function catalogueErrorFrom(error: unknown): unknown {
  if (error instanceof CatalogueError) return error;
  const state = sqlStateOf(error);
  if (state === undefined) {
    return isConnectionFailure(error)
      ? new CatalogueError('unavailable', 'The database did not answer.', { cause: error })
      : error;
  }
  const constraint = constraintOf(error);
  if (state === '23505' && constraint === 'prompts_name_in_unit') {
    return new CatalogueError('name-taken', 'A prompt of this name exists in the org unit.', {
      cause: error,
    });
  }
  if (state === '23503' && constraint === 'prompts_org_unit_id_fkey') {
    return new CatalogueError('unit-gone', 'The org unit does not exist.', { cause: error });
  }
  if (state === '23503' && constraint === 'renditions_recording_id_fkey') {
    return new CatalogueError('outdated', 'A rendition was committed meanwhile.', { cause: error });
  }
  // Serialisation failed, and a deadlock. Both say that all was taken back, also as the answer to a commit.
  if (state === '40001' || state === '40P01') {
    return new CatalogueError('outdated', 'Another transaction stood in the way.', { cause: error });
  }
  if (state === '53100') {
    return new CatalogueError('full', 'The disk of the database is full.', { cause: error });
  }
  // 08 connection, 25P03 a transaction that stood still, 40003 it may or may not have been carried out, 53 resources,
  // 57014 timed out, 57P shutting down or starting, 58 system error, 25006 standby.
  if (/^(08|25P03|40003|53|57014|57P|58|25006)/.test(state)) {
    return new CatalogueError('unavailable', 'The database cannot serve now.', { cause: error });
  }
  return error;
}

function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('severity' in error)) return undefined;
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}

function constraintOf(error: unknown): unknown {
  return error instanceof Error && 'constraint' in error ? error.constraint : undefined;
}

/** pg reports a lost connection as a plain Error: by errno where the socket failed, else by its words alone. */
function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('syscall' in error) return true;
  return /^(Connection terminated|Client has encountered a connection error|Query read timeout|timeout exceeded when trying to connect|Client was closed|Cannot use a pool after calling end)/.test(
    error.message,
  );
}
