import { sql } from 'kysely';
import { answered, type Database, type DatabaseAddress, openDatabase } from './database.ts';
import type { Catalogue } from './open-catalogue.ts';
import { createReader, type Reader, type ReaderDeps } from './reader.ts';

export interface OpenReaderOptions extends Pick<ReaderDeps, 'maxLagMs' | 'tellOthers' | 'onChange'> {
  readonly catalogue: Pick<Catalogue, 'db' | 'address'>;
  readonly replica: DatabaseAddress;
  readonly poolSize: number;
  readonly keepsPlans: boolean;
  readonly onIdleError: (error: Error) => void;
}

/** Who waits for the replica in vain asks the primary after it, and both within ten seconds, ms. */
const BOUNDS = { connectMs: 500, statementMs: 1_500, answerMs: 2_000 };

/**
 * Opens a reader on a replica of the catalogue. Nothing is sent before it looks, so that a service can start while the
 * replica is away. Looking has connections of its own: it must not wait behind what it decides about.
 */
export function openReader(options: OpenReaderOptions): Reader {
  const { catalogue, poolSize, keepsPlans, onIdleError } = options;
  const open = (address: DatabaseAddress, size: number) =>
    openDatabase(address, { poolSize: size, keepsPlans, onIdleError, bounds: BOUNDS });
  const replica = open(options.replica, poolSize);
  const watched = { primary: open(catalogue.address, 1), replica: open(options.replica, 1) };
  const reader = createReader({
    ...options,
    primary: catalogue.db,
    replica,
    flushedPosition: () => flushedPosition(watched.primary),
    replayedPosition: () => replayedPosition(watched.replica),
  });
  return {
    ...reader,
    async close() {
      await reader.close();
      await Promise.all([replica, watched.primary, watched.replica].map((db) => db.destroy()));
    },
  };
}

/** What was acknowledged is on the disk of the primary, unless `synchronous_commit` is off there. */
async function flushedPosition(primary: Database): Promise<number> {
  const { position } = await answered(
    primary
      .selectNoFrom(sql<number>`(pg_current_wal_flush_lsn() - '0/0')::bigint`.as('position'))
      .executeTakeFirstOrThrow(),
  );
  return position;
}

/** One that was made a primary itself has followed nobody since. */
async function replayedPosition(replica: Database): Promise<number | undefined> {
  const { position } = await answered(
    replica
      .selectNoFrom(
        sql<number | null>`case when pg_is_in_recovery()
          then (pg_last_wal_replay_lsn() - '0/0')::bigint end`.as('position'),
      )
      .executeTakeFirstOrThrow(),
  );
  return position ?? undefined;
}
