import type { FastifyInstance } from 'fastify';
import type { Library } from '../library/library.ts';

/** `/healthz` says that the process answers, `/readyz` that it can work. Neither needs a token. */
export async function health(
  app: FastifyInstance,
  { library }: { readonly library: Library },
): Promise<void> {
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const answers = await library.check();
    const checks = { database: wordFor(answers.database), blobs: wordFor(answers.blobs) };
    if (answers.database && answers.blobs) return { status: 'ready', checks };
    return await reply.code(503).header('retry-after', '2').send({ status: 'not ready', checks });
  });
}

const wordFor = (answers: boolean) => (answers ? 'ok' : 'unavailable');
