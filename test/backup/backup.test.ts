import { randomInt } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pino from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BackupError, readManifest } from '../../src/backup/manifest.ts';
import { assertRestorable, openBackup, restoreBackup } from '../../src/backup/restore.ts';
import type { BlobStore } from '../../src/blobs/blob-store.ts';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';
import { DERIVED_TABLES, DUMPED_TABLES } from '../../src/catalogue/dump.ts';
import { compose } from '../../src/compose.ts';
import { createDatabase, startService, type WirePrompt } from '../support/service.ts';
import { faults, newFolder, none, open, restore, upload } from './library.ts';

test('every table is either in a backup or can be done without', async () => {
  const { service } = await open();
  const tables = await service.rows<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'public' and table_name not like 'kysely%'`,
  );
  expect(tables.map(({ name }) => name).sort()).toEqual([...DUMPED_TABLES, ...DERIVED_TABLES].sort());
});

describe('a backup', () => {
  test('restored, is the same library: prompts, units, audio, counters, IDs', async () => {
    const { service, base, backup } = await open();
    await service.rows(
      `insert into org_units (parent_id, name, path, quota_bytes) values (1, $1, '/1/2/', 123456)`,
      ['Sales "\\ \u2028'],
    );
    const names = ['Plain', 'Line\u2028separator', 'Quote " \\ back', 'Ünïcode 🎧'];
    const made: WirePrompt[] = [];
    for (const name of names) made.push(await upload(service, name));
    made.push(await upload(service, 'Below', { org_unit_id: '2' }));
    const deleted = await upload(service, 'Deleted');
    await service.call('DELETE', `/v3/media-prompts/${deleted.media_prompt_id}`);
    await backup('one');

    const restored = await restore(join(base, 'one'));
    expect(restored.lost).toEqual([]);
    expect(await faults(restored.service, restored.blobs)).toEqual([]);
    for (const prompt of made) {
      const { body } = await restored.service.get(`/v3/media-prompts/${prompt.media_prompt_id}`);
      expect(body.data).toMatchObject(prompt);
      const [before, after] = await Promise.all(
        [service, restored.service].map(async ({ base: at }) => (await fetch(at + prompt.url)).bytes()),
      );
      expect(after).toEqual(before);
    }
    const units = 'select id, parent_id, name, path, quota_bytes, created_on from org_units order by id';
    expect(await restored.service.rows(units)).toEqual(await service.rows(units));
    expect(await restored.service.files()).toEqual(await service.files());
    // The ID of what was deleted is never another prompt's.
    expect((await upload(restored.service, 'New')).media_prompt_id).toBeGreaterThan(deleted.media_prompt_id);
    const below = await restored.service.get<{ total: number }>('/v3/media-prompts?org_unit_id=2');
    expect(below.body.data.total).toBe(1);
  });

  test('leaves out a prompt that is deleted while its audio is copied, and nothing else', async () => {
    const { service, blobs, base, backup } = await open();
    const stays = await upload(service, 'Stays');
    const leaves = await upload(service, 'Leaves');
    let change: Promise<unknown> | undefined;
    const deleteAndReplace = async () => {
      await service.call('DELETE', `/v3/media-prompts/${leaves.media_prompt_id}`);
      // Too late for this backup, and with the name that has just become free.
      await upload(service, 'Leaves');
    };
    const slow: BlobStore = {
      ...blobs,
      async open(key) {
        change ??= deleteAndReplace();
        await change;
        return await blobs.open(key);
      },
    };
    const manifest = await backup('one', { blobs: slow });
    expect(manifest).toMatchObject({ deleted_meanwhile: [leaves.recording_name], faults: [] });
    const restored = await restore(join(base, 'one'));
    const list = await restored.service.get<{ media_prompts: WirePrompt[]; total: number }>(
      '/v3/media-prompts',
    );
    expect(list.body.data).toMatchObject({ total: 1, media_prompts: [stays] });
    expect(await faults(restored.service, restored.blobs)).toEqual([]);
    await upload(restored.service, 'Leaves');
  });

  test('takes nothing of an upload on its way or a delete that is not done', async () => {
    const { service, base, backup } = await open();
    await service.rows(`insert into blobs (name, state, lease_until) values
      ('file-1-1', 'arriving', now() - interval '1 hour'), ('file-1-2', 'doomed', now() + interval '1 hour')`);
    await backup('one');
    expect(await readFile(join(base, 'one/blobs.ndjson'), 'utf8')).toBe('');
  });

  test('names audio that is missing or damaged in the library, and has all the rest', async () => {
    const { service, base, backup } = await open();
    const [good, gone, bad] = [
      await upload(service, 'Good'),
      await upload(service, 'Gone'),
      await upload(service, 'Bad'),
    ];
    await unlink(join(service.dataDir, gone.url));
    await writeFile(join(service.dataDir, bad.url), Buffer.alloc(Number(bad['file_size'])));
    const key = ({ url }: WirePrompt) => url.slice(url.lastIndexOf('/') + 1);
    const manifest = await backup('one');
    expect(manifest.faults).toEqual([
      { key: key(gone), reason: 'missing' },
      { key: key(bad), reason: 'damaged' },
    ]);
    const restored = await restore(join(base, 'one'));
    expect(restored.lost).toEqual([key(gone), key(bad)]);
    expect(await faults(restored.service, restored.blobs)).toMatchObject([
      { kind: 'missing', subject: key(gone) },
      { kind: 'missing', subject: key(bad) },
    ]);
    expect((await fetch(restored.service.base + good.url)).status).toBe(200);
  });

  test('links what an older one has, and copies what is new', async () => {
    const { service, base, backup } = await open();
    const key = ({ url }: WirePrompt) => url.slice(url.lastIndexOf('/') + 1);
    const old = key(await upload(service, 'Old'));
    await backup('one');
    const young = key(await upload(service, 'New'));
    await backup('two', { previous: join(base, 'one') });
    const links = async (name: string) => (await stat(join(base, 'two/recordings', name))).nlink;
    expect([await links(old), await links(young)]).toEqual([2, 1]);
    const restored = await restore(join(base, 'two'));
    expect(await faults(restored.service, restored.blobs)).toEqual([]);
  });

  test('appears whole or not at all, and never over something else', async () => {
    const { service, blobs, base, backup } = await open();
    await upload(service, 'One');
    const broken: BlobStore = { ...blobs, open: () => Promise.reject(new Error('broken off')) };
    await expect(backup('one', { blobs: broken })).rejects.toThrow('broken off');
    expect(await readdir(base)).toEqual([]);
    await mkdir(join(base, 'full'));
    await writeFile(join(base, 'full/file'), '');
    await expect(backup('full')).rejects.toThrow(/is there already/);
    await expect(backup('no/such/folder')).rejects.toThrow(BackupError);
    await backup('one');
    await expect(backup('one')).rejects.toThrow(/is there already/);
  });

  test('is made anew where a killed process left a part of one, and not where one is at work', async () => {
    const { service, base, backup } = await open();
    await upload(service, 'One');
    const draft = join(base, '.one.partial');
    await mkdir(join(draft, 'recordings'), { recursive: true });
    await writeFile(join(draft, 'being-made-by'), 'elsewhere 1');
    await expect(backup('one')).rejects.toThrow(/is being made/);
    await rm(join(draft, 'being-made-by'));
    await writeFile(join(draft, 'recordings/rest'), 'of the killed one');
    await backup('one');
    expect(await readdir(base)).toEqual(['one']);
    expect(await readdir(join(base, 'one/recordings'))).toHaveLength(1);
  });

  test('can be read by nobody else', async () => {
    const { service, base, backup } = await open();
    await upload(service, 'One');
    const secretFile = join(service.dataDir, 'jwt-secret');
    await writeFile(secretFile, 'secret', { mode: 0o600 });
    await backup('one', { secretFile });
    for (const path of ['jwt-secret', 'manifest.json', 'prompts.ndjson', 'blobs.ndjson']) {
      expect((await stat(join(base, 'one', path))).mode & 0o077, path).toBe(0);
    }
    expect((await stat(join(base, 'one'))).mode & 0o077).toBe(0);
    const dataDir = await newFolder();
    const [restoredSecret, otherSecret] = [join(dataDir, 'jwt-secret'), join(dataDir, 'other')];
    await writeFile(otherSecret, 'mine');
    for (const target of [restoredSecret, otherSecret]) {
      const database = await createDatabase();
      onTestFinished(() => database.drop());
      const other = await startService({}, { dataDir: await newFolder(), databaseUrl: database.url });
      onTestFinished(() => other.close({ data: true }));
      const blobs = await createDiskBlobStore(join(other.dataDir, 'uploads'));
      const found = await openBackup(join(base, 'one'));
      await restoreBackup(found, { dataDir, db: other.db, blobs, secretFile: target }, none());
    }
    expect(await readFile(restoredSecret, 'utf8')).toBe('secret');
    expect(await readFile(otherSecret, 'utf8')).toBe('mine');
  });
});

describe('a restore', () => {
  test('refuses what is no whole backup, or is damaged, or is from the future', async () => {
    const { service, base, backup } = await open();
    await upload(service, 'One');
    await expect(openBackup(base)).rejects.toThrow(/no whole backup/);
    await backup('one');
    const folder = join(base, 'one');
    const manifest = await readManifest(folder);
    const path = join(folder, 'manifest.json');
    const future = { ...manifest, migrations: [...manifest.migrations, '9999-future'] };
    await writeFile(path, JSON.stringify(future));
    await expect(openBackup(folder)).rejects.toThrow(/newer version/);
    await writeFile(path, JSON.stringify({ ...manifest, format: 2 }));
    await expect(openBackup(folder)).rejects.toThrow(/newer version/);
    await writeFile(path, JSON.stringify(manifest));
    await openBackup(folder);
    await writeFile(join(folder, 'prompts.ndjson'), '{}\n');
    await expect(openBackup(folder)).rejects.toThrow(/prompts.ndjson is damaged/);
    await unlink(join(folder, 'prompts.ndjson'));
    await expect(openBackup(folder)).rejects.toThrow(/cannot be read/);
  });

  test('refuses a folder or a database that is in use, and changes nothing there', async () => {
    const { service, blobs, base, backup } = await open();
    await upload(service, 'One');
    await backup('one');
    const newer = await upload(service, 'Two');
    const found = await openBackup(join(base, 'one'));
    const destination = { dataDir: service.dataDir, db: service.db, blobs, secretFile: undefined };
    await expect(assertRestorable(found, destination)).rejects.toThrow(/is not empty/);
    const elsewhere = await newFolder();
    const empty = await createDiskBlobStore(elsewhere);
    await expect(
      restoreBackup(found, { ...destination, dataDir: elsewhere, blobs: empty }, none()),
    ).rejects.toThrow(/database is not empty/);
    expect((await fetch(service.base + newer.url)).status).toBe(200);
    expect(await faults(service, blobs)).toEqual([]);
  });

  test('restores no audio that is damaged in the backup, and says which', async () => {
    const { service, base, backup } = await open();
    const { url } = await upload(service, 'One');
    await backup('one');
    const key = url.slice(url.lastIndexOf('/') + 1);
    const path = join(base, 'one/recordings', key);
    await writeFile(path, Buffer.alloc((await stat(path)).size));
    const restored = await restore(join(base, 'one'));
    expect(restored.lost).toEqual([key]);
    expect(await restored.service.files()).toEqual({ published: [], arriving: [] });
  });

  test('that was interrupted goes on with the same backup', async () => {
    const { service, base, backup } = await open();
    const seed = randomInt(1000);
    for (let i = 0; i < 5; i += 1) await upload(service, `${seed} ${i}`);
    await backup('one');
    const found = await openBackup(join(base, 'one'));
    const dataDir = await newFolder();
    const database = await createDatabase();
    onTestFinished(() => database.drop());
    const other = await startService({}, { dataDir, databaseUrl: database.url });
    onTestFinished(() => other.close({ data: true }));
    const blobs = await createDiskBlobStore(join(dataDir, 'uploads'));
    let placed = 0;
    const broken: BlobStore = {
      ...blobs,
      place: (staged, key) => {
        placed += 1;
        return placed > 2 ? Promise.reject(new Error('cut off')) : blobs.place(staged, key);
      },
    };
    const destination = { dataDir, db: other.db, blobs, secretFile: undefined };
    await expect(restoreBackup(found, { ...destination, blobs: broken }, none())).rejects.toThrow('cut off');
    expect((await other.files()).published).toHaveLength(2);
    // Not with another one, however.
    await backup('two');
    await expect(assertRestorable(await openBackup(join(base, 'two')), destination)).rejects.toThrow(
      /not empty/,
    );
    await assertRestorable(found, destination);
    await expect(compose(other.config, pino({ level: 'silent' }))).rejects.toThrow(
      /run the same restore again/,
    );
    const mark = await readFile(join(dataDir, 'being-restored'), 'utf8');
    expect(await restoreBackup(found, destination, none())).toEqual([]);
    expect(await faults(other, blobs)).toEqual([]);
    // The rows came in, and then the power went.
    await writeFile(join(dataDir, 'being-restored'), mark);
    expect(await restoreBackup(found, destination, none())).toEqual([]);
    await writeFile(join(dataDir, 'being-restored'), mark);
    await upload(other, 'Not of the backup');
    await expect(restoreBackup(found, destination, none())).rejects.toThrow(/database is not empty/);
    await rm(join(dataDir, 'being-restored'));
    expect(await readdir(dataDir)).not.toContain('being-restored');
  });

  test('has no prompt before all its audio is settled, also what an interrupted one had placed', async () => {
    const { service, base, backup } = await open();
    for (const name of ['One', 'Two', 'Three']) await upload(service, name);
    await backup('one');
    const found = await openBackup(join(base, 'one'));
    const dataDir = await newFolder();
    const database = await createDatabase();
    onTestFinished(() => database.drop());
    const other = await startService({}, { dataDir, databaseUrl: database.url });
    onTestFinished(() => other.close({ data: true }));
    const blobs = await createDiskBlobStore(join(dataDir, 'uploads'));
    const steps: string[] = [];
    const watched = (settle: () => Promise<void>): BlobStore => ({
      ...blobs,
      place: async (staged, key) => {
        steps.push('place');
        await blobs.place(staged, key);
      },
      settle: async () => {
        steps.push(`settle before ${(await other.rows('select id from prompts')).length} prompts`);
        await settle();
      },
    });
    const into = (settle: () => Promise<void>) => ({
      dataDir,
      db: other.db,
      blobs: watched(settle),
      secretFile: undefined,
    });
    const powerCut = into(() => Promise.reject(new Error('the power went')));
    await expect(restoreBackup(found, powerCut, none())).rejects.toThrow('the power went');
    expect(steps.splice(0)).toEqual(['place', 'place', 'place', 'settle before 0 prompts']);
    expect(await other.rows('select id from prompts')).toEqual([]);
    await expect(compose(other.config, pino({ level: 'silent' }))).rejects.toThrow(
      /run the same restore again/,
    );
    expect(await restoreBackup(found, into(blobs.settle), none())).toEqual([]);
    expect(steps).toEqual(['settle before 0 prompts']);
    expect(await faults(other, blobs)).toEqual([]);
  });

  test('can also be done with a copy of the backup', async () => {
    const { service, base, backup } = await open();
    await upload(service, 'One');
    await backup('one');
    const copy = await newFolder();
    await mkdir(join(copy, 'recordings'));
    for (const name of await readdir(join(base, 'one'), { recursive: true })) {
      if (name !== 'recordings') await copyFile(join(base, 'one', name), join(copy, name));
    }
    const restored = await restore(copy);
    expect(await faults(restored.service, restored.blobs)).toEqual([]);
  });
});
