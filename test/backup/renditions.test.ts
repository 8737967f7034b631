import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createBackup } from '../../src/backup/backup.ts';
import { openBackup, restoreBackup } from '../../src/backup/restore.ts';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';
import { repair } from '../../src/library/verify.ts';
import { countRows, startRendering, untilReady, uploadPrompt } from '../support/rendering.ts';
import { createDatabase, startService } from '../support/service.ts';
import { faults, newFolder, none } from './library.ts';

test('a backup holds recordings alone, and a restored service makes their renditions again', async () => {
  const service = await startRendering();
  const { id } = await uploadPrompt(service, 'One');
  await untilReady(service, id);
  const blobs = await createDiskBlobStore(join(service.dataDir, 'uploads'));
  const folder = join(await newFolder(), 'backup');
  await createBackup(service.db, blobs, {
    folder,
    previous: undefined,
    secretFile: undefined,
    progress: none(),
  });
  expect(await readdir(join(folder, 'recordings'))).toHaveLength(1);

  const dataDir = await newFolder();
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const empty = await startService({}, { dataDir, databaseUrl: database.url });
  const restored = await createDiskBlobStore(join(dataDir, 'uploads'));
  const backup = await openBackup(folder);
  await restoreBackup(backup, { dataDir, db: empty.db, blobs: restored, secretFile: undefined }, none());
  expect(await countRows(empty)).toEqual({ renditions: 0, reports: 0, jobs: 0, kept: 1, loose: 0 });
  await empty.close({ data: true });

  const next = await startRendering({}, { dataDir, databaseUrl: database.url });
  await untilReady(next, id);
  expect(await faults(next, restored)).toEqual([]);
});

test('verify finds renditions that are not as they should be, and repair has them made again', async () => {
  const service = await startRendering();
  const { id } = await uploadPrompt(service, 'One');
  await untilReady(service, id);
  const blobs = await createDiskBlobStore(join(service.dataDir, 'uploads'));
  const files = await service.rows<{ key: string; size: number }>(`
    select b.name || '.' || b.extension as key, v.file_size::int as size
    from renditions v join blobs b on b.name = v.blob_name order by v.kind limit 2`);
  const [gone, other] = files.map(({ key }) => join(service.dataDir, 'uploads/call-flow-recordings', key));
  await rm(gone ?? '');
  await writeFile(other ?? '', Buffer.alloc(files[1]?.size ?? 0));
  expect(await faults(service, blobs)).toEqual([
    expect.objectContaining({
      kind: 'bad-rendition',
      subject: files[0]?.key,
      detail: expect.stringMatching(/^missing: /),
    }),
    expect.objectContaining({
      kind: 'bad-rendition',
      subject: files[1]?.key,
      detail: expect.stringMatching(/^damaged: /),
    }),
  ]);
  expect(await repair(service.db, blobs, 1, true)).toMatchObject({ forgotten: 2 });
  await untilReady(service, id);
  await expect.poll(() => faults(service, blobs), { timeout: 20_000 }).toEqual([]);
});
