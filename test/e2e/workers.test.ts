import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fixture } from '../support/multipart.ts';
import {
  bytesOnDisk,
  cli,
  environment,
  run,
  type ServiceProcess,
  startProcess,
  tokenFor,
  type UploadedFile,
  uploadFile,
  withDataDir,
} from './service-process.ts';
import { almostDone } from './unfinished-upload.ts';
import { isAlive, pairOf, withWorkerAlone, workersOf } from './worker-processes.ts';

const TWO = { WORKERS: '2', UPLOAD_LEASE_SECONDS: '3' };

async function databasePid(dataDir: string): Promise<number> {
  const lock = await readFile(join(dataDir, 'database', 'postmaster.pid'), 'utf8');
  return Number(lock.split('\n')[0]);
}

/** Begins an upload at one worker, which has taken it in hand when this resolves. */
async function beginAt(pid: number, service: ServiceProcess, dataDir: string, token: string) {
  return await withWorkerAlone(service, pid, async () => {
    const before = await bytesOnDisk(dataDir);
    const upload = almostDone(service, token);
    let file: string | undefined;
    const isTaken = async () => {
      file = (await bytesOnDisk(dataDir)).find((name) => !before.includes(name));
      return file !== undefined;
    };
    await expect.poll(isTaken, { timeout: 10_000 }).toBe(true);
    return { upload, file };
  });
}

const linesWith = (service: ServiceProcess, text: string) =>
  service.output.filter((line) => line.includes(text));

describe('a service of several workers', { timeout: 90_000 }, () => {
  test('is ready once all listen on one port, with one database that was migrated once', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir, TWO);
      const [one, two] = await pairOf(service);
      expect(new Set([one, two, service.pid]).size).toBe(3);
      expect(linesWith(service, 'ready at')).toHaveLength(1);
      expect(linesWith(service, `a worker listens at ${service.base}`)).toHaveLength(2);
      expect(linesWith(service, 'database migrated')).toHaveLength(1);
      const database = await databasePid(dataDir);
      for (const pid of [one, two]) {
        await withWorkerAlone(service, pid, async () => {
          expect((await fetch(`${service.base}/readyz`)).status).toBe(200);
        });
      }
      expect(await service.end('SIGTERM')).toBe(0);
      expect([one, two, database].filter(isAlive)).toEqual([]);
    });
  });

  test.skipIf(!existsSync('/usr/bin/script'))('greets on a terminal once', async () => {
    await withDataDir(async (dataDir) => {
      const terminal = spawn('script', ['-qec', `${process.execPath} src/main.ts`, '/dev/null'], {
        env: environment(dataDir, { ...TWO, TERM: 'dumb' }),
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      onTestFinished(() => void terminal.kill('SIGKILL'));
      let shown = '';
      terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
        shown += text.replaceAll('\r', '');
      });
      const pasted = () => /^curl [\s\S]*\/v3\/media-prompts$/m.exec(shown)?.[0];
      await expect.poll(pasted, { timeout: 20_000 }).toBeDefined();
      const { stdout } = await run(['sh', '-c', pasted() ?? ''], environment(dataDir));
      expect(JSON.parse(stdout)).toMatchObject({ code: 200, message: 'Success' });
      expect(shown.match(/No prompts yet/g)).toHaveLength(1);
      const ended = new Promise((resolve) => terminal.once('close', resolve));
      terminal.kill('SIGTERM');
      await ended;
    });
  });

  const stops = [
    ['SIGTERM to the primary', (service: ServiceProcess) => process.kill(service.pid, 'SIGTERM')],
    // As a terminal does; the database has a group of its own.
    ['Ctrl-C, which all processes get', ({ pid }: ServiceProcess) => process.kill(-pid, 'SIGINT')],
  ] as const;
  for (const [name, stop] of stops) {
    test(`lets uploads of every worker finish, and takes no new connection: ${name}`, async () => {
      await withDataDir(async (dataDir) => {
        const service = await startProcess(dataDir, { ...TWO, UPLOAD_LEASE_SECONDS: '60' });
        const workers = await pairOf(service);
        const token = await tokenFor(dataDir);
        const uploads: ReturnType<typeof almostDone>[] = [];
        for (const pid of workers) {
          uploads.push((await beginAt(pid, service, dataDir, token)).upload);
        }
        stop(service);
        const isRefused = () => fetch(`${service.base}/healthz`).then(String, () => 'refused');
        await expect.poll(isRefused, { timeout: 10_000 }).toBe('refused');
        for (const { finish } of uploads) finish();
        const answers = await Promise.all(uploads.map(({ closed }) => closed));
        expect(answers.map((answer) => answer.slice(0, 13))).toEqual(['HTTP/1.1 201 ', 'HTTP/1.1 201 ']);
        expect(await service.ended).toBe(0);
        expect(workers.filter(isAlive)).toEqual([]);
        expect(await bytesOnDisk(dataDir)).toHaveLength(2);
      });
    });
  }

  test('replaces a worker that is killed; the other goes on, and nothing acknowledged is lost', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir, TWO);
      const token = await tokenFor(dataDir);
      const acknowledged: UploadedFile[] = [];
      let isOver = false;
      const client = async () => {
        while (!isOver) {
          // What the killed worker had in hand is cut off, and is nobody's.
          const taken = await uploadFile(service, token, randomUUID()).catch(() => undefined);
          if (taken !== undefined) acknowledged.push(taken);
        }
      };
      const clients = Array.from({ length: 8 }, client);
      await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(25);
      const [killed, told] = await pairOf(service);
      process.kill(killed, 'SIGKILL');
      await expect.poll(() => workersOf(service).length, { timeout: 20_000 }).toBe(3);
      expect(isAlive(told)).toBe(true);
      const atKill = acknowledged.length;
      await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(atKill + 25);
      isOver = true;
      await Promise.all(clients);

      // Told to end by itself, a worker finishes what it has in hand; it is replaced, too.
      const last = await beginAt(told, service, dataDir, token);
      process.kill(told, 'SIGTERM');
      last.upload.finish();
      expect(await last.upload.closed).toMatch(/^HTTP\/1\.1 201 /);
      await expect.poll(() => workersOf(service).length, { timeout: 20_000 }).toBe(4);
      expect(linesWith(service, 'a worker ended and is replaced')).toHaveLength(2);

      // What a killed one had in hand is swept by those who are left.
      const [one] = await pairOf(service);
      const lost = await beginAt(one, service, dataDir, token);
      process.kill(one, 'SIGKILL');
      await expect.poll(() => bytesOnDisk(dataDir), { timeout: 20_000 }).not.toContain(lost.file);

      for (const { url } of acknowledged) {
        const played = await fetch(service.base + url);
        expect(Buffer.from(await played.arrayBuffer())).toEqual(fixture('tone.mp3'));
      }
      const verdict = async () => (await cli(dataDir, ['verify'])).code;
      await expect.poll(verdict, { timeout: 20_000 }).toBe(0);
      expect(await service.end('SIGTERM')).toBe(0);
    });
  });

  test('ends with its error when workers end again and again before they listen', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir, TWO);
      const [killed, other] = await pairOf(service);
      const database = await databasePid(dataDir);
      await rm(join(dataDir, 'uploads'), { recursive: true });
      await writeFile(join(dataDir, 'uploads'), 'no folder');
      process.kill(killed, 'SIGKILL');
      expect(await service.ended).toBe(1);
      expect(service.output.join('\n')).toMatch(/(EEXIST|ENOTDIR)/);
      expect([other, database].filter(isAlive)).toEqual([]);
    });
  });

  test('leaves nothing running behind when its primary is killed', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir, TWO);
      const left = [...(await pairOf(service)), await databasePid(dataDir)];
      expect(await service.end('SIGKILL')).toBe('SIGKILL');
      await expect.poll(() => left.filter(isAlive), { timeout: 20_000 }).toEqual([]);
    });
  });

  test('says in one line what keeps it from starting', async () => {
    await withDataDir(async (dataDir) => {
      const first = await startProcess(dataDir);
      const { port } = new URL(first.base);
      const other = join(dataDir, 'other');
      for (const [env, line] of [
        [{ PORT: port }, /^HOST and PORT cannot be listened on: .*EADDRINUSE.*\n$/],
        [
          { JWT_PUBLIC_KEY: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----' },
          /→ at JWT_PUBLIC_KEY\n$/,
        ],
        [{ WORKERS: 'many' }, /must be auto, or a whole number from 1 to 256\n {2}→ at WORKERS\n$/],
      ] as const) {
        const ended = await run([process.execPath, 'src/main.ts'], environment(other, { ...TWO, ...env }));
        expect(ended).toMatchObject({ code: 1, stderr: expect.stringMatching(line) });
      }
      await first.end('SIGTERM');
    });
  });
});
