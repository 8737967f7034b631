import type { Logger } from 'pino';
import { openCatalogue } from '../catalogue/open-catalogue.ts';
import { hasPrompts } from '../catalogue/prompts.ts';
import type { Config, TokenKey } from '../config.ts';
import { assertWhole } from '../data-folder.ts';
import { loadOrCreateSecret } from '../jwt-secret.ts';
import type { Running } from '../running.ts';
import { createServiceFigures } from './figures.ts';
import { createPool } from './pool.ts';
import { createPortChoice } from './port-choice.ts';
import { createRateCounts } from './rate-counts.ts';
import { shareOf } from './shares.ts';
import type { Pace } from './watch.ts';
import { prepareCluster, startWorker } from './worker-process.ts';

/**
 * Runs the service in several processes. This one, the primary, takes no request: it owns what there is one of, the
 * embedded database, the migrations, the secret, the counts of requests and the sums of the figures, and keeps the
 * workers running. Nothing listens before `listen` is called. `pace` says when one that hangs is killed.
 */
export async function startWorkers(config: Config, log: Logger, pace?: Pace): Promise<Running> {
  await assertWhole(config.dataDir);
  const key = await resolved(config.tokens.key);
  const share = shareOf({ ...config, tokens: { ...config.tokens, key } });
  const catalogue = await openCatalogue({
    choice: config.database,
    poolSize: 1,
    connectionsOfOthers: config.workers * share.databasePoolSize,
    log,
  });
  const figures = createServiceFigures();
  const count = createRateCounts();
  const ports = createPortChoice(config.port);
  const { fork, endsWithUs } = await prepareCluster();
  if (!endsWithUs)
    log.warn('without util-linux (setpriv) a worker that hangs outlives this process if it is killed');
  const othersHear = (question: 'forget' | 'wrote', number: number) => async (content: string) => {
    await Promise.all(pool.others(number).map(({ talk }) => talk.ask(question, content)));
    return null;
  };
  const pool = createPool({
    size: config.workers,
    log,
    pace,
    fork: (number) =>
      startWorker({
        fork,
        number,
        setup: () => ({
          number,
          config: { ...share, port: ports.tell(number) },
          database: catalogue.address,
        }),
        questions: {
          count,
          metrics: figures.text,
          forget: othersHear('forget', number),
          wrote: othersHear('wrote', number),
        },
      }),
    onListening(worker, { address }) {
      figures.join(worker);
      if (ports.isRight(worker.number, address)) return;
      log.error(
        { worker: worker.number, address },
        'a worker listens where nobody looks for it and is killed',
      );
      worker.kill();
    },
    onEnded(worker) {
      figures.leave(worker);
      ports.leave(worker.number);
    },
  });
  let closed: Promise<void> | undefined;
  const close = (graceMs: number) => {
    closed ??= pool.close(graceMs).then(() => catalogue.close());
    return closed;
  };
  return {
    secret: key.kind === 'secret' ? key.secret : undefined,
    isEmpty: async () => !(await hasPrompts(catalogue.db)),
    async listen() {
      const { address, all } = await pool.start();
      for (const at of all) log.info(`ready at ${at}`);
      return address;
    },
    close,
    async untilBroken() {
      try {
        return await pool.broken;
      } finally {
        await close(config.shutdownGraceMs);
      }
    },
  };
}

/** All workers, also later ones, check tokens with the secret that was there at the start. */
async function resolved(key: TokenKey): Promise<TokenKey> {
  return key.kind === 'secret-file' ? { kind: 'secret', secret: await loadOrCreateSecret(key.path) } : key;
}
