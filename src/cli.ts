import './load-env-file.ts';
import process from 'node:process';
import { Command, InvalidArgumentError } from 'commander';
import pino from 'pino';
import type { Database } from './catalogue/database.ts';
import { type CatalogueOptions, joinCatalogue } from './catalogue/open-catalogue.ts';
import { addOrgUnit, listOrgUnits, pathInTree } from './catalogue/org-units.ts';
import { listUsage, setQuota } from './catalogue/usage.ts';
import { positive } from './commands/arguments.ts';
import { addBlobCommands } from './commands/blobs.ts';
import { addKeepingCommands, type Host } from './commands/keeping.ts';
import { addRenditionCommands } from './commands/renditions.ts';
import { addTokenCommands } from './commands/tokens.ts';
import { type Config, configFrom } from './config.ts';
import { createLog } from './log.ts';

const program = new Command('media-prompts')
  .description('Keeps the audio prompts of phone systems. Reads the same environment as the service.')
  .showHelpAfterError();

program
  .command('serve', { isDefault: true })
  .description('run the service (the default)')
  .action(async () => {
    await import('./main.ts');
  });

const orgUnits = program.command('org-unit').description('manage the tree of org units');

orgUnits
  .command('add')
  .argument('<name>', 'for people', nonEmpty)
  .description('add an org unit and print its ID')
  .option(
    '--parent <id>',
    'unit to add it below; without it, the new unit is the root of a tree of its own',
    positive,
  )
  .action(async (name: string, options: { parent?: number }) => {
    await withDatabase(async (db) => {
      const unit = await addOrgUnit(db, { name, parentId: options.parent ?? null });
      if (unit === undefined) fail(noUnit(options.parent));
      else print(String(unit.id));
    });
  });

orgUnits
  .command('list')
  .description('print every org unit: ID, parent, name')
  .action(async () => {
    await withDatabase(async (db) => {
      for (const { id, parentId, name } of await listOrgUnits(db))
        print(`${id}\t${parentId ?? '-'}\t${name}`);
    });
  });

orgUnits
  .command('usage')
  .argument('[id]', 'only this unit and those below it', positive)
  .description('print what each org unit keeps itself: ID, prompts, bytes, quota in bytes, name')
  .action(async (id: number | undefined) => {
    await withDatabase(async (db, { storageQuotaBytes }) => {
      const root = id === undefined ? undefined : await pathInTree(db, id, id);
      if (id !== undefined && root === undefined) {
        fail(noUnit(id));
        return;
      }
      for (const unit of await listUsage(db, storageQuotaBytes, root)) {
        print([unit.id, unit.prompts, unit.bytes, unit.quota || 'none', unit.name].join('\t'));
      }
    });
  });

orgUnits
  .command('quota')
  .argument('<id>', 'the org unit', positive)
  .argument(
    '<quota>',
    'bytes its own recordings may take, "none", or "default" for STORAGE_QUOTA_BYTES',
    quota,
  )
  .description('set how much an org unit may keep; what it keeps already stays')
  .action(async (id: number, bytes: number | null) => {
    await withDatabase(async (db) => {
      if (!(await setQuota(db, id, bytes))) fail(noUnit(id));
    });
  });

program
  .command('migrate')
  .description('bring the database schema up to date (the service does so at its start)')
  .action(async () => {
    await withDatabase(async () => print('The database is up to date.'));
  });

const host: Host = {
  console: { print, remark: (text) => void process.stderr.write(text), isWatched: process.stderr.isTTY },
  config: () => configFrom(process.env),
  withDatabase,
  exitWith: (code, reason) => {
    if (reason !== undefined) fail(reason);
    process.exitCode = code;
  },
};
addTokenCommands(program, host);
addKeepingCommands(program, host);
addRenditionCommands(program, host);
addBlobCommands(program, host);

try {
  await program.parseAsync();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}

async function withDatabase(
  work: (db: Database, config: Config) => Promise<void>,
  options: Pick<CatalogueOptions, 'isPatient' | 'upTo'> = {},
): Promise<void> {
  const config = configFrom(process.env);
  // stdout is the command's own.
  const log = createLog('warn', pino.destination(2));
  const catalogue = await joinCatalogue({ choice: config.database, poolSize: 2, log, ...options });
  try {
    await work(catalogue.db, config);
  } finally {
    await catalogue.close();
  }
}

/** As the database has it: null for the configured one, 0 for none. */
function quota(text: string): number | null {
  if (text === 'default') return null;
  if (text === 'none') return 0;
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new InvalidArgumentError('It must be a number of bytes from 1, "none" or "default".');
  }
  return Number(text);
}

function nonEmpty(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It must not be empty.');
  return text.trim();
}

function noUnit(id: number | undefined): string {
  return `There is no org unit ${id}; "org-unit list" shows all.`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fail(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}
