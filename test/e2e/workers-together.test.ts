import { readFileSync } from 'node:fs';
import process from 'node:process';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fixture } from '../support/multipart.ts';
import { canReplicate, createReplicated, startReplicated } from '../support/replicated.ts';
import { type ServiceProcess, startProcess, tokenFor, uploadFile, withDataDir } from './service-process.ts';
import { type Answer, figureIn, type Line, lineTo, pairOf, workersOf } from './worker-processes.ts';

async function withTwo(
  env: Readonly<Record<string, string>>,
  work: (
    lines: readonly [Line, Line],
    context: {
      service: ServiceProcess;
      token: string;
      upload: (name: string) => ReturnType<typeof uploadFile>;
    },
  ) => Promise<void>,
): Promise<void> {
  await withDataDir(async (dataDir) => {
    // A worker that was stopped for a while is late, and no busier than before.
    const service = await startProcess(dataDir, { WORKERS: '2', MAX_EVENT_LOOP_DELAY_MS: '0', ...env });
    const token = await tokenFor(dataDir);
    const [one, two] = await pairOf(service);
    const lines = [await lineTo(service, one), await lineTo(service, two)] as const;
    await work(lines, { service, token, upload: (name) => uploadFile(service, token, name) });
    expect(await service.end('SIGTERM')).toBe(0);
  });
}

/** While `work` runs, this process does nothing. */
async function halted<T>(pid: number, work: () => Promise<T>): Promise<T> {
  process.kill(pid, 'SIGSTOP');
  try {
    return await work();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** What the process holds of memory, bytes. */
const memoryOf = (pid: number) =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

describe('two workers together', { timeout: 60_000 }, () => {
  for (const [name, around] of [
    ['at once', (_pid: number, work: () => Promise<Answer>) => work()],
    // It goes on before it has heard anything.
    ['also in one that is halted meanwhile', halted],
  ] as const) {
    test(`what is deleted through one worker is silent in the other when that is acknowledged: ${name}`, async () => {
      await withTwo({}, async ([one, two], { service, token, upload }) => {
        const { url, media_prompt_id: id } = await upload('Soon gone');
        const [, other] = await pairOf(service);
        for (const line of [one, two, one, two, one, two]) {
          expect((await line.send('GET', url)).body).toEqual(fixture('tone.mp3'));
        }
        const removed = await around(other, () =>
          one.send('DELETE', `/v3/media-prompts/${id}`, { authorization: `Bearer ${token}` }),
        );
        expect(removed.status).toBe(200);
        for (const line of [two, one, two]) expect((await line.send('GET', url)).status).toBe(404);
      });
    });
  }

  test.skipIf(!canReplicate)(
    'what is removed through one worker is not listed by the other, though a replica has it',
    async () => {
      const pair = await startReplicated();
      onTestFinished(() => pair.stop());
      const { primary, replica } = await createReplicated(pair, 'workers');
      const env = { DATABASE_URL: primary, DATABASE_READ_URL: replica, DATABASE_READ_MAX_LAG_MS: '900' };
      await withTwo(env, async ([one, two], { token, upload }) => {
        const headers = { authorization: `Bearer ${token}` };
        const readByReplica = async () =>
          figureIn((await one.send('GET', '/metrics')).body, 'media_prompts_replica_used');
        const list = async () => String((await two.send('GET', '/v3/media-prompts', headers)).body);
        for (let round = 0; round < 5; round += 1) {
          const { media_prompt_id: id } = await upload(`Round ${round}`);
          await expect.poll(readByReplica, { timeout: 20_000 }).toBe(2);
          expect(await list()).toContain('"total":1');
          await pair.pause();
          expect((await one.send('DELETE', `/v3/media-prompts/${id}`, headers)).status).toBe(200);
          expect(await list()).toContain('"total":0');
          await pair.resume();
        }
      });
    },
  );

  test('requests of one token are counted together, whichever worker takes them', async () => {
    const LIMIT = 10;
    await withTwo({ RATE_LIMIT_PER_MINUTE: String(LIMIT) }, async (lines, { token }) => {
      const headers = { authorization: `Bearer ${token}` };
      const answers = await Promise.all(
        Array.from({ length: LIMIT }, () =>
          lines.map((line) => line.send('GET', '/v3/media-prompts', headers)),
        ).flat(),
      );
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(LIMIT);
      expect(statuses.filter((status) => status === 429)).toHaveLength(LIMIT);
      for (const { status, headers: got } of answers) {
        if (status === 429) expect(Number(got['retry-after'])).toBeGreaterThan(0);
      }
    });
  });

  test('a scrape of either worker tells of the whole service, also of a worker that is no more', async () => {
    const BOUND = 4_000_000_000;
    await withTwo({ MAX_RSS_BYTES: String(BOUND) }, async ([one, two], { service, token }) => {
      const answered =
        'media_prompts_answer_seconds_count{method="GET",route="/v3/media-prompts",status="200"}';
      const headers = { authorization: `Bearer ${token}` };
      for (const line of [one, one, one, two]) await line.send('GET', '/v3/media-prompts', headers);
      const [first, second] = await pairOf(service);
      for (const line of [one, two]) {
        const { status, headers: got, body } = await line.send('GET', '/metrics');
        expect({ status, type: got['content-type'] }).toEqual({
          status: 200,
          type: 'text/plain; version=0.0.4; charset=utf-8',
        });
        expect(figureIn(body, answered)).toBe(4);
        expect(figureIn(body, 'media_prompts_workers')).toBe(2);
        expect(figureIn(body, 'process_start_time_seconds')).toBeGreaterThan(1e9);
        expect(figureIn(body, 'process_start_time_seconds')).toBeLessThan(Date.now() / 1000);
        // How near the nearest is to its bound: as a sum it would say nothing.
        const memory = figureIn(body, 'media_prompts_load_ratio{check="memory"}') * BOUND;
        expect(memory).toBeLessThan(1.5 * Math.max(memoryOf(first), memoryOf(second)));
        expect(figureIn(body, 'process_resident_memory_bytes')).toBeGreaterThan(1.5 * memory);
      }
      process.kill(first, 'SIGKILL');
      await expect.poll(() => workersOf(service).length, { timeout: 20_000 }).toBe(3);
      const scrape = async () => (await two.send('GET', '/metrics')).body;
      await expect.poll(async () => figureIn(await scrape(), 'media_prompts_workers')).toBe(2);
      const after = await scrape();
      expect(figureIn(after, 'media_prompts_workers_ended_total')).toBe(1);
      expect(figureIn(after, answered)).toBe(4);
    });
  });
});
