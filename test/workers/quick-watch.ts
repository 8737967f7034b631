import process from 'node:process';
import { configFrom } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { startWorkers } from '../../src/workers/primary.ts';

// The service of several workers, which finds out sooner that one of them hangs.

const config = configFrom(process.env);
const service = await startWorkers(config, createLog('info', process.stdout), {
  everyMs: 250,
  mostUnanswered: 30,
});
process.once('SIGTERM', async () => {
  await service.close(config.shutdownGraceMs);
  process.exit(0);
});
await service.listen();
