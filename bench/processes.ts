import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** A server under test: where it answers, and the process whose tree its CPU time is read from. */
export interface Running {
  readonly base: string;
  readonly pid: number;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

export type Command = readonly [string, ...string[]];

/** The temporary folder of a suite, and what is to be ended after it, last first. */
export interface Stage {
  readonly folder: string;
  /** Starts something that is stopped at the end, whatever happens. */
  keep<Stoppable extends { stop(): Promise<unknown> }>(starting: Promise<Stoppable>): Promise<Stoppable>;
}

const START_PATIENCE = 60_000;
const ASK_EVERY = 20;

/** Lends a stage to `work`, and leaves no process and no file of it behind. */
export async function onStage<Outcome>(work: (stage: Stage) => Promise<Outcome>): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-bench-'));
  const kept: Promise<{ stop(): Promise<unknown> }>[] = [];
  try {
    return await work({
      folder,
      keep(starting) {
        kept.push(starting);
        return starting;
      },
    });
  } finally {
    // Also what was still starting when something else failed.
    for (const started of (await Promise.allSettled(kept)).toReversed()) {
      if (started.status === 'fulfilled') await started.value.stop();
    }
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * Starts a program and resolves when `base` answers anything at all. Of our environment it gets what no program can
 * do without, so that no setting of ours changes a result. A program of Node's can be sent messages.
 */
export async function start(
  [program, ...args]: Command,
  base: string,
  { env = {}, cwd }: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Promise<Running> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(program, args, {
    env: { PATH, HOME, TMPDIR: tmpdir(), ...env },
    cwd,
    stdio: ['ignore', 'ignore', 'inherit', program === process.execPath ? 'ipc' : 'ignore'],
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  };
  await answering(base, child).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { base, pid: child.pid ?? 0, child, stop };
}

/** Runs a program to its end, or asks it to end after a while (ms), and returns what it printed. */
export async function output(
  [program, ...args]: Command,
  { askToEndAfter }: { readonly askToEndAfter?: number } = {},
): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const timer =
    askToEndAfter === undefined ? undefined : setTimeout(() => child.kill('SIGINT'), askToEndAfter);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close').finally(() => clearTimeout(timer))) as [number];
  if (code !== 0) throw new Error(`${program} ${args.join(' ').slice(0, 200)} ended with ${code}`);
  return Buffer.concat(chunks).toString();
}

/** What a program says of its version; undefined when it is not installed. */
export async function versionOf([program, ...args]: Command): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args);
    return (stdout + stderr).split('\n')[0] ?? '';
  } catch (error) {
    // wrk tells its version and ends with 1.
    const { stdout } = error as { stdout?: string };
    return stdout?.split('\n')[0] || undefined;
  }
}

/** A program is not installed that nothing can be measured without. The message says what to do. */
export class MissingProgramError extends Error {
  override readonly name = 'MissingProgramError';
}

/** What a program says of its version. Throws `MissingProgramError`. */
export async function need(program: string, flag: string, packageName: string): Promise<string> {
  const version = await versionOf([program, flag]);
  if (version === undefined) {
    throw new MissingProgramError(`${program} is not installed: run \`apt install ${packageName}\`.`);
  }
  return version;
}

/** An address on this machine where nobody listens yet. */
export async function freeAddress(): Promise<{ readonly port: number; readonly base: string }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { port, base: `http://127.0.0.1:${port}` };
}

async function answering(base: string, child: ChildProcess): Promise<void> {
  const giveUp = Date.now() + START_PATIENCE;
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  failed.catch(() => undefined);
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${base} ended with ${child.exitCode}`);
    const asked = fetch(base, { method: 'HEAD' }).then(
      () => true,
      () => false,
    );
    if (await Promise.race([asked, failed])) return;
    if (Date.now() > giveUp) throw new Error(`${base} does not answer`);
    await delay(ASK_EVERY);
  }
}
