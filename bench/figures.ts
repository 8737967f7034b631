import { statfsSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import process from 'node:process';

/** A ratio that is to be reached, or only to be known where neither bound is set. */
export interface Goal {
  /** Of the list in README.md, such as `U1`. */
  readonly id?: string;
  readonly name: string;
  readonly least?: number;
  readonly most?: number;
}

export interface Row {
  readonly goal: Goal;
  /** One ratio a round. */
  readonly ratios: readonly number[];
}

/** A table of what was measured: a cell is one value a round, or words. */
export interface Section {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly {
    readonly name: string;
    readonly cells: readonly (readonly number[] | string)[];
  }[];
}

/** What a suite has found out. */
export interface Result {
  readonly sections: readonly Section[];
  readonly ratios: readonly Row[];
  /** What was left out and why, and what the tables cannot say. */
  readonly notes: readonly string[];
}

/** What one measurement says: each is one number of a run. */
export interface Measured {
  readonly requestsPerSecond: number;
  /** Of the server's process tree, and of its database's where it uses one, µs. */
  readonly cpuPerRequest: number;
  /** The same, seconds for 10⁹ bytes of payload. */
  readonly cpuPerGb: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Of the whole tree, bytes. */
  readonly peakMemory: number;
  /** How much of one core the load client took: at 1 it is the bottleneck. */
  readonly clientShare: number;
}

/** The column by which one can tell whether the client was what limited a rate. */
export const CLIENT_COLUMN = "client's share of a core";

const MEGA = 1024 * 1024;
const TMPFS = 0x01021994;

export function median(values: readonly number[]): number {
  const ordered = [...values].sort((a, b) => a - b);
  const middle = Math.floor(ordered.length / 2);
  const upper = ordered[middle] ?? Number.NaN;
  return ordered.length % 2 === 1 ? upper : ((ordered[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value below which a share of all lies; `ordered` rises. */
export function percentile(ordered: readonly number[], share: number): number {
  return ordered[Math.min(ordered.length - 1, Math.floor(ordered.length * share))] ?? Number.NaN;
}

/** The columns that every load has. CPU for each GB says nothing where answers have no payload to speak of. */
export function loadSection(
  title: string,
  byName: Readonly<Record<string, readonly Measured[]>>,
  { withGb }: { readonly withGb: boolean },
): Section {
  const columns: Readonly<Record<string, (of: Measured) => number>> = {
    ...(withGb && { 'CPU s/GB': ({ cpuPerGb }: Measured) => cpuPerGb }),
    'CPU ms/request': ({ cpuPerRequest }) => cpuPerRequest / 1000,
    'requests/s': ({ requestsPerSecond }) => requestsPerSecond,
    'p50 ms': ({ p50 }) => p50,
    'p99 ms': ({ p99 }) => p99,
    'peak RSS MB': ({ peakMemory }) => peakMemory / MEGA,
    [CLIENT_COLUMN]: ({ clientShare }) => clientShare,
  };
  return {
    title,
    columns: Object.keys(columns),
    rows: Object.entries(byName).map(([name, measured]) => ({
      name,
      cells: Object.values(columns).map((figure) => measured.map(figure)),
    })),
  };
}

/** The machine and the disk that the temporary folder is on: in memory nothing is ever synced. */
export function machine(): string {
  const [first] = cpus();
  const disk = statfsSync(tmpdir()).type === TMPFS ? 'MEMORY (set TMPDIR to a folder on a disk)' : 'a disk';
  return `${cpus().length} × ${first?.model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GB, ${tmpdir()} on ${disk}, Linux ${release()}, Node ${process.version}`;
}

/** Progress, for the person who waits, with the seconds since the start; the tables go to stdout. */
export function say(text: string): void {
  process.stderr.write(`${(performance.now() / 1000).toFixed(1).padStart(7)}  ${text}\n`);
}
