import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createBackup } from '../../src/backup/backup.ts';
import { assertRestorable, openBackup, restoreBackup } from '../../src/backup/restore.ts';
import type { BlobStore } from '../../src/blobs/blob-store.ts';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';
import { verify } from '../../src/library/verify.ts';
import { promptForm } from '../support/multipart.ts';
import { createDatabase, startService, type TestService } from '../support/service.ts';
import { createStore, newFolder, newPrefix, settingsFor, startOnS3 } from './bucket.ts';

const none = () => ({ files: 0, bytes: 0 });

async function uploadAll(service: TestService): Promise<readonly string[]> {
  const urls: string[] = [];
  for (const audio of ['tone.wav', 'tone.mp3', 'tone.ogg']) {
    const { status, body } = await service.upload(promptForm(audio, {}, audio));
    expect(status).toBe(201);
    urls.push(body.data.url);
  }
  return urls;
}

async function restored(
  folder: string,
  dataDir: string,
  blobs: BlobStore,
  env: Readonly<Record<string, string>>,
) {
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const service = await startService(env, { dataDir, databaseUrl: database.url });
  onTestFinished(() => service.close({ data: true }));
  const backup = await openBackup(folder);
  await assertRestorable(backup, { dataDir, blobs });
  const lost = await restoreBackup(backup, { dataDir, db: service.db, blobs, secretFile: undefined }, none());
  expect(lost).toEqual([]);
  return service;
}

async function expectWhole(service: TestService, blobs: BlobStore, urls: readonly string[]): Promise<void> {
  for (const url of urls) expect((await fetch(service.base + url)).status).toBe(200);
  for await (const finding of verify(service.db, blobs, { deep: true })) expect(finding).toBeUndefined();
}

test('a library in a bucket can be backed up, and restored to another place or to a disk', async () => {
  const service = await startOnS3();
  const urls = await uploadAll(service);
  const { store } = await createStore({ prefix: service.prefix });
  const folder = join(await newFolder(), 'backup');
  const options = { folder, previous: undefined, secretFile: undefined, progress: none() };
  const manifest = await createBackup(service.db, store, options);
  expect(manifest).toMatchObject({ recordings: { files: 3 }, faults: [], deleted_meanwhile: [] });

  const prefix = newPrefix();
  const { store: place } = await createStore({ prefix });
  const elsewhere = await restored(folder, await newFolder(), place, settingsFor(prefix));
  await expectWhole(elsewhere, place, urls);

  const dataDir = await newFolder();
  const disk = await createDiskBlobStore(join(dataDir, 'uploads'));
  await expectWhole(await restored(folder, dataDir, disk, {}), disk, urls);

  // What is there stays.
  await expect(assertRestorable(await openBackup(folder), { dataDir, blobs: store })).rejects.toThrow(
    /not empty/,
  );
});
