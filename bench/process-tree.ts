import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

export const TICKS_PER_SECOND = 100;
const PAGE = 4096;
const SAMPLE_EVERY = 100;
/** A tree changes seldom, and finding it reads all of /proc. */
const SAMPLES_PER_TREE = 10;

interface Entry {
  readonly parent: number;
  /** User and system time of its own and of the children it has waited for. */
  readonly ticks: number;
}

/** CPU seconds, user and system, of processes and all below them, also of those that have ended meanwhile. */
export function cpuSeconds(roots: readonly number[]): number {
  const all = allProcesses();
  let ticks = 0;
  for (const pid of treesOf(roots, all)) ticks += all.get(pid)?.ticks ?? 0;
  return ticks / TICKS_PER_SECOND;
}

/** CPU seconds of the children that this process has started and seen the end of. */
export function cpuSecondsOfEndedChildren(): number {
  return statOf('self').ofEnded / TICKS_PER_SECOND;
}

/**
 * Watches the memory of process trees until it is stopped, and then tells the most, bytes: what each process has of
 * its own, and once what the one with most of it shares with others (libraries, PostgreSQL's buffers).
 */
export function watchMemory(roots: readonly number[]): { stop(): number } {
  let tree: readonly number[] = [];
  let samples = 0;
  let peak = 0;
  const sample = () => {
    if (samples % SAMPLES_PER_TREE === 0) tree = treesOf(roots, allProcesses());
    samples += 1;
    peak = Math.max(peak, memoryOf(tree));
  };
  sample();
  const timer = setInterval(sample, SAMPLE_EVERY);
  return {
    stop() {
      clearInterval(timer);
      sample();
      return peak;
    },
  };
}

/** The most memory that a process has had at once since its start, or since it was told to forget, bytes. */
export function peakMemory(pid: number): number {
  const [, kilobytes = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** Makes the peak of a process start anew. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function memoryOf(pids: readonly number[]): number {
  let own = 0;
  let shared = 0;
  for (const pid of pids) {
    const [, resident = 0, common = 0] = (read(`/proc/${pid}/statm`) ?? '').split(' ').map(Number);
    own += resident - common;
    shared = Math.max(shared, common);
  }
  return (own + shared) * PAGE;
}

function allProcesses(): ReadonlyMap<number, Entry> {
  const all = new Map<number, Entry>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const { parent, own, ofEnded } = statOf(name);
    all.set(Number(name), { parent, ticks: own + ofEnded });
  }
  return all;
}

function treesOf(roots: readonly number[], all: ReadonlyMap<number, Entry>): readonly number[] {
  const isBelow = (pid: number): boolean => {
    for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (roots.includes(at)) return true;
    return false;
  };
  return [...all.keys()].filter(isBelow);
}

interface Stat {
  readonly name: string;
  readonly parent: number;
  readonly own: number;
  readonly ofEnded: number;
}

/** The name, the parent and the ticks of a process, or of a thread: `<pid>/task/<tid>`. A name may hold anything. */
export function statOf(pid: string): Stat {
  const stat = read(`/proc/${pid}/stat`) ?? '';
  const end = stat.lastIndexOf(')');
  const fields = stat
    .slice(end + 2)
    .split(' ')
    .map(Number);
  const [parent = 0, user = 0, system = 0, endedUser = 0, endedSystem = 0] = [1, 11, 12, 13, 14].map(
    (place) => fields[place] ?? 0,
  );
  const name = stat.slice(stat.indexOf('(') + 1, end);
  return { name, parent, own: user + system, ofEnded: endedUser + endedSystem };
}

/** Undefined for a process that has ended while the list was read. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
