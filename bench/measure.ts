import process from 'node:process';
import { type Measured, percentile } from './figures.ts';
import type { Load, LoadReport } from './load-client.ts';
import { cpuSeconds, cpuSecondsOfEndedChildren, watchMemory } from './process-tree.ts';
import { output } from './processes.ts';

/** What a load client tells. */
interface Done {
  readonly requests: number;
  readonly seconds: number;
  /** Payload, bytes. */
  readonly bytes: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Of the client itself, where it knows that; otherwise its whole life counts. */
  readonly clientCpuSeconds?: number;
}

/** A url that is asked for again and again. */
export interface Reading {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of the body of each right answer, bytes. */
  readonly length: number;
}

/** Head of an answer at most, bytes: what an answer may be longer than its body. */
const LONGEST_HEAD = 2048;
/** Seconds. */
const LONGER_THAN_A_MOMENT = 10;

/** Runs a load and reads, over its time, what the processes whose trees have these roots needed for it. */
async function measure(roots: readonly number[], run: () => Promise<Done>): Promise<Measured> {
  const memory = watchMemory(roots);
  const before = cpuSeconds(roots);
  const clientBefore = cpuSecondsOfEndedChildren();
  try {
    const { requests, seconds, bytes, p50, p99, clientCpuSeconds } = await run();
    const cpu = cpuSeconds(roots) - before;
    const clientCpu = clientCpuSeconds ?? cpuSecondsOfEndedChildren() - clientBefore;
    return {
      requestsPerSecond: requests / seconds,
      cpuPerRequest: (cpu / requests) * 1e6,
      cpuPerGb: (cpu / bytes) * 1e9,
      p50,
      p99,
      peakMemory: memory.stop(),
      clientShare: clientCpu / seconds,
    };
  } finally {
    memory.stop();
  }
}

/** Uploads; throws when one was not answered as it has to be. */
export async function measureUploads(
  roots: readonly number[],
  load: Load,
): Promise<{ readonly measured: Measured; readonly report: LoadReport }> {
  const reports: LoadReport[] = [];
  const measured = await measure(roots, async () => {
    const client = [process.execPath, 'bench/load-client.ts', JSON.stringify(load)] as const;
    const report = JSON.parse(await output(client)) as LoadReport;
    reports.push(report);
    const { seconds, latencies } = report;
    return {
      requests: load.count,
      seconds,
      bytes: load.count * load.size,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      clientCpuSeconds: report.cpuSeconds,
    };
  });
  const [report] = reports;
  if (report === undefined) throw new Error('the load client did not report');
  return { measured, report };
}

/**
 * Asks for one url with wrk. Throws when an answer had another status than 2xx or 3xx, or when the answers were not
 * as long as the right one.
 */
export async function measureReading(roots: readonly number[], reading: Reading): Promise<Measured> {
  try {
    return await readOnce(roots, reading);
  } catch (error) {
    const isMoment = !Number.isInteger(reading.seconds);
    if (!isMoment || !(error instanceof NoAnswerError)) throw error;
    // On a busy machine a moment may be too short for the first answer.
    return await readOnce(roots, { ...reading, seconds: LONGER_THAN_A_MOMENT });
  }
}

function readOnce(roots: readonly number[], reading: Reading): Promise<Measured> {
  const { url, connections, seconds, headers = {}, length } = reading;
  return measure(roots, async () => {
    const command = [
      'wrk',
      '-t1',
      `-c${connections}`,
      `-d${Math.ceil(seconds)}s`,
      '--timeout=10s',
      '--latency',
      ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
      url,
    ] as const;
    // It knows whole seconds only, but ends early with a report when it is asked to.
    const report = await output(command, Number.isInteger(seconds) ? {} : { askToEndAfter: seconds * 1000 });
    const done = parse(report);
    if (done.requests === 0) throw new NoAnswerError(`${url} gave no answer within ${seconds} s`);
    const average = done.bytes / done.requests;
    // wrk rounds what it has read, and counts parts of answers that it did not wait for.
    const most = length * 1.02 + LONGEST_HEAD + (connections * length) / done.requests;
    if (/Non-2xx|Socket errors/.test(report) || average < length * 0.98 || average > most) {
      throw new Error(`wrong answers from ${url}, of ${average} bytes instead of ${length}:\n${report}`);
    }
    return { ...done, bytes: done.requests * length };
  }).then((measured) => (length === 0 ? { ...measured, cpuPerGb: Number.NaN } : measured));
}

class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/** The report of wrk. */
function parse(report: string): Done {
  const [, count = '0', time = '', timeUnit = '', bytes = '0', unit = 'B'] =
    /(\d+) requests in ([\d.]+)(ms|s|m), ([\d.]+)(GB|MB|KB|B) read/.exec(report) ?? [];
  const [, p50 = '', p50Unit = ''] = /50%\s+([\d.]+)(us|ms|s|m)/.exec(report) ?? [];
  const [, p99 = '', p99Unit = ''] = /99%\s+([\d.]+)(us|ms|s|m)/.exec(report) ?? [];
  return {
    requests: Number(count),
    seconds: milliseconds(time, timeUnit) / 1000,
    bytes: Number(bytes) * { GB: 1024 ** 3, MB: 1024 ** 2, KB: 1024, B: 1 }[unit as 'B'],
    p50: milliseconds(p50, p50Unit),
    p99: milliseconds(p99, p99Unit),
  };
}

function milliseconds(value: string, unit: string): number {
  return Number(value) * ({ us: 0.001, ms: 1, s: 1000, m: 60_000 }[unit] ?? Number.NaN);
}

/** For the line of progress. */
export function brief({ requestsPerSecond, cpuPerRequest, p99 }: Measured): string {
  return `${requestsPerSecond.toFixed(1)}/s, ${(cpuPerRequest / 1000).toFixed(2)} ms of CPU each, p99 ${p99.toFixed(1)} ms`;
}
