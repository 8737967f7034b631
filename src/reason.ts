import { CatalogueError } from './catalogue/catalogue-error.ts';
import { EmbeddedPostgresError } from './catalogue/embedded-postgres-launcher.ts';
import { SchemaBeyondError } from './catalogue/migrate.ts';
import { ConfigError } from './config.ts';
import { WorkerError } from './workers/worker-error.ts';

/** Why the service does not start: what an operator can mend in one line, a fault of the program with its stack. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof ConfigError || error instanceof EmbeddedPostgresError) return error.message;
  if (error instanceof SchemaBeyondError || error instanceof WorkerError) return error.message;
  if (error instanceof CatalogueError) {
    return `The database that DATABASE_URL names cannot be used: ${messageOf(error.cause)}`;
  }
  // A worker's socket is bound by the primary.
  if ('syscall' in error && (error.syscall === 'listen' || error.syscall === 'bind')) {
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
