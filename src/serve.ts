import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { type Config, configFrom } from './config.ts';
import { createLog, logDestination } from './log.ts';
import { reasonOf } from './reason.ts';
import type { Running } from './running.ts';
import { welcome } from './welcome.ts';

/** What of the process the service touches. */
type Process = Pick<NodeJS.Process, 'env' | 'stdout' | 'stderr' | 'exit'>;

/** Beyond the grace: for stopping the database. After that the process ends whatever happens, ms. */
const STOP_MARGIN = 15_000;

/**
 * Runs the service until a signal ends it with grace: exit code 0. What keeps it from starting is told on stderr
 * in the operator's terms: exit code 1. `onWatched` is called once signals are listened to.
 */
export async function serve(self: Process, onWatched: () => unknown): Promise<void> {
  try {
    const config = configFrom(self.env);
    const log = createLog(config.logLevel, await logDestination(self.stdout.isTTY));
    const starting = start(config, log);
    starting.catch(() => undefined);
    endWithGrace(starting, config, log);
    onWatched();
    const service = await starting;
    const address = await listen(service);
    if (self.stdout.isTTY) self.stdout.write(await welcome(service, address, config));
    await service.untilBroken?.();
  } catch (error) {
    self.stderr.write(`${reasonOf(error)}\n`);
    self.exit(1);
  }
}

function endWithGrace(starting: Promise<Running>, config: Config, log: Logger): void {
  closeWithGrace({ delay: config.shutdownGraceMs + STOP_MARGIN, logger: log }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'ending after a fault');
    else log.info({ signal }, 'shutting down');
    await starting.then(
      (service) => service.close(config.shutdownGraceMs),
      () => undefined,
    );
  });
}

/** What is not needed is not loaded: a primary serves no request, and one process has no workers. */
async function start(config: Config, log: Logger): Promise<Running> {
  if (config.workers > 1) {
    const { startWorkers } = await import('./workers/primary.ts');
    return await startWorkers(config, log);
  }
  const { compose } = await import('./compose.ts');
  const { app, library, secret, close } = await compose(config, log);
  const { host, port } = config;
  return {
    secret,
    isEmpty: library.isEmpty,
    listen: () => app.listen({ host, port, listenTextResolver: (at) => `ready at ${at}` }),
    close,
  };
}

async function listen(service: Running): Promise<string> {
  try {
    return await service.listen();
  } catch (error) {
    await service.close(0);
    throw error;
  }
}
