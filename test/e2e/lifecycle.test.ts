import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, unlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { databaseUrl, inDatabase } from '../support/database-server.ts';
import { fixture, fixturePath, multipart, promptForm } from '../support/multipart.ts';
import {
  bytesOnDisk,
  cli,
  environment,
  run,
  type ServiceProcess,
  startProcess,
  tokenFor,
  withDataDir,
} from './service-process.ts';
import { almostDone } from './unfinished-upload.ts';

interface Uploaded {
  readonly status: number;
  readonly id: number;
  readonly url: string;
}

async function upload(service: ServiceProcess, token: string, name: string): Promise<Uploaded> {
  const { body, contentType } = multipart(promptForm(name));
  const response = await fetch(`${service.base}/v3/media-prompts`, {
    method: 'POST',
    body,
    headers: { 'content-type': contentType, authorization: `Bearer ${token}` },
  });
  const { data } = (await response.json()) as { data: { media_prompt_id: number; url: string } | null };
  return { status: response.status, id: data?.media_prompt_id ?? 0, url: data?.url ?? '' };
}

/** Pid of the embedded PostgreSQL, from its lock file. */
async function databasePid(dataDir: string): Promise<number> {
  const lock = await readFile(join(dataDir, 'database', 'postmaster.pid'), 'utf8');
  return Number(lock.split('\n')[0]);
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}/exe`);

describe('npm start', () => {
  test('serves with the embedded database, ends with code 0 on SIGTERM, and keeps what it acknowledged', async () => {
    await withDataDir(async (dataDir) => {
      const first = await startProcess(dataDir, {}, ['npm', 'start']);
      const token = await tokenFor(dataDir);
      const kept = await upload(first, token, 'Kept');
      expect(kept.status).toBe(201);
      // A token on a pipe would end up in somebody's log.
      expect(first.output.join('\n')).not.toMatch(/curl|Bearer|eyJ|#code=/);
      const pid = await databasePid(dataDir);
      expect(await first.end('SIGTERM')).toBe(0);
      expect(isAlive(pid)).toBe(false);

      const second = await startProcess(dataDir);
      const played = await fetch(second.base + kept.url);
      expect(Buffer.from(await played.arrayBuffer())).toEqual(fixture('tone.wav'));
      expect(await second.end('SIGTERM')).toBe(0);
    });
  });

  test.skipIf(!existsSync('/usr/bin/script'))(
    'prints on a terminal a link to the console that signs in once, and a curl line that uploads a prompt when pasted',
    async () => {
      await withDataDir(async (dataDir) => {
        const terminal = spawn('script', ['-qec', `${process.execPath} src/main.ts`, '/dev/null'], {
          env: environment(dataDir, { TERM: 'dumb' }),
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
        const [, base = '', code = ''] = /^(http:\/\/\S+)\/console#code=(\S+)$/m.exec(shown) ?? [];
        const signIn = () =>
          fetch(`${base}/console/session`, {
            method: 'POST',
            body: JSON.stringify({ code }),
            headers: { 'content-type': 'application/json' },
          });
        expect(await (await signIn()).json()).toMatchObject({
          data: { token: expect.stringMatching(/^eyJ/) },
        });
        expect((await signIn()).status).toBe(400);
        const ended = once(terminal, 'close');
        terminal.kill('SIGTERM');
        await ended;
      });
    },
  );

  test('names every bad variable and ends with code 1', async () => {
    await withDataDir(async (dataDir) => {
      const { code, stderr } = await run(
        [process.execPath, 'src/main.ts'],
        environment(dataDir, { PORT: 'http', JWT_SECRET: 'short', MAX_UPLOAD_BYTES: '-1' }),
      );
      expect(code).toBe(1);
      expect(stderr).toMatch(/PORT[\s\S]*JWT_SECRET|JWT_SECRET[\s\S]*PORT/);
      expect(stderr).toMatch(/MAX_UPLOAD_BYTES/);
      expect(stderr).not.toMatch(/\.ts:\d/);
    });
  });

  test('names a public key that is of no use, without a stack', async () => {
    await withDataDir(async (dataDir) => {
      const { code, stderr } = await run(
        [process.execPath, 'src/main.ts'],
        environment(dataDir, {
          JWT_PUBLIC_KEY: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----',
        }),
      );
      expect(code).toBe(1);
      expect(stderr).toMatch(/JWT_PUBLIC_KEY/);
      expect(stderr).not.toMatch(/\.ts:\d/);
    });
  });

  test('says in one line what keeps it from starting, and shows no stack', async () => {
    await withDataDir(async (dataDir) => {
      await writeFile(join(dataDir, 'jwt-secret'), 'short\n');
      const short = await run([process.execPath, 'src/main.ts'], environment(dataDir));
      expect(short).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^The secret in .*jwt-secret is shorter than 32 bytes.*\n$/),
      });
    });
    await withDataDir(async (dataDir) => {
      const first = await startProcess(dataDir);
      const { port } = new URL(first.base);
      const server = inject('databaseServer');
      const taken = await run(
        [process.execPath, 'src/main.ts'],
        environment(join(dataDir, 'other'), { PORT: port, DATABASE_URL: databaseUrl(server, 'postgres') }),
      );
      expect(taken).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^HOST and PORT cannot be listened on: .*EADDRINUSE.*\n$/),
      });
      const nowhere = await run(
        [process.execPath, 'src/main.ts'],
        environment(join(dataDir, 'other'), { DATABASE_URL: databaseUrl(server, 'no_such_database') }),
      );
      expect(nowhere).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^The database .*no_such_database.*\n$/),
      });
      await first.end('SIGTERM');
    });
  });

  test('says that a database of a newer version needs that version, and changes nothing there', async () => {
    const server = inject('databaseServer');
    const database = `e2e_${randomUUID().replaceAll('-', '')}`;
    await inDatabase(server, 'postgres', (client) => client.query(`create database ${database}`));
    await withDataDir(async (dataDir) => {
      const env = { DATABASE_URL: databaseUrl(inject('databaseDoor'), database) };
      const service = await startProcess(dataDir, env);
      expect(await service.end('SIGTERM')).toBe(0);
      const applied = await inDatabase(server, database, async (client) => {
        await client.query(`insert into kysely_migration (name, timestamp) values ('9999-later', 'later')`);
        return (await client.query('select * from kysely_migration order by name')).rows;
      });
      const told = expect.stringMatching(
        /^The database was migrated by a newer version of media-prompts \(.*9999-later.*\); start that version, or restore the backup taken before\.\n$/,
      );
      const refused = await run([process.execPath, 'src/main.ts'], environment(dataDir, env));
      expect(refused).toMatchObject({ code: 1, stderr: told });
      expect(await cli(dataDir, ['migrate'], env)).toEqual({ code: 1, stdout: '', stderr: told });
      expect(await cli(dataDir, ['verify'], env)).toEqual({ code: 2, stdout: '', stderr: told });
      const after = await inDatabase(server, database, (client) =>
        client.query('select * from kysely_migration order by name'),
      );
      expect(after.rows).toEqual(applied);
    });
    await inDatabase(server, 'postgres', (client) => client.query(`drop database ${database} with (force)`));
  });

  test('refuses a folder that another service uses', async () => {
    await withDataDir(async (dataDir) => {
      const first = await startProcess(dataDir);
      await expect(startProcess(dataDir)).rejects.toThrow(/DATA_DIR is in use/);
      expect((await fetch(`${first.base}/readyz`)).status).toBe(200);
      await first.end('SIGTERM');
    });
  });
});

describe('a killed service', () => {
  test('loses nothing it acknowledged, leaves no server behind, and no byte that no row knows', async () => {
    await withDataDir(async (dataDir) => {
      const env = { UPLOAD_LEASE_SECONDS: '1' };
      const acknowledged: Uploaded[] = [];
      for (let round = 1; round <= 3; round += 1) {
        const service = await startProcess(dataDir, env);
        const token = await tokenFor(dataDir);
        const pid = await databasePid(dataDir);
        const clients = Array.from({ length: 8 }, () => uploadUntilGone(service, token, acknowledged));
        await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(round * 25);
        expect(await service.end('SIGKILL')).toBe('SIGKILL');
        await Promise.all(clients);
        await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false);
      }
      expect(new Set(acknowledged.map(({ status }) => status))).toEqual(new Set([201]));

      const service = await startProcess(dataDir, env);
      const token = await tokenFor(dataDir);
      for (const { url } of acknowledged) {
        const played = await fetch(service.base + url);
        expect(Buffer.from(await played.arrayBuffer())).toEqual(fixture('tone.wav'));
      }
      // A kill between commit and answer leaves a whole prompt that nobody was told of.
      const known = await filesInList(service, token);
      await expect.poll(() => bytesOnDisk(dataDir), { timeout: 20_000 }).toEqual(known);
      expect((await cli(dataDir, ['verify'])).code).toBe(0);
      await service.end('SIGTERM');
    });
  });

  async function uploadUntilGone(
    service: ServiceProcess,
    token: string,
    acknowledged: Uploaded[],
  ): Promise<void> {
    for (;;) {
      const answer = await upload(service, token, randomUUID()).catch(() => undefined);
      if (answer === undefined) return;
      acknowledged.push(answer);
    }
  }

  async function filesInList(service: ServiceProcess, token: string): Promise<string[]> {
    const names: string[] = [];
    for (let cursor = ''; ; ) {
      const response = await fetch(`${service.base}/v3/media-prompts?limit=200${cursor}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      const { data } = (await response.json()) as {
        data: { media_prompts: { url: string }[]; next_cursor: string | null };
      };
      names.push(...data.media_prompts.map(({ url }) => url.split('/').at(-1) ?? ''));
      if (data.next_cursor === null) return names.sort();
      cursor = `&cursor=${data.next_cursor}`;
    }
  }
});

describe('SIGTERM', () => {
  test('lets a running upload finish, and takes no new connection', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir);
      const running = almostDone(service, await tokenFor(dataDir));
      await expect.poll(() => bytesOnDisk(dataDir), { timeout: 10_000 }).toHaveLength(1);
      const ended = service.end('SIGTERM');
      await expect
        .poll(
          () =>
            fetch(`${service.base}/healthz`).then(
              () => 'taken',
              () => 'refused',
            ),
          { timeout: 10_000 },
        )
        .toBe('refused');
      running.finish();
      expect(await running.closed).toMatch(/^HTTP\/1\.1 201 /);
      expect(await ended).toBe(0);
      expect(await bytesOnDisk(dataDir)).toHaveLength(1);
    });
  });

  test('lets a running playback finish, and does not wait for its connection', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir, {
        PLAYBACK_CACHE_BYTES: '0',
        SHUTDOWN_GRACE_SECONDS: '3000',
      });
      const long = Buffer.concat([fixture('tone.wav'), Buffer.alloc(30_000_000)]);
      const { body, contentType } = multipart([
        { name: 'file', filename: 'long.wav', content: long },
        ...promptForm('Long').slice(1),
      ]);
      const uploaded = await fetch(`${service.base}/v3/media-prompts`, {
        method: 'POST',
        body,
        headers: { 'content-type': contentType, authorization: `Bearer ${await tokenFor(dataDir)}` },
      });
      const { data } = (await uploaded.json()) as { data: { url: string } };
      const { hostname, port } = new URL(service.base);
      const socket = connect(Number(port), hostname);
      let received = 0;
      socket.write(`GET ${data.url} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await once(socket, 'readable');
      const ended = service.end('SIGTERM');
      socket.on('data', (chunk: Buffer) => {
        received += chunk.byteLength;
      });
      await once(socket, 'end');
      socket.end();
      expect(received).toBeGreaterThan(long.byteLength);
      expect(await ended).toBe(0);
    });
  });

  test('cuts off a client that does not finish within the grace, and leaves nothing of it', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir, { SHUTDOWN_GRACE_SECONDS: '1' });
      const stuck = almostDone(service, await tokenFor(dataDir));
      await expect.poll(() => bytesOnDisk(dataDir), { timeout: 10_000 }).toHaveLength(1);
      expect(await service.end('SIGTERM')).toBe(0);
      await stuck.closed;
      expect(await bytesOnDisk(dataDir)).toEqual([]);
    });
  });
});

describe('two processes on one database and one folder', () => {
  test('migrate once when started together, and see each other’s prompts', async () => {
    const server = inject('databaseServer');
    const database = `e2e_${randomUUID().replaceAll('-', '')}`;
    await inDatabase(server, 'postgres', (client) => client.query(`create database ${database}`));
    await withDataDir(async (dataDir) => {
      const env = { DATABASE_URL: databaseUrl(inject('databaseDoor'), database) };
      const services = await Promise.all([1, 2, 3].map(() => startProcess(dataDir, env)));
      const migrated = services.filter(({ output }) => output.join('\n').includes('database migrated'));
      expect(migrated).toHaveLength(1);
      const token = await tokenFor(dataDir);
      const [one, two] = services as [ServiceProcess, ServiceProcess];
      const uploaded = await upload(one, token, 'Shared');
      expect((await fetch(two.base + uploaded.url)).status).toBe(200);
      const removed = await fetch(`${two.base}/v3/media-prompts/${uploaded.id}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${token}` },
      });
      expect(removed.status).toBe(200);
      expect((await fetch(one.base + uploaded.url)).status).toBe(404);
      for (const service of services) expect(await service.end('SIGTERM')).toBe(0);
    });
    await inDatabase(server, 'postgres', (client) => client.query(`drop database ${database} with (force)`));
  });
});

describe('memory', () => {
  test.skipIf(process.platform !== 'linux')(
    'of 20 uploads of 50 MB at once stays under 200 MB',
    async () => {
      await withDataDir(async (dataDir) => {
        await run(['npm', 'run', '-s', 'build'], environment(dataDir));
        const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
          scripts: { start: string };
        };
        const flags = scripts.start.match(/--\S+/g) ?? [];
        const service = await startProcess(dataDir, { UPLOAD_QUEUE_SECONDS: '600' }, [
          process.execPath,
          ...flags,
          'dist/main.js',
        ]);
        const token = await tokenFor(dataDir);
        const wav = fixture('tone.wav');
        const statuses = await Promise.all(
          Array.from({ length: 20 }, async (_, i) => {
            const padding = 52_428_800 - wav.byteLength;
            const parts = multipart([{ name: 'file', filename: 'a.wav', content: wav }]);
            const tail = multipart(promptForm(`Big ${i}`).slice(1));
            const head = parts.body.subarray(0, parts.body.lastIndexOf('\r\n------'));
            const response = await fetch(`${service.base}/v3/media-prompts`, {
              method: 'POST',
              headers: { 'content-type': parts.contentType, authorization: `Bearer ${token}` },
              body: ReadableStream.from(pieces(head, padding, tail.body)),
              duplex: 'half',
            });
            await response.arrayBuffer();
            return response.status;
          }),
        );
        expect(statuses).toEqual(Array.from({ length: 20 }, () => 201));
        const status = readFileSync(`/proc/${service.pid}/status`, 'utf8');
        const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
        expect(peak).toBeLessThan(200);
        await service.end('SIGTERM');
      });
    },
    120_000,
  );
});

function* pieces(head: Buffer, padding: number, tail: Buffer): Generator<Uint8Array> {
  yield head;
  const zeros = new Uint8Array(64 * 1024);
  for (let left = padding; left > 0; left -= zeros.byteLength) yield zeros.subarray(0, left);
  yield Buffer.concat([Buffer.from('\r\n'), tail]);
}

describe('the command line', () => {
  test('makes org units and tokens while the service runs, and prints nothing else', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir);
      const sales = await cli(dataDir, ['org-unit', 'add', 'Sales', '--parent', '1']);
      expect(sales).toMatchObject({ code: 0, stdout: '2\n', stderr: '' });
      const list = await cli(dataDir, ['org-unit', 'list']);
      expect(list.stdout).toBe('1\t-\tDefault\n2\t1\tSales\n');
      const orphan = await cli(dataDir, ['org-unit', 'add', 'x', '--parent', '99']);
      expect(orphan).toMatchObject({ code: 1, stdout: '' });
      const { stdout, stderr } = await cli(dataDir, ['token', '--org-unit', '2', '--role', 'admin']);
      expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
      expect(stderr).toBe('');
      expect((await upload(service, stdout.trim(), 'In Sales')).status).toBe(201);
      await service.end('SIGTERM');
    });
  });

  test('verifies, with and without a running service, and reports what is missing with code 1', async () => {
    await withDataDir(async (dataDir) => {
      const service = await startProcess(dataDir);
      const { url } = await upload(service, await tokenFor(dataDir), 'To be lost');
      expect((await cli(dataDir, ['verify'])).code).toBe(0);
      await service.end('SIGTERM');
      await unlink(join(dataDir, url));
      const { code, stdout } = await cli(dataDir, ['verify']);
      expect(code).toBe(1);
      expect(stdout).toMatch(/^missing\tfile-/);
    });
  });

  test('refuses what it does not understand', async () => {
    await withDataDir(async (dataDir) => {
      for (const args of [
        ['token', '--role', 'root'],
        ['token', '--expires', 'soon'],
        ['token', '--expires', '12'],
        ['token', '--expires=-5h'],
        ['org-unit', 'add', ' '],
        ['frobnicate'],
      ]) {
        const { code, stdout } = await cli(dataDir, args);
        expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      }
    });
  });
});

test('a file from the disk comes back byte for byte through curl, as the README has it', async () => {
  await withDataDir(async (dataDir) => {
    const service = await startProcess(dataDir);
    const token = await tokenFor(dataDir);
    const { stdout } = await run(
      [
        'curl',
        '-sS',
        '-F',
        `file=@${fixturePath('tone.mp3')}`,
        '-F',
        'org_unit_id=1',
        '-F',
        'name=Curl',
        '-F',
        'message_type=prompt',
        '-F',
        'recording_file_type=uploaded',
        '-F',
        'recording_created_by=1',
        '-H',
        `Authorization: Bearer ${token}`,
        `${service.base}/v3/media-prompts`,
      ],
      environment(dataDir),
    );
    const { data } = JSON.parse(stdout) as { data: { url: string } };
    const played = await fetch(service.base + data.url);
    expect(Buffer.from(await played.arrayBuffer())).toEqual(fixture('tone.mp3'));
    await service.end('SIGTERM');
  });
});
