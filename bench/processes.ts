import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A server under test: where it answers, and the process whose tree its CPU time is read from. */
export interface Running {
  readonly base: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const TICKS_PER_SECOND = 100;
const START_PATIENCE = 30_000;

/** Starts a program and resolves when `base` answers anything at all. */
export async function start(
  command: readonly [string, ...string[]],
  base: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await answering(base, child);
  return {
    base,
    pid: child.pid ?? 0,
    async stop() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** Runs a program to its end and returns what it printed. */
export async function output(command: readonly [string, ...string[]]): Promise<string> {
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}`);
  return Buffer.concat(chunks).toString();
}

/** CPU seconds, user and system, of a process and all below it. */
export function cpuSeconds(root: number): number {
  const parents = new Map<number, { parent: number; ticks: number }>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = Number(fields[11]) + Number(fields[12]);
      parents.set(Number(entry), { parent: Number(fields[1]), ticks });
    } catch {
      // It ended while the list was read.
    }
  }
  let sum = 0;
  for (const [pid, { ticks }] of parents) if (isBelow(pid, root, parents)) sum += ticks;
  return sum / TICKS_PER_SECOND;
}

/** The most memory that a process has had at once, bytes. */
export function peakMemory(pid: number): number {
  const [, kilobytes = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

function isBelow(pid: number, root: number, parents: ReadonlyMap<number, { parent: number }>): boolean {
  for (let at = pid; at > 1; at = parents.get(at)?.parent ?? 0) if (at === root) return true;
  return false;
}

async function answering(base: string, child: ChildProcess): Promise<void> {
  const giveUp = Date.now() + START_PATIENCE;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${base} ended with ${child.exitCode}`);
    const isUp = await fetch(base, { method: 'HEAD' }).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    if (Date.now() > giveUp) throw new Error(`${base} does not answer`);
    await delay(100);
  }
}
