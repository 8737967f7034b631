import { watch } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Command } from 'commander';
import { sql } from 'kysely';
import pino from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readManifest } from '../../src/backup/manifest.ts';
import { assertRestorable, openBackup, restoreBackup } from '../../src/backup/restore.ts';
import { BlobError, type BlobStore } from '../../src/blobs/blob-store.ts';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';
import { joinCatalogue, openCatalogue } from '../../src/catalogue/open-catalogue.ts';
import { addKeepingCommands } from '../../src/commands/keeping.ts';
import { configFrom } from '../../src/config.ts';
import { createDatabase, SECRET, startService } from '../support/service.ts';
import { faults, keyOf, newFolder, none, open, restore, upload } from './library.ts';

const silent = pino({ level: 'silent' });

describe('a backup with a previous one', () => {
  test('links no file that is damaged there, and copies it anew', async () => {
    const { service, base, backup } = await open();
    const [good, bad, gone] = [
      keyOf(await upload(service, 'Good')),
      keyOf(await upload(service, 'Damaged in the older backup')),
      keyOf(await upload(service, 'A folder in the older backup')),
    ];
    await backup('one');
    const inOne = (key: string) => join(base, 'one/recordings', key);
    const inTwo = (key: string) => join(base, 'two/recordings', key);
    await writeFile(inOne(bad), Buffer.alloc((await stat(inOne(bad))).size));
    await unlink(inOne(gone));
    await mkdir(inOne(gone));
    expect(await backup('two', { previous: join(base, 'one') })).toMatchObject({ faults: [] });
    expect((await stat(inTwo(good))).nlink).toBe(2);
    expect((await stat(inTwo(bad))).nlink).toBe(1);
    const restored = await restore(join(base, 'two'));
    expect(restored.lost).toEqual([]);
    expect(await faults(restored.service, restored.blobs)).toEqual([]);
  });

  test('links nothing that was a fault then, and the fault stays one until it is mended', async () => {
    const { service, base, backup } = await open();
    const prompt = await upload(service, 'Damaged');
    const key = keyOf(prompt);
    const path = join(service.dataDir, prompt.url);
    const bytes = await readFile(path);
    await writeFile(path, Buffer.alloc(bytes.byteLength));
    const damaged = [{ key, reason: 'damaged' }];
    expect(await backup('one')).toMatchObject({ faults: damaged });
    expect(await backup('two', { previous: join(base, 'one') })).toMatchObject({ faults: damaged });
    // Mended in the library, and by somebody in the old backup too, which its manifest knows nothing of.
    await writeFile(path, bytes);
    await writeFile(join(base, 'two/recordings', key), bytes);
    expect(await backup('three', { previous: join(base, 'two') })).toMatchObject({ faults: [] });
    expect((await stat(join(base, 'three/recordings', key))).nlink).toBe(1);
  });

  test('is refused when that is none, and leaves nothing', async () => {
    const { base, backup } = await open();
    await expect(backup('two', { previous: join(base, 'one') })).rejects.toThrow(/no whole backup/);
    expect(await readdir(base)).toEqual([]);
  });
});

describe('a file that cannot be read', () => {
  test('in the library is a fault of the backup, which has all the rest', async () => {
    const { service, blobs, base, backup } = await open();
    const good = keyOf(await upload(service, 'Good'));
    const folder = await upload(service, 'A folder');
    const broken = keyOf(await upload(service, 'On a bad sector'));
    await unlink(join(service.dataDir, folder.url));
    await mkdir(join(service.dataDir, folder.url));
    const failing: BlobStore = {
      ...blobs,
      async open(key) {
        const blob = await blobs.open(key);
        if (key !== broken) return blob;
        return {
          ...blob,
          async transfer(start, end, sink) {
            await blob.transfer(start, Math.floor(end / 2), sink);
            throw new BlobError('unavailable', 'The folder of the blobs cannot be used.');
          },
        };
      },
    };
    const manifest = await backup('one', { blobs: failing });
    const lacking = [keyOf(folder), broken];
    expect(manifest.faults).toEqual(lacking.map((key) => ({ key, reason: 'unreadable' })));
    expect(manifest.recordings.files).toBe(1);
    expect(await readdir(join(base, 'one/recordings'))).toEqual([good]);
    const restored = await restore(join(base, 'one'));
    expect(restored.lost).toEqual(lacking);
  });

  test('because the whole store is away ends the backup', async () => {
    const { service, blobs, base, backup } = await open();
    await upload(service, 'One');
    const away = () =>
      Promise.reject(new BlobError('unavailable', 'The folder of the blobs cannot be used.'));
    const unmounted: BlobStore = { ...blobs, open: away, checkReading: away };
    await expect(backup('one', { blobs: unmounted })).rejects.toThrow(BlobError);
    expect(await readdir(base)).toEqual([]);
  });

  test('in the backup is lost, and all the rest is restored', async () => {
    const { service, base, backup } = await open();
    // Where a file of its size should be, a folder can be opened and not read.
    const folder = join(base, 'folder');
    await mkdir(join(folder, 'within'), { recursive: true });
    const bad = await upload(service, 'A folder');
    const good = await upload(service, 'Good');
    await service.rows('update recordings set file_size = $1 where blob_name = $2', [
      (await stat(folder)).size,
      bad.recording_name,
    ]);
    await backup('one');
    const path = join(base, 'one/recordings', keyOf(bad));
    await unlink(path);
    await rename(folder, path);
    const restored = await restore(join(base, 'one'));
    expect(restored.lost).toEqual([keyOf(bad)]);
    expect(await restored.service.files()).toEqual({ published: [keyOf(good)], arriving: [] });
  });

  test('because the whole backup is away ends the restore', async () => {
    const { service, base, backup } = await open();
    await upload(service, 'One');
    await upload(service, 'Two');
    await backup('one');
    const found = await openBackup(join(base, 'one'));
    const dataDir = await newFolder();
    const database = await createDatabase();
    onTestFinished(() => database.drop());
    const other = await startService({}, { dataDir, databaseUrl: database.url });
    onTestFinished(() => other.close({ data: true }));
    const blobs = await createDiskBlobStore(join(dataDir, 'uploads'));
    const unmounting: BlobStore = {
      ...blobs,
      async open(key) {
        await rm(join(base, 'one'), { recursive: true, force: true });
        return await blobs.open(key);
      },
    };
    const destination = { dataDir, db: other.db, blobs: unmounting, secretFile: undefined };
    await assertRestorable(found, destination);
    const parts = ['manifest.json', 'recordings'];
    for (const part of parts) await rename(join(base, 'one', part), join(base, part));
    await expect(restoreBackup(found, destination, none())).rejects.toThrow(/is away; bring it back/);
    for (const part of parts) await rename(join(base, part), join(base, 'one', part));
    await expect(restoreBackup(found, destination, none())).rejects.toThrow(/is away; bring it back/);
    expect(await other.rows('select id from prompts')).toEqual([]);
  });
});

test('what kept a backup from being made is told, also when its folder cannot be removed', async () => {
  const { service, blobs, base, backup } = await open();
  await upload(service, 'One');
  const broken: BlobStore = {
    ...blobs,
    async open() {
      await rm(base, { recursive: true });
      await writeFile(base, 'no folder any more');
      throw new Error('broken off');
    },
  };
  await expect(backup('one', { blobs: broken })).rejects.toThrow('broken off');
});

test.each([
  ['another host', () => 'elsewhere 1'],
  ['a process of this host', () => `${hostname()} ${process.ppid}`],
])('the draft of %s is named, so that it can be removed by hand', async (_of, owner) => {
  const { base, backup } = await open();
  const draft = join(base, '.one.partial');
  await mkdir(draft);
  await writeFile(join(draft, 'being-made-by'), owner());
  await expect(backup('one')).rejects.toThrow(`remove ${draft} if`);
});

test('the secret appears whole in a backup and where it is restored, for its owner alone', async () => {
  const { service, base, backup } = await open();
  const source = join(service.dataDir, 'jwt-secret');
  await writeFile(source, SECRET);
  await chmod(source, 0o644);
  await backup('one', { secretFile: source });
  expect((await stat(join(base, 'one/jwt-secret'))).mode & 0o777).toBe(0o600);

  const dataDir = await newFolder();
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const other = await startService({}, { dataDir: await newFolder(), databaseUrl: database.url });
  onTestFinished(() => other.close({ data: true }));
  const blobs = await createDiskBlobStore(join(dataDir, 'uploads'));
  const secretFile = join(dataDir, 'jwt-secret');
  // A crash left it.
  await writeFile(`${secretFile}.partial`, SECRET.slice(0, 3));
  const events: string[] = [];
  const ended = Promise.withResolvers<void>();
  const watcher = watch(dataDir, (event, name) => {
    if (name === 'jwt-secret') events.push(event);
    if (name === 'end') ended.resolve();
  });
  onTestFinished(() => watcher.close());
  const found = await openBackup(join(base, 'one'));
  await restoreBackup(found, { dataDir, db: other.db, blobs, secretFile }, none());
  await writeFile(join(dataDir, 'end'), '');
  await ended.promise;
  // It came into its place once and was not written to there.
  expect(events).toEqual(['rename']);
  expect(await readFile(secretFile, 'utf8')).toBe(SECRET);
  expect((await readdir(dataDir)).sort()).toEqual(['end', 'jwt-secret', 'uploads']);
});

test('an older backup is refused by a database that the service has started on, and the reason told', async () => {
  const { service, base, backup } = await open();
  await upload(service, 'One');
  await backup('one');
  const manifest = await readManifest(join(base, 'one'));
  const older = { ...manifest, migrations: manifest.migrations.slice(0, -1) };
  await writeFile(join(base, 'one/manifest.json'), JSON.stringify(older));
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const config = configFrom({ DATABASE_URL: database.url, DATA_DIR: await newFolder(), JWT_SECRET: SECRET });
  const ends: unknown[] = [];
  const program = new Command();
  addKeepingCommands(program, {
    console: { print: () => undefined, remark: () => undefined, isWatched: false },
    config: () => config,
    async withDatabase(work, options) {
      const choice = config.database;
      const catalogue = await joinCatalogue({ choice, poolSize: 2, log: silent, ...options });
      await work(catalogue.db).finally(() => catalogue.close());
    },
    exitWith: (code, reason) => ends.push([code, reason]),
  });
  await program.parseAsync(['restore', join(base, 'one')], { from: 'user' });
  expect(ends).toEqual([[2, expect.stringMatching(/name one in DATABASE_URL that the service has never/)]]);
});

test('a command that may not use the running database leaves no connection to it', async () => {
  const directory = join(await newFolder(), 'database');
  const choice = { kind: 'embedded', directory } as const;
  const { db, close } = await openCatalogue({ choice, poolSize: 1, log: silent });
  onTestFinished(close);
  const joining = joinCatalogue({ choice, poolSize: 1, log: silent, upTo: '0001-initial' });
  await expect(joining).rejects.toThrow(/migrations beyond/);
  const others = async () => {
    const { rows } = await sql`select pid from pg_stat_activity
      where backend_type = 'client backend' and pid <> pg_backend_pid()`.execute(db);
    return rows;
  };
  // The server needs a moment to see that a client has left.
  await expect.poll(others, { timeout: 5_000 }).toEqual([]);
}, 60_000);
