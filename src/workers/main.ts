import process from 'node:process';
import closeWithGrace from 'close-with-grace';
import { shareCatalogue } from '../catalogue/open-catalogue.ts';
import { compose, type Service } from '../compose.ts';
import type { Config } from '../config.ts';
import type { Figures } from '../http/metrics.ts';
import type { Library } from '../library/library.ts';
import { createLog, logDestination } from '../log.ts';
import { reasonOf } from '../reason.ts';
import type { Notes, WorkerSetup } from './messages.ts';
import { askForCounts } from './rate-counts.ts';
import { createTalk } from './talk.ts';

// One of several processes, started by the primary. When the primary is gone Node ends it; should it hang, the
// kernel does, where that can be had.

/** Ctrl-C, a terminal that closes and some service managers signal all processes: once more than the primary does. */
const SIGNALS_FOR_ALL = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const satisfies NodeJS.Signals[];
/** Beyond the grace, ms; the primary waits a little longer. */
const STOP_MARGIN = 2_000;
/** The one that sweeps for all. */
const SWEEPER = 1;

const setUp = Promise.withResolvers<WorkerSetup>();
const stopped = Promise.withResolvers<Notes['stop'] | undefined>();
let ownFigures: (() => Promise<Figures>) | undefined;
let library: Library | undefined;
let isBegun = false;

const talk = createTalk((message) => process.send?.(message, undefined, undefined, () => undefined), {
  notes: { start: setUp.resolve, stop: stopped.resolve },
  questions: {
    alive: () => null,
    figures: async () => (await ownFigures?.()) ?? [],
    forget(recordingName) {
      library?.forget(recordingName);
      return null;
    },
    wrote(writer) {
      library?.heardOfWrite(writer);
      return null;
    },
  },
});
for (const signal of SIGNALS_FOR_ALL) process.on(signal, () => stopped.resolve(undefined));
void stopped.promise.then(() => isBegun || process.exit(0));
process.on('message', (message) => talk.hear(message));
talk.tell('loaded', null);
await work(await setUp.promise);

async function work(setup: WorkerSetup): Promise<void> {
  isBegun = true;
  const { config } = setup;
  const log = createLog(config.logLevel, await logDestination(process.stdout.isTTY));
  const starting = start(setup, log);
  starting.catch(() => undefined);
  const options = {
    delay: config.shutdownGraceMs + STOP_MARGIN,
    logger: log,
    skip: [...SIGNALS_FOR_ALL],
  };
  const { close } = closeWithGrace(options, async ({ err }) => {
    if (err) log.fatal({ err }, 'a worker ends after a fault');
    // Nobody may have told it to end: other signals come here by themselves.
    else stopped.resolve(undefined);
    const graceMs = err ? undefined : (await stopped.promise)?.graceMs;
    await starting.then(
      (service) => service.close(graceMs ?? config.shutdownGraceMs),
      () => undefined,
    );
  });
  void stopped.promise.then(close);
  try {
    const service = await starting;
    talk.tell('listening', await listen(service, config));
  } catch (error) {
    // The primary decides what follows, and tells us to end.
    talk.tell('failed', { reason: reasonOf(error) });
  }
}

async function start({ number, config, database }: WorkerSetup, log: ReturnType<typeof createLog>) {
  const catalogue = shareCatalogue({
    address: database,
    poolSize: config.databasePoolSize,
    keepsPlans: config.databasePreparedStatements,
    log,
  });
  const service = await compose(config, log, {
    catalogue,
    team: {
      sweeps: number === SWEEPER,
      countHit: askForCounts((hits) => talk.ask('count', hits)),
      tellOthers: (recordingName) => talk.ask('forget', recordingName),
      tellOfWrite: (writer) => talk.ask('wrote', writer),
      metrics: {
        offer(own) {
          ownFigures = own;
        },
        ofAll: () => talk.ask('metrics', null),
      },
    },
  });
  library = service.library;
  return service;
}

async function listen(service: Service, { host, port }: Config): Promise<Notes['listening']> {
  const all: string[] = [];
  const listenTextResolver = (at: string) => {
    all.push(at);
    return `a worker listens at ${at}`;
  };
  return { address: await service.app.listen({ host, port, listenTextResolver }), all };
}
