import './load-env-file.ts';
import process from 'node:process';
import closeWithGrace from 'close-with-grace';
import pino from 'pino';
import { EmbeddedPostgresError } from './catalogue/embedded-postgres-launcher.ts';
import { compose, type Service } from './compose.ts';
import { ConfigError, configFrom } from './config.ts';
import { welcome } from './welcome.ts';

/** Beyond the grace: for stopping the database. After that the process ends whatever happens, ms. */
const STOP_MARGIN = 15_000;

try {
  await serve();
} catch (error) {
  const isForOperator = error instanceof ConfigError || error instanceof EmbeddedPostgresError;
  process.stderr.write(`${isForOperator ? error.message : errorText(error)}\n`);
  process.exit(1);
}

/** Starts the service and sees to it that a signal ends it with grace: exit code 0. */
async function serve(): Promise<void> {
  const config = configFrom(process.env);
  const log = pino({ level: config.logLevel }, await logDestination());
  const starting = compose(config, log);
  starting.catch(() => undefined);
  closeWithGrace({ delay: config.shutdownGraceMs + STOP_MARGIN, logger: log }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'ending after a fault');
    else log.info({ signal }, 'shutting down');
    await starting.then(
      (service) => service.close(config.shutdownGraceMs),
      () => undefined,
    );
  });
  const service = await starting;
  const address = await listen(service, config.host, config.port);
  if (process.stdout.isTTY) process.stdout.write(await welcome(service, address));
}

async function listen(service: Service, host: string, port: number): Promise<string> {
  try {
    return await service.app.listen({ host, port, listenTextResolver: (at) => `ready at ${at}` });
  } catch (error) {
    await service.close(0);
    throw error;
  }
}

/** On a terminal, where a person reads, the log is made readable if the package for that is there. */
async function logDestination(): Promise<pino.DestinationStream> {
  if (!process.stdout.isTTY) return pino.destination(1);
  try {
    const { default: pretty } = await import('pino-pretty');
    return pretty({ ignore: 'pid,hostname,reqId', sync: true });
  } catch {
    return pino.destination(1);
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
