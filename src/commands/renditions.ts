import type { Command } from 'commander';
import { countRenditions, type RenditionFigures, retryFailed } from '../catalogue/rendition-jobs.ts';
import { RECIPE } from '../library/recipe.ts';
import type { Host } from './keeping.ts';

/** Adds the commands that show how far renditions are, and have failed ones tried again. */
export function addRenditionCommands(program: Command, { console, withDatabase }: Host): void {
  const renditions = program.command('renditions').description('how far the renditions of recordings are');

  renditions
    .command('status')
    .description('count recordings, renditions and what is queued')
    .option('--json', 'print one JSON object', false)
    .action(async ({ json }: { json: boolean }) => {
      await withDatabase(async (db) => {
        const figures = await countRenditions(db, RECIPE);
        if (json) console.print(JSON.stringify(figures));
        else for (const line of asText(figures)) console.print(line);
      });
    });

  renditions
    .command('retry')
    .description('queue again every recording of which a rendition failed')
    .action(async () => {
      await withDatabase(async (db) => console.print(`Queued: ${await retryFailed(db)} recordings.`));
    });
}

function asText(figures: RenditionFigures): readonly string[] {
  const { recordings, complete, ready, failed, waiting, running, postponed } = figures;
  const percent = recordings === 0 ? 100 : Math.floor((complete / recordings) * 100);
  return [
    `Recordings: ${recordings}, of which complete: ${complete} (${percent} %).`,
    `Renditions ready: ${ready}, failed for good: ${failed}.`,
    `Queue: ${waiting} waiting, ${running} being made, ${postponed} to be tried again.`,
  ];
}
