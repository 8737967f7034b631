import closeWithGrace from 'close-with-grace';
import pino, { type Logger } from 'pino';
import { CatalogueError } from './catalogue/catalogue-error.ts';
import { EmbeddedPostgresError } from './catalogue/embedded-postgres-launcher.ts';
import { SchemaBeyondError } from './catalogue/migrate.ts';
import { compose, type Service } from './compose.ts';
import { type Config, ConfigError, configFrom } from './config.ts';
import { createLog } from './log.ts';
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
    const starting = compose(config, log);
    starting.catch(() => undefined);
    endWithGrace(starting, config, log);
    onWatched();
    const service = await starting;
    const address = await listen(service, config);
    if (self.stdout.isTTY) self.stdout.write(await welcome(service, address, config.tokens));
  } catch (error) {
    self.stderr.write(`${reasonOf(error)}\n`);
    self.exit(1);
  }
}

function endWithGrace(starting: Promise<Service>, config: Config, log: Logger): void {
  closeWithGrace({ delay: config.shutdownGraceMs + STOP_MARGIN, logger: log }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'ending after a fault');
    else log.info({ signal }, 'shutting down');
    await starting.then(
      (service) => service.close(config.shutdownGraceMs),
      () => undefined,
    );
  });
}

async function listen(service: Service, { host, port }: Config): Promise<string> {
  try {
    return await service.app.listen({ host, port, listenTextResolver: (at) => `ready at ${at}` });
  } catch (error) {
    await service.close(0);
    throw error;
  }
}

/** On a terminal, where a person reads, the log is made readable if the package for that is there. */
async function logDestination(isTerminal: boolean): Promise<pino.DestinationStream> {
  if (!isTerminal) return pino.destination(1);
  try {
    const { default: pretty } = await import('pino-pretty');
    return pretty({ ignore: 'pid,hostname,reqId', sync: true });
  } catch {
    return pino.destination(1);
  }
}

/** What an operator can mend is said in one line; only a fault of the program shows its stack. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof ConfigError || error instanceof EmbeddedPostgresError) return error.message;
  if (error instanceof SchemaBeyondError) return error.message;
  if (error instanceof CatalogueError) {
    return `The database that DATABASE_URL names cannot be used: ${messageOf(error.cause)}`;
  }
  if ('syscall' in error && error.syscall === 'listen') {
    return `HOST and PORT cannot be listened on: ${error.message}`;
  }
  // An answer of the database (SQLSTATE), to a wrong password or an unknown database name.
  if ('severity' in error) return `The database refused the service: ${error.message}`;
  return error.stack ?? error.message;
}

/** The innermost message: the ones around it only say that something failed. */
function messageOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.cause instanceof Error) return messageOf(cause.cause);
  if (cause instanceof AggregateError) return cause.errors.map(messageOf).join('; ');
  return cause.message;
}
