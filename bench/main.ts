import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { inspect, parseArgs } from 'node:util';
import { machine, type Result, say } from './figures.ts';
import { MissingProgramError } from './processes.ts';
import { markdown } from './tables.ts';

const SUITES: Readonly<
  Record<string, () => Promise<(options: { readonly isQuick: boolean }) => Promise<Result>>>
> = {
  upload: async () => (await import('./upload.ts')).benchUploads,
  list: async () => (await import('./list.ts')).benchLists,
  serve: async () => (await import('./serve.ts')).benchServing,
  facts: async () => (await import('./facts.ts')).benchFacts,
  sync: async () => (await import('./sync.ts')).benchSyncs,
  embedded: async () => (await import('./embedded.ts')).benchEmbedded,
  scale: async () => (await import('./scale.ts')).benchScale,
  renditions: async () => (await import('./renditions.ts')).benchRenditions,
  store: async () => (await import('./store.ts')).benchStores,
  console: async () => (await import('./console.ts')).benchConsole,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, output: { type: 'string' } },
});
const unknown = positionals.find((name) => SUITES[name] === undefined);
if (unknown !== undefined) {
  say(`There is no suite ${unknown}; there are ${Object.keys(SUITES).join(', ')}.`);
  process.exit(1);
}
// Ctrl-C reaches what was started, too: the measurement fails, and what was made is removed as after any failure.
let isEnding = false;
process.once('SIGINT', () => {
  isEnding = true;
  say('ending');
});

// What a quick run says is not worth keeping, unless it is asked for.
const folder = values.output ?? (values.quick ? undefined : 'bench');
process.stdout.write(`${machine()}\n`);
if (values.quick)
  process.stdout.write('A quick run: it only sees that everything works, and its figures mean nothing.\n');
// Where figures mean nothing, suites need not wait for each other.
const lanes = values.quick ? 3 : 1;
const waiting = positionals.length > 0 ? positionals : Object.keys(SUITES);
await Promise.all(Array.from({ length: lanes }, runInTurn));

async function runInTurn(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined && !isEnding; name = waiting.shift()) {
    const began = performance.now();
    try {
      await runSuite(name);
    } catch (error) {
      process.exitCode = 1;
      say(`${name} failed: ${error instanceof MissingProgramError ? error.message : inspect(error)}`);
    }
    say(`${name} took ${((performance.now() - began) / 1000).toFixed(0)} s`);
  }
}

async function runSuite(name: string): Promise<void> {
  const run = await SUITES[name]?.();
  if (run === undefined) return;
  const result = await run({ isQuick: values.quick });
  process.stdout.write(`\n## ${name}\n\n${markdown(result)}\n`);
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  const text = JSON.stringify({ machine: machine(), quick: values.quick, ...result }, null, 2);
  await writeFile(join(folder, `${name}.json`), `${text}\n`);
}
