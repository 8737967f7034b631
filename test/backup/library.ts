import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { createBackup } from '../../src/backup/backup.ts';
import { assertRestorable, openBackup, restoreBackup } from '../../src/backup/restore.ts';
import type { BlobStore } from '../../src/blobs/blob-store.ts';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';
import { verify } from '../../src/library/verify.ts';
import { promptForm } from '../support/multipart.ts';
import { createDatabase, startService, type TestService, type WirePrompt } from '../support/service.ts';

/** Progress that nobody looks at. */
export const none = () => ({ files: 0, bytes: 0 });

/** A folder that goes when the test ends. */
export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-backup-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A running service, its blobs, and a way to back them up below `base`. */
export async function open() {
  const service = await startService();
  onTestFinished(() => service.close());
  const blobs = await createDiskBlobStore(join(service.dataDir, 'uploads'));
  const base = await newFolder();
  const backup = (
    name: string,
    options: { readonly blobs?: BlobStore; readonly previous?: string; readonly secretFile?: string } = {},
  ) =>
    createBackup(service.db, options.blobs ?? blobs, {
      folder: join(base, name),
      previous: options.previous,
      secretFile: options.secretFile,
      progress: none(),
    });
  return { service, blobs, base, backup };
}

/** Uploads the same audio under any name. */
export async function upload(service: TestService, name: string, fields = {}): Promise<WirePrompt> {
  const { status, body } = await service.upload(promptForm(name, fields));
  expect(status).toBe(201);
  return body.data;
}

/** The name of a prompt's file. */
export const keyOf = ({ url }: WirePrompt) => url.slice(url.lastIndexOf('/') + 1);

/** Restores into a folder and a database of its own, and starts a service there. */
export async function restore(folder: string) {
  const dataDir = await newFolder();
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const blobs = await createDiskBlobStore(join(dataDir, 'uploads'));
  const service = await startService({}, { dataDir, databaseUrl: database.url });
  onTestFinished(() => service.close({ data: true }));
  const backup = await openBackup(folder);
  await assertRestorable(backup, { dataDir, blobs });
  const lost = await restoreBackup(backup, { dataDir, db: service.db, blobs, secretFile: undefined }, none());
  return { service, blobs, lost, dataDir };
}

/** What `verify --deep` would find. */
export async function faults(service: TestService, blobs: BlobStore): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for await (const finding of verify(service.db, blobs, { deep: true })) found.push(finding);
  return found;
}
