import { access } from 'node:fs/promises';
import type { Command } from 'commander';
import { BackupError } from '../backup/manifest.ts';
import { assertRestorable, openBackup } from '../backup/restore.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import { openBlobStore } from '../blobs/open-blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { SchemaBeyondError } from '../catalogue/migrate.ts';
import type { CatalogueOptions } from '../catalogue/open-catalogue.ts';
import type { Config } from '../config.ts';
import { runBackup, runRestore } from './backup.ts';
import type { Console } from './console.ts';
import { runVerify } from './verify.ts';

/** What the commands need of the program that they belong to. */
export interface Host {
  readonly console: Console;
  config(): Config;
  withDatabase(
    work: (db: Database) => Promise<void>,
    options?: Pick<CatalogueOptions, 'isPatient' | 'upTo'>,
  ): Promise<void>;
  /** 1: the work is done and something is not as it should be; 2: the work could not be done. */
  exitWith(code: 1 | 2, reason?: string): void;
}

interface Watching {
  readonly progress?: boolean;
}

/** Adds the commands that keep a library in order: `verify`, `backup` and `restore`. */
export function addKeepingCommands(program: Command, host: Host): void {
  watchable(program.command('verify'))
    .description('compare rows, ledger and files; exit with 0: all well, 1: faults found, 2: could not look')
    .option('--deep', 'read every file and compare its sha256', false)
    .option('--repair', 'first remove what the ledger says is abandoned or deleted, and count again', false)
    .option('--json', 'print one JSON object a line, the summary last', false)
    .action(async (options: Watching & { deep: boolean; repair: boolean; json: boolean }) => {
      await withLibrary(host, async (db, blobs, { uploadLeaseMs }) => {
        const request = { ...options, progress: options.progress, leaseMs: uploadLeaseMs };
        return await runVerify(db, blobs, request, host.console);
      });
    });

  watchable(program.command('backup'))
    .argument('<folder>', 'where to make it; must not exist yet')
    .description('copy all, also while the service runs; exit with 0: whole, 1: audio missing, 2: no backup')
    .option('--previous <folder>', 'an older backup on the same disk, whose files are linked, not copied')
    .action(async (folder: string, { previous, progress }: Watching & { previous?: string }) => {
      await withLibrary(host, async (db, blobs, config) => {
        const request = { folder, previous, progress, secretFile: secretFileOf(config) };
        return await runBackup(db, blobs, request, host.console);
      });
    });

  watchable(program.command('restore'))
    .argument('<folder>', 'what backup has made')
    .description('put a backup into an empty DATA_DIR; exit with 0: whole, 1: audio missing, 2: not restored')
    .action(async (folder: string, { progress }: Watching) => {
      await reporting(host, () => restore(host, folder, progress));
    });
}

/** Lets the operator say whether to show how far a command is. */
export function watchable(command: Command): Command {
  return command
    .option('--progress', 'show on stderr how far it is (the default on a terminal)')
    .option('--no-progress', 'do not show how far it is');
}

async function restore(host: Host, folder: string, progress: boolean | undefined): Promise<boolean> {
  const config = host.config();
  const { dataDir } = config;
  const backup = await openBackup(folder);
  const blobs = await openBlobStore(config.blobs, config.uploadLeaseMs);
  await assertRestorable(backup, { dataDir, blobs });
  let isWhole = false;
  await host
    .withDatabase(
      async (db) => {
        const destination = { dataDir, db, blobs, secretFile: secretFileOf(config) };
        isWhole = await runRestore(backup, destination, progress, host.console);
      },
      { isPatient: true, upTo: backup.schema },
    )
    .catch((cause: unknown) => {
      if (!(cause instanceof SchemaBeyondError)) throw cause;
      throw new BackupError(
        'The database is of a newer schema than the backup; name one in DATABASE_URL that the service has never started on, or a new DATA_DIR.',
        { cause },
      );
    });
  // The rows were of the schema of their time until here.
  await host.withDatabase(() => Promise.resolve());
  return isWhole;
}

/** For commands about a library that must be there. */
async function withLibrary(
  host: Host,
  work: (db: Database, blobs: BlobStore, config: Config) => Promise<boolean>,
): Promise<void> {
  await reporting(host, async () => {
    const config = host.config();
    await assertLibrary(config);
    const blobs = await openBlobStore(config.blobs, config.uploadLeaseMs);
    let isWell = false;
    await host.withDatabase(
      async (db) => {
        isWell = await work(db, blobs, config);
      },
      // Counting all prompts of a large unit may take longer than the service would wait.
      { isPatient: true },
    );
    return isWell;
  });
}

/** Else an empty one would be made and found in order. */
export async function assertLibrary({
  dataDir,
  database,
  blobs,
}: Pick<Config, 'dataDir' | 'database' | 'blobs'>): Promise<void> {
  const folders = [
    ...(blobs.kind === 'disk' ? [blobs.directory] : []),
    ...(database.kind === 'embedded' ? [database.directory] : []),
  ];
  await Promise.all(folders.map((folder) => access(folder))).catch((cause: unknown) => {
    throw new Error(`There is no library in ${dataDir}; set DATA_DIR as the service has it.`, { cause });
  });
}

/** Does the work of a command; what keeps it from being done is told by its exit code and on stderr. */
export async function reporting(host: Host, work: () => Promise<boolean>): Promise<void> {
  try {
    if (!(await work())) host.exitWith(1);
  } catch (error) {
    host.exitWith(2, error instanceof Error ? error.message : String(error));
  }
}

function secretFileOf({ tokens: { key } }: Config): string | undefined {
  return key.kind === 'secret-file' ? key.path : undefined;
}
