import { spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { expect, inject, onTestFinished, test } from 'vitest';
import { databaseUrl, inDatabase } from '../support/database-server.ts';
import { canMount, makeReadOnly, mount, unmount } from '../support/disks.ts';
import { fixture } from '../support/multipart.ts';
import {
  cli,
  environment,
  type ServiceProcess,
  startProcess,
  tokenFor,
  type UploadedFile,
  uploadFile,
  withDataDir,
} from './service-process.ts';

/** What clients were told, so that a backup can be held against it. */
interface Book {
  /** Acknowledged and never asked to be deleted. */
  readonly kept: Map<number, UploadedFile>;
  /** Acknowledged deletes. */
  readonly deleted: Set<number>;
}

/** Uploads and deletes until told to stop; about half of what it uploads stays. */
async function storm(service: ServiceProcess, token: string, client: string, book: Book, stop: AbortSignal) {
  for (let i = 0; !stop.aborted; i += 1) {
    const prompt = await uploadFile(service, token, `${client} ${i}`);
    if (i % 2 === 0) {
      book.kept.set(prompt.media_prompt_id, prompt);
      continue;
    }
    const response = await fetch(`${service.base}/v3/media-prompts/${prompt.media_prompt_id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(200);
    book.deleted.add(prompt.media_prompt_id);
  }
}

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-e2e-backup-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('a backup taken under uploads and deletes restores to all that was acknowledged before it', async () => {
  const seed = randomInt(1_000_000);
  const backups = await newFolder();
  await withDataDir(async (dataDir) => {
    const service = await startProcess(dataDir);
    const token = await tokenFor(dataDir);
    const book: Book = { kept: new Map(), deleted: new Set() };
    const stop = new AbortController();
    const clients = Array.from({ length: 6 }, (_, client) =>
      storm(service, token, `${seed} ${client}`, book, stop.signal),
    );
    onTestFinished(() => stop.abort());
    // What becomes of them is awaited below, unless the test fails before.
    for (const client of clients) client.catch(() => undefined);
    await expect.poll(() => book.deleted.size, { timeout: 60_000 }).toBeGreaterThan(30);

    const before = { kept: new Map(book.kept), deleted: new Set(book.deleted) };
    const folder = join(backups, 'first');
    const made = await cli(dataDir, ['backup', folder]);
    expect(made, `seed ${seed}`).toMatchObject({ code: 0, stderr: '' });
    stop.abort();
    await Promise.all(clients);
    expect(await readdir(backups)).toEqual(['first']);

    // The same folder is never written to again, and the library is no place to restore to.
    expect((await cli(dataDir, ['backup', folder])).code).toBe(2);
    expect(await cli(dataDir, ['restore', folder])).toMatchObject({ code: 2, stdout: '' });
    expect((await cli(dataDir, ['verify', '--deep'])).code).toBe(0);
    await service.end('SIGTERM');

    await withDataDir(async (restoredDir) => {
      expect(await cli(restoredDir, ['restore', folder])).toMatchObject({ code: 0, stderr: '' });
      expect((await cli(restoredDir, ['restore', folder])).code).toBe(2);
      const verified = await cli(restoredDir, ['verify', '--deep', '--json']);
      expect(JSON.parse(verified.stdout)).toMatchObject({ kind: 'summary', faults: 0, notes: 0 });
      const restored = await startProcess(restoredDir);
      for (const { url } of before.kept.values()) {
        const played = await fetch(restored.base + url);
        expect(Buffer.from(await played.arrayBuffer()), `seed ${seed}`).toEqual(fixture('tone.mp3'));
      }
      for (const id of before.deleted) {
        // The token of the old service: its secret came along.
        const response = await fetch(`${restored.base}/v3/media-prompts/${id}`, {
          headers: { authorization: `Bearer ${token}` },
        });
        expect(response.status, `seed ${seed}`).toBe(404);
      }
      const { media_prompt_id: next } = await uploadFile(restored, token, 'After');
      expect(next).toBeGreaterThan(Math.max(...before.kept.keys(), ...before.deleted));
      await restored.end('SIGTERM');
    });
  });
}, 180_000);

test('a backup that is killed leaves nothing that can be taken for one, and the next one succeeds', async () => {
  const backups = await newFolder();
  await withDataDir(async (dataDir) => {
    const service = await startProcess(dataDir);
    const token = await tokenFor(dataDir);
    for (let i = 0; i < 120; i += 1) await uploadFile(service, token, `${i}`);
    const folder = join(backups, 'killed');
    const command = spawn(process.execPath, ['src/cli.ts', 'backup', folder], {
      env: environment(dataDir),
      stdio: 'ignore',
    });
    const ended = once(command, 'close');
    const draft = join(backups, '.killed.partial/recordings');
    await expect.poll(() => readdir(draft).catch(() => []), { timeout: 60_000, interval: 1 }).not.toEqual([]);
    command.kill('SIGKILL');
    await ended;
    expect(await readdir(backups)).toEqual(['.killed.partial']);
    await withDataDir(async (restoredDir) => {
      const { code, stderr } = await cli(restoredDir, ['restore', join(backups, '.killed.partial')]);
      expect(code).toBe(2);
      expect(stderr).toMatch(/no whole backup/);
      expect(await readdir(restoredDir)).toEqual([]);
    });
    expect((await cli(dataDir, ['backup', folder])).code).toBe(0);
    expect(await readdir(backups)).toEqual(['killed']);
    await service.end('SIGTERM');
  });
}, 120_000);

test('a backup of a damaged library is made, and its exit code says so', async () => {
  const backups = await newFolder();
  await withDataDir(async (dataDir) => {
    const service = await startProcess(dataDir);
    const { url, file_size: size } = await uploadFile(service, await tokenFor(dataDir), 'Damaged');
    await service.end('SIGTERM');
    await writeFile(join(dataDir, url), Buffer.alloc(size));
    const { code, stdout } = await cli(dataDir, ['backup', join(backups, 'one')]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^damaged\tfile-/);
    await withDataDir(async (restoredDir) => {
      const restored = await cli(restoredDir, ['restore', join(backups, 'one')]);
      expect(restored.code).toBe(1);
      expect(restored.stdout).toMatch(/^missing\tfile-/);
    });
  });
}, 120_000);

test.skipIf(!canMount())(
  'a disk that may only be read any more is backed up and verified, and not repaired',
  { timeout: 120_000 },
  async () => {
    const server = inject('databaseServer');
    const database = `e2e_${randomUUID().replaceAll('-', '')}`;
    await inDatabase(server, 'postgres', (client) => client.query(`create database ${database}`));
    onTestFinished(async () => {
      await inDatabase(server, 'postgres', (client) =>
        client.query(`drop database if exists ${database} with (force)`),
      );
    });
    const env = { DATABASE_URL: databaseUrl(inject('databaseDoor'), database) };
    const backups = await newFolder();
    await withDataDir(async (dataDir) => {
      const uploads = join(dataDir, 'uploads');
      await mkdir(uploads);
      mount(uploads, 'size=4m');
      try {
        const service = await startProcess(dataDir, env);
        const token = await tokenFor(dataDir);
        const good = await uploadFile(service, token, 'Good');
        const bad = await uploadFile(service, token, 'Unreadable');
        expect(await service.end('SIGTERM')).toBe(0);
        await unlink(join(dataDir, bad.url));
        await mkdir(join(dataDir, bad.url));
        makeReadOnly(uploads);

        const key = ({ url }: UploadedFile) => url.slice(url.lastIndexOf('/') + 1);
        const made = await cli(dataDir, ['backup', join(backups, 'saved')], env);
        expect(made).toMatchObject({ code: 1, stderr: '' });
        expect(made.stdout).toContain(`unreadable\t${key(bad)}\n`);
        expect(await readdir(join(backups, 'saved/recordings'))).toEqual([key(good)]);

        const verified = await cli(dataDir, ['verify', '--deep'], env);
        expect(verified).toMatchObject({ code: 1, stderr: '' });
        expect(verified.stdout).toMatch(/^Faults found: 1\.$/m);

        const repaired = await cli(dataDir, ['verify', '--repair'], env);
        expect(repaired).toMatchObject({ code: 2, stdout: '' });
      } finally {
        unmount(uploads);
      }
    });
  },
);
