/**
 * Breaks the code in known ways, one at a time, in a copy of the sources, and sees whether the tests notice.
 * `npm run test:mutations` does all; arguments choose those whose name contains one of them. Ends with 1 when a
 * mutation survives or no longer fits the code.
 */
import { type ExecFileException, execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { MUTATIONS, type Mutation } from './mutations.ts';

const run = promisify(execFile);

/** What the tests do not need of the tree, or have from elsewhere: dependencies are linked. */
const LEFT_OUT = new Set(['.git', 'coverage', 'data', 'dist', 'node_modules']);
/** A mutant that hangs is noticed too, ms. */
const PATIENCE = 240_000;
/** All tests that any mutation names, one after the other, may take longer than those of one, ms. */
const PATIENCE_WITH_ALL = 1_800_000;

/** Where tests have rules of their own, and run what is built. */
const BUILT = ['test/faults/', 'test/s3/'] as const;

type Outcome = 'noticed' | 'SURVIVED' | 'DOES NOT FIT';

const wanted = process.argv.slice(2);
const chosen = MUTATIONS.filter(
  ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
);
if (chosen.length === 0) throw new Error(`no mutation has any of these in its name: ${wanted.join(', ')}`);
const folder = await mkdtemp(join(tmpdir(), 'media-prompts-mutants-'));
try {
  for (const entry of await readdir('.'))
    if (!LEFT_OUT.has(entry)) await cp(entry, join(folder, entry), { recursive: true });
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  // A test that is red anyway would notice everything.
  for (const tests of soundTests()) {
    const failure = await failureOf(tests, PATIENCE_WITH_ALL);
    if (failure !== undefined) throw new Error(`red without any mutation:\n${failure}`);
  }
  const outcomes: Outcome[] = [];
  for (const mutation of chosen) {
    const started = performance.now();
    const outcome = await outcomeOf(mutation);
    outcomes.push(outcome);
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    process.stdout.write(`${outcome.padEnd(12)} ${seconds.padStart(4)} s  ${mutation.name}\n`);
  }
  const noticed = outcomes.filter((outcome) => outcome === 'noticed').length;
  process.stdout.write(`\n${noticed} of ${outcomes.length} mutations noticed\n`);
  process.exitCode = noticed === outcomes.length ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function outcomeOf({ file, from, to, tests }: Mutation): Promise<Outcome> {
  const path = join(folder, file);
  const sound = await readFile(path, 'utf8');
  if (sound.split(from).length !== 2) return 'DOES NOT FIT';
  await writeFile(
    path,
    sound.replace(from, () => to),
  );
  try {
    // Code that does not parse would be noticed by any test, and say nothing of them.
    if (!(await parses())) return 'DOES NOT FIT';
    return (await failureOf(tests, PATIENCE)) === undefined ? 'SURVIVED' : 'noticed';
  } finally {
    await writeFile(path, sound);
  }
}

/** Types may be wrong in a mutant; syntax may not. */
async function parses(): Promise<boolean> {
  const { stdout } = await run(join(folder, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.json'], {
    cwd: folder,
  }).catch((error: { stdout: string }) => error);
  return !/error TS1\d{3}:/.test(stdout);
}

/** All tests that the chosen mutations name, those with rules of their own apart. */
function soundTests(): readonly (readonly string[])[] {
  const tests = new Set(chosen.flatMap((mutation) => mutation.tests));
  return [...Map.groupBy(tests, rulesOf).values()];
}

function rulesOf(test: string | undefined): string | undefined {
  return BUILT.find((suite) => test?.startsWith(suite));
}

/** What the tests print when one of them is red or they take longer than `patience`, ms. */
async function failureOf(tests: readonly string[], patience: number): Promise<string | undefined> {
  const program = (name: string) => join(folder, 'node_modules/.bin', name);
  const suite = rulesOf(tests[0]);
  if (suite !== undefined) await run(program('rolldown'), ['-c', 'rolldown.config.ts'], { cwd: folder });
  const config = suite === undefined ? [] : ['--config', `${suite}vitest.config.ts`];
  try {
    await run(program('vitest'), ['run', '--bail=1', ...config, ...tests], {
      cwd: folder,
      env: { ...process.env, FAULTS: 'short', TEST_S3_ENGINE: 'ceph' },
      timeout: patience,
      killSignal: 'SIGKILL',
      maxBuffer: 64 * 1024 * 1024,
    });
    return undefined;
  } catch (error) {
    const { message, stdout, stderr } = error as ExecFileException;
    return [message, stdout, stderr].join('\n');
  }
}
