import type { Command } from 'commander';
import { Option } from 'commander';
import type { BlobStore } from '../blobs/blob-store.ts';
import { openBlobStore } from '../blobs/open-blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import type { Config } from '../config.ts';
import type { BlobChoice } from '../config-blobs.ts';
import { type CopyingFault, type CopyingProgress, copyBlobs } from '../library/copy-blobs.ts';
import { type Console, showProgress } from './console.ts';
import { assertLibrary, type Host, reporting, watchable } from './keeping.ts';

interface CopyOptions {
  readonly to: BlobChoice['kind'];
  readonly json: boolean;
  readonly progress?: boolean;
}

/** Adds the commands about the store of the bytes. */
export function addBlobCommands(program: Command, host: Host): void {
  const blobs = program.command('blobs').description('manage where the audio is kept');

  watchable(blobs.command('copy'))
    .description(
      'copy all audio to the other store, also while the service runs; exit with 0: all is there, 1: audio missing or damaged, 2: not copied',
    )
    .addOption(new Option('--to <store>', 'where to').choices(['s3', 'disk']).makeOptionMandatory())
    .option('--json', 'print one JSON object a line, the summary last', false)
    .action(async (options: CopyOptions) => {
      await reporting(host, async () => {
        const config = host.config();
        const { from, to } = choicesFor(config, options.to);
        await assertLibrary({ ...config, blobs: from });
        const source = await openBlobStore(from, config.uploadLeaseMs);
        const destination = await openBlobStore(to, config.uploadLeaseMs);
        let isWhole = false;
        await host.withDatabase(
          async (db) => {
            isWhole = await runCopy(db, source, destination, options, host.console);
          },
          { isPatient: true },
        );
        return isWhole;
      });
    });
}

function choicesFor({ stores: { disk, s3 } }: Config, to: BlobChoice['kind']) {
  if (s3 === undefined) throw new Error('Set S3_BUCKET, and what else the bucket needs, as for the service.');
  return to === 's3' ? { from: disk, to: s3 } : { from: s3, to: disk };
}

async function runCopy(
  db: Database,
  from: BlobStore,
  to: BlobStore,
  { json, progress: wantsProgress }: CopyOptions,
  console: Console,
): Promise<boolean> {
  const began = performance.now();
  const progress: CopyingProgress = { copied: 0, bytes: 0, alreadyThere: 0 };
  const bar = showProgress(console, wantsProgress, () => line(progress));
  let faults = 0;
  try {
    for await (const fault of copyBlobs(db, from, to, progress)) {
      faults += 1;
      bar.clear();
      console.print(json ? faultAsJson(fault) : `${fault.reason}\t${fault.key}`);
    }
  } finally {
    bar.end();
  }
  const seconds = Math.round(performance.now() - began) / 1000;
  if (json) console.print(summaryAsJson(progress, faults, seconds));
  else {
    console.print(`Copied in ${seconds} s: ${line(progress)}.`);
    if (faults > 0) console.print(`Missing, damaged or unreadable where they come from: ${faults}.`);
  }
  return faults === 0;
}

const line = ({ copied, bytes, alreadyThere }: CopyingProgress) =>
  `files ${copied}, bytes ${bytes}, there before ${alreadyThere}`;

const faultAsJson = ({ key, reason }: CopyingFault) => JSON.stringify({ kind: reason, subject: key });

const summaryAsJson = ({ copied, bytes, alreadyThere }: CopyingProgress, faults: number, seconds: number) =>
  JSON.stringify({ kind: 'summary', copied, bytes, there_before: alreadyThere, faults, seconds });
