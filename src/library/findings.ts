/**
 * What a comparison of rows and bytes can find.
 *
 * Faults of a prompt: `missing` (its audio is not there), `wrong-size`, `damaged` (the sha256 is another),
 * `unreadable` (the store has it and cannot read it), `unprotected` (its row in the ledger is not `kept`, so that
 * the sweeper will take the audio). Faults of the books: `unclaimed` (kept bytes that no prompt plays),
 * `miscounted` (a counter of use is wrong). Of a rendition, whatever is wrong with it: `bad-rendition`.
 *
 * No faults: `overdue` (left by a crash or a delete, for the next sweep), `unknown` (bytes that no row of the
 * ledger names; they may be what an older backup of the database does not know of, so nothing ever removes them).
 */
export type FindingKind =
  | 'missing'
  | 'wrong-size'
  | 'damaged'
  | 'unreadable'
  | 'unprotected'
  | 'unclaimed'
  | 'miscounted'
  | 'bad-rendition'
  | 'overdue'
  | 'unknown';

/** One difference. */
export interface Finding {
  readonly kind: FindingKind;
  /** The key or the name of the blob, or the counter. */
  readonly subject: string;
  /** What is there and what should be, for a person. */
  readonly detail: string;
  /** The prompt that suffers from it, where one does. */
  readonly promptId?: number | undefined;
}

const NOTES: ReadonlySet<FindingKind> = new Set(['overdue', 'unknown']);

/** Is it something that should never be, rather than something to know of? */
export const isFault = ({ kind }: Finding): boolean => !NOTES.has(kind);

/** What the operator can do, one sentence for each kind. */
export const ADVICE: Readonly<Record<FindingKind, string>> = {
  missing: 'Put the file back from a backup under the same name, or delete the prompt and upload it again.',
  'wrong-size': 'Replace the file by the one of a backup, or delete the prompt and upload it again.',
  damaged:
    'Replace the file by the one of a backup, check the disk, or delete the prompt and upload it again.',
  unreadable: 'Check the disk and the rights of the file, then verify again.',
  unprotected: 'Copy the file to a safe place at once, and restore the database from a backup.',
  unclaimed: 'It harms nothing but takes space; please report it, since the service itself never leaves one.',
  miscounted: 'Run verify with --repair, which counts again.',
  'bad-rendition': 'Run verify with --repair, which has it made again, and check the disk.',
  overdue: 'The next sweep of the service removes it, or verify with --repair now.',
  unknown: 'Keep it if the database was restored from an older backup; else move it out of the store.',
};
