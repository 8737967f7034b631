import type { FastifyInstance } from 'fastify';
import type { Library } from '../library/library.ts';
import { LOAD_CHECKS, type Load, type LoadCheck } from './load-shedding.ts';

/** `/healthz` says that the process answers, `/readyz` that it can work, else why not. Neither needs a token. */
export async function health(
  app: FastifyInstance,
  { library, load }: { readonly library: Library; readonly load: Load },
): Promise<void> {
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const overloaded = load.overloaded();
    // Where too many wait for the database, one more would only wait behind them.
    const isAsked = !overloaded.includes('database_pool');
    const [database, blobs] = await Promise.all([isAsked && library.hasDatabase(), library.hasBlobs()]);
    const replica = library.replica();
    const checks = {
      database: isAsked ? wordFor(database) : 'unknown',
      blobs: wordFor(blobs),
      ...wordsFor(overloaded),
      // Without it all is read from the database itself: that is no reason to be not ready.
      ...(replica && { replica: replica.state }),
    };
    if (database && blobs && overloaded.length === 0) return { status: 'ready', checks };
    return await reply.code(503).header('retry-after', '2').send({ status: 'not ready', checks });
  });
}

const wordsFor = (overloaded: readonly LoadCheck[]) =>
  Object.fromEntries(
    LOAD_CHECKS.map((check) => [check, overloaded.includes(check) ? 'overloaded' : 'ok'] as const),
  );

const wordFor = (answers: boolean) => (answers ? 'ok' : 'unavailable');
