import { existsSync } from 'node:fs';
import process from 'node:process';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ServiceProcess, startProcess, withDataDir } from './service-process.ts';
import { isAlive, pairOf, workersOf } from './worker-processes.ts';

const TWO = { WORKERS: '2' };
/** The service, but for how soon a worker that hangs is found out. */
const QUICK = [process.execPath, 'test/workers/quick-watch.ts'] as const;

/** From now on it does nothing, as if it ran in a circle. */
function hang(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  onTestFinished(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
}

const listened = (service: ServiceProcess, times: number) =>
  expect.poll(() => workersOf(service).length, { timeout: 40_000 }).toBe(times);

describe('a service of which something hangs or is halted', { timeout: 90_000 }, () => {
  test('a worker that hangs is killed and replaced, whichever it is; one that works is left in peace', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir, TWO, QUICK);
      const [one, two] = await pairOf(service);
      hang(one);
      await listened(service, 3);
      expect([one, two].filter(isAlive)).toEqual([two]);
      hang(two);
      await listened(service, 4);
      expect([one, two].filter(isAlive)).toEqual([]);
      expect((await fetch(`${service.base}/readyz`)).status).toBe(200);
      const killed = service.output.filter((line) => line.includes('a worker does not answer any more'));
      expect(killed).toHaveLength(2);
      expect(await service.end('SIGTERM')).toBe(0);
    });
  });

  test.skipIf(!existsSync('/usr/bin/setpriv'))(
    'a worker that hangs does not outlive its primary',
    async () => {
      await withDataDir(async (dataDir) => {
        const service = await startProcess(dataDir, TWO);
        const workers = await pairOf(service);
        hang(workers[0]);
        expect(await service.end('SIGKILL')).toBe('SIGKILL');
        await expect.poll(() => workers.filter(isAlive), { timeout: 20_000 }).toEqual([]);
      });
    },
  );

  test('SIGTERM ends a service of which a worker hangs', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir, { ...TWO, SHUTDOWN_GRACE_SECONDS: '1' });
      const workers = await pairOf(service);
      hang(workers[0]);
      expect(await service.end('SIGTERM')).toBe(0);
      expect(workers.filter(isAlive)).toEqual([]);
    });
  });

  test('a worker that gets another signal ends with grace and is replaced', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir, TWO);
      let ended = 0;
      for (const signal of ['SIGUSR2', 'SIGHUP', 'SIGQUIT'] as const) {
        process.kill((await pairOf(service))[0], signal);
        ended += 1;
        await listened(service, 2 + ended);
      }
      const replaced = service.output.filter((line) => line.includes('a worker ended and is replaced'));
      // With its grace over it would be 1.
      expect(replaced.map((line) => /"end":"([^"]+)"/.exec(line)?.[1])).toEqual(['0', '0', '0']);
      expect(await service.end('SIGTERM')).toBe(0);
    });
  });

  test('when all workers end at once, those that follow listen where the service was', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir, { ...TWO, PORT: '0' });
      for (const pid of await pairOf(service)) process.kill(pid, 'SIGKILL');
      await listened(service, 4);
      const at = service.output.filter((line) => line.includes(`a worker listens at ${service.base}`));
      expect(at).toHaveLength(4);
      expect((await fetch(`${service.base}/readyz`)).status).toBe(200);
      expect(await service.end('SIGTERM')).toBe(0);
    });
  });
});
