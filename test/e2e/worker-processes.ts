import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import process from 'node:process';
import { expect, onTestFinished } from 'vitest';
import type { ServiceProcess } from './service-process.ts';

export const isAlive = (pid: number) => existsSync(`/proc/${pid}/exe`);

/** Every worker that ever listened, in the order in which they did. */
export function workersOf(service: ServiceProcess): readonly number[] {
  return service.output.flatMap((line) =>
    line.includes('"msg":"a worker listens at ') ? [Number(/"pid":(\d+)/.exec(line)?.[1])] : [],
  );
}

/** Two workers that listen. Their own words may come later than those of the primary. */
export async function pairOf(service: ServiceProcess): Promise<readonly [number, number]> {
  const alive = () => workersOf(service).filter(isAlive);
  await expect.poll(() => alive().length, { timeout: 10_000 }).toBe(2);
  const [one = 0, two = 0] = alive();
  return [one, two];
}

/** While `work` runs, no other worker takes a connection. */
export async function withWorkerAlone<T>(
  service: ServiceProcess,
  pid: number,
  work: () => Promise<T>,
): Promise<T> {
  const others = workersOf(service).filter((other) => other !== pid && isAlive(other));
  for (const other of others) process.kill(other, 'SIGSTOP');
  try {
    return await work();
  } finally {
    for (const other of others) process.kill(other, 'SIGCONT');
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One connection to one worker, which is kept. */
export interface Line {
  send(method: string, path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}

/** Opens a connection to this worker and no other. */
export async function lineTo(service: ServiceProcess, pid: number): Promise<Line> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const line: Line = {
    send: (method, path, headers = {}) =>
      new Promise((resolve, reject) => {
        const sent = request(service.base + path, { method, agent, headers }, (response) => {
          const chunks: Buffer[] = [];
          response
            .on('data', (chunk: Buffer) => chunks.push(chunk))
            .on('error', reject)
            .on('end', () =>
              resolve({
                status: response.statusCode ?? 0,
                headers: response.headers,
                body: Buffer.concat(chunks),
              }),
            );
        });
        sent.on('error', reject).end();
      }),
  };
  await withWorkerAlone(service, pid, async () => {
    const id = randomUUID();
    await line.send('GET', '/v3/media-prompts', { 'x-request-id': id });
    // The log tells who answered.
    await expect.poll(() => service.output.find((text) => text.includes(id))).toContain(`"pid":${pid},`);
  });
  return line;
}

/** One figure of a scrape; 0 when there is none. Several lines with other labels are added up. */
export function figureIn(scrape: Buffer | string, name: string): number {
  const lines = String(scrape).split('\n');
  const ofName = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return ofName.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
