import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

/** The processes below `pid`, whichever process groups they are in, without itself. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const parent = /^\d+$/.test(entry) ? parentOf(entry) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const below = (parent: number): number[] =>
    (children.get(parent) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

/** Sends a signal to each that is still there. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // Gone before it came to that.
    }
  }
}

/** A zombie has ended: only its parent has not asked yet. */
export function isAlive(pid: number): boolean {
  const state = stateOf(pid);
  return state !== undefined && state !== 'Z';
}

/** Resolves when none of them runs any more. */
export async function ended(pids: readonly number[], patience = 20_000): Promise<void> {
  const giveUp = performance.now() + patience;
  while (pids.some(isAlive)) {
    if (performance.now() > giveUp) throw new Error(`still there: ${pids.filter(isAlive).join(', ')}`);
    await delay(20);
  }
}

/** Has processes stand still, and resolves when they do. */
export async function stopped(pids: readonly number[]): Promise<void> {
  signalAll(pids, 'SIGSTOP');
  while (pids.some((pid) => isAlive(pid) && stateOf(pid) !== 'T')) await delay(1);
}

/** What a process takes of memory now, or at most since its start, bytes. */
export function memoryOf(pid: number, what: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const [, kib = '0'] = new RegExp(`${what}:\\s+(\\d+) kB`).exec(status) ?? [];
  return Number(kib) * 1024;
}

const stateOf = (pid: number): string | undefined => statOf(pid)?.[0];

function parentOf(pid: string): number | undefined {
  const parent = statOf(pid)?.[1];
  return parent === undefined ? undefined : Number(parent);
}

/** The fields of `/proc/<pid>/stat` from the state on; undefined for who is not there any more. */
function statOf(pid: number | string): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything, so what follows it is counted from its end.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
