import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Figures } from '../http/metrics.ts';

/** One whose figures count, while it lives. */
export interface Source {
  figures(): Promise<Figures>;
}

/** The figures of the whole service. */
export interface ServiceFigures {
  /** One more worker, whose figures count from now on. */
  join(source: Source): void;
  /**
   * It is no more. What it had counted as of the last scrape stays, or the sums would fall and look like those of a
   * new start.
   */
  leave(source: Source): void;
  /** In the form of Prometheus. Who does not answer in time counts with what it said last. */
  text(): Promise<string>;
}

/**
 * Adds up what the workers count: sums, except where a figure says that another way is right, as the largest is for
 * the ratios of load. Of the primary it takes what concerns processes. However many scrape at the same time, each
 * worker is asked once.
 */
export function createServiceFigures(): ServiceFigures {
  const lastSaid = new Map<Source, Figures>();
  let departed: Promise<Figures> = Promise.resolve([]);
  let ended = 0;
  let gathering: Promise<string> | undefined;
  const own = ownRegistry({ workers: () => lastSaid.size, ended: () => ended });

  async function refresh(source: Source): Promise<void> {
    const figures = await source.figures().catch(() => undefined);
    // Not if it left meanwhile: then it is among the departed.
    if (figures !== undefined && lastSaid.has(source)) lastSaid.set(source, figures);
  }

  async function gather(): Promise<string> {
    await Promise.all([...lastSaid.keys()].map(refresh));
    // Taken at the same moment, so that nobody is in both or in neither.
    const [present, past] = [[...lastSaid.values()], departed];
    return await AggregatorRegistry.aggregate([await ownFigures(own), ...present, await past]).metrics();
  }

  return {
    join: (source) => void lastSaid.set(source, []),
    leave(source) {
      const counts = (lastSaid.get(source) ?? []).filter(isCounted);
      lastSaid.delete(source);
      ended += 1;
      departed = departed.then((past) => added(past, counts));
    },
    async text() {
      gathering ??= gather().finally(() => {
        gathering = undefined;
      });
      return await gathering;
    },
  };
}

/** What cannot be added is left out, and what is known already stays. */
async function added(past: Figures, counts: Figures): Promise<Figures> {
  try {
    return await AggregatorRegistry.aggregate([past, counts]).getMetricsAsJSON();
  } catch {
    return past;
  }
}

/** Of what kinds prom-client has, those that only grow. */
const isCounted = ({ type }: Figures[number]) => ['counter', 'histogram'].includes(String(type));

function ownRegistry(count: { readonly workers: () => number; readonly ended: () => number }): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'media_prompts_workers',
    help: 'Workers that listen; those that start do not count yet',
    registers: [registry],
    collect() {
      this.set(count.workers());
    },
  });
  new Counter({
    name: 'media_prompts_workers_ended_total',
    help: 'Workers that listened and ended by themselves',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(count.ended());
    },
  });
  return registry;
}

/** Of the primary's own loop and heap nobody wants to know: they would blur what is told of the workers'. */
async function ownFigures(own: Registry): Promise<Figures> {
  const figures = await own.getMetricsAsJSON();
  return figures
    .filter(({ name }) => !name.startsWith('nodejs_'))
    .map((metric) =>
      // Otherwise left out of sums; the service started when the primary did.
      metric.name === 'process_start_time_seconds' ? { ...metric, aggregator: 'first' } : metric,
    );
}
