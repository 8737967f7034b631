import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Library } from '../library/library.ts';
import { RequestError } from './failure.ts';
import type { Load } from './load-shedding.ts';
import type { UploadGate } from './upload-gate.ts';

/** Seconds; prompts are answered from memory in less than the first, and large uploads take longer than the last. */
const BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10];

/** What a process counts, for adding up. */
export type Figures = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** For one of several processes: who scrapes it wants to know of all. */
export interface SharedMetrics {
  /** Called once, with how the figures of this process are had. */
  offer(own: () => Promise<Figures>): void;
  /** Those of all, in the form of Prometheus. */
  ofAll(): Promise<string>;
}

/** What is counted. */
export interface MetricsOptions {
  readonly library: Library;
  readonly load: Load;
  readonly gate: UploadGate;
  readonly shared: SharedMetrics | undefined;
}

/**
 * `/metrics` in the form of Prometheus: the process, the answers by route, what is kept for playing, and the load.
 * Returns how to tell of an answer that the app's hooks do not see: counted only, to keep
 * their way short.
 */
export function metrics(
  app: FastifyInstance,
  { library, load, gate, shared }: MetricsOptions,
): (status: number) => void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  shared?.offer(() => registry.getMetricsAsJSON());
  const answers = new Histogram({
    name: 'media_prompts_answer_seconds',
    help: 'Time to the end of the answer, by method, route and status',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: BUCKETS,
    registers,
  });
  new Gauge({
    name: 'media_prompts_playback_cache_bytes',
    help: 'Audio kept in memory for playing',
    registers,
    collect() {
      this.set(library.shelf().bytes);
    },
  });
  new Gauge({
    name: 'media_prompts_playback_cache_recordings',
    help: 'Recordings known for playing, with or without their audio in memory',
    registers,
    collect() {
      this.set(library.shelf().recordings);
    },
  });
  new Counter({
    name: 'media_prompts_playback_cache_requests_total',
    help: 'Requests for a recording, by whether its audio was in memory',
    labelNames: ['result'] as const,
    registers,
    collect() {
      const { hits, misses } = library.shelf();
      this.reset();
      this.inc({ result: 'hit' }, hits);
      this.inc({ result: 'miss' }, misses);
    },
  });
  new Gauge({
    name: 'media_prompts_database_queue',
    help: 'Queries that wait for a connection to the database',
    registers,
    collect() {
      this.set(library.databaseQueue().length);
    },
  });
  new Counter({
    name: 'media_prompts_database_retries_total',
    help: 'Transactions begun anew because others stood in their way',
    registers,
    collect() {
      this.reset();
      this.inc(library.databaseRetries());
    },
  });
  if (library.replica() !== undefined) measureReplica(library, registers);
  new Gauge({
    name: 'media_prompts_load_ratio',
    help: 'How near each watched figure of load is to its bound',
    labelNames: ['check'] as const,
    registers,
    aggregator: 'max',
    collect() {
      for (const { check, ratio } of load.ratios()) this.set({ check }, ratio);
    },
  });
  new Counter({
    name: 'media_prompts_shed_total',
    help: 'Requests refused for too much load, by the check that was past its bound',
    labelNames: ['check'] as const,
    registers,
    collect() {
      this.reset();
      for (const { check, requests } of load.shed()) this.inc({ check }, requests);
    },
  });

  new Gauge({
    name: 'media_prompts_uploads',
    help: 'Uploads that run, those that run aside because their clients are slow, and those that wait for their turn',
    labelNames: ['state'] as const,
    registers,
    collect() {
      for (const [state, uploads] of Object.entries(gate.figures())) this.set({ state }, uploads);
    },
  });

  new Gauge({
    name: 'media_prompts_rendering',
    help: 'Recordings whose renditions are being made',
    registers,
    collect() {
      this.set(library.rendering().running);
    },
  });
  new Counter({
    name: 'media_prompts_rendition_jobs_total',
    help: 'Recordings whose renditions were made, cannot be made, or are to be tried again',
    labelNames: ['outcome'] as const,
    registers,
    collect() {
      const { made, failed, postponed } = library.rendering();
      this.reset();
      for (const [outcome, jobs] of Object.entries({ made, failed, postponed })) this.inc({ outcome }, jobs);
    },
  });

  const atOnce = new Map<number, number>();
  new Counter({
    name: 'media_prompts_playback_at_once_total',
    help: 'Answers with a recording that was at hand, by status; not in media_prompts_answer_seconds',
    labelNames: ['status'] as const,
    registers,
    collect() {
      this.reset();
      for (const [status, count] of atOnce) this.inc({ status }, count);
    },
  });

  app.addHook('onResponse', async (request, reply) => {
    const { method } = request;
    const route = request.routeOptions.url ?? 'none';
    answers.observe({ method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
  });
  app.get('/metrics', { logLevel: 'warn' }, async (_request, reply) => {
    return await reply
      .header('cache-control', 'no-store')
      .type(registry.contentType)
      .send(await (shared === undefined ? registry.metrics() : ofAll(shared)));
  });
  return (status) => atOnce.set(status, (atOnce.get(status) ?? 0) + 1);
}

function measureReplica(library: Library, registers: Registry[]): void {
  new Gauge({
    name: 'media_prompts_replica_used',
    help: 'Processes that read from the replica now',
    registers,
    collect() {
      this.set(library.replica()?.state === 'used' ? 1 : 0);
    },
  });
  new Gauge({
    name: 'media_prompts_replica_lag_seconds',
    help: 'The replica has all that was committed until so long ago',
    registers,
    aggregator: 'max',
    collect() {
      this.set((library.replica()?.lagMs ?? 0) / 1000);
    },
  });
  new Counter({
    name: 'media_prompts_reads_total',
    help: 'Lists and single prompts, by where they were read',
    labelNames: ['from'] as const,
    registers,
    collect() {
      const { fromReplica = 0, fromPrimary = 0 } = library.replica() ?? {};
      this.reset();
      this.inc({ from: 'replica' }, fromReplica);
      this.inc({ from: 'primary' }, fromPrimary);
    },
  });
}

async function ofAll(shared: SharedMetrics): Promise<string> {
  try {
    return await shared.ofAll();
  } catch (cause) {
    const message = 'The figures of the whole service could not be had; try again in a moment.';
    throw new RequestError(503, message, { cause, headers: { 'retry-after': '2' } });
  }
}
