import { rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { cli } from '../e2e/service-process.ts';
import { promptForm } from '../support/multipart.ts';
import { putRendition } from '../support/renditions.ts';
import { createDatabase, startService, type TestService, type WirePrompt } from '../support/service.ts';
import { audioBelow, CREDENTIALS, createStore, newFolder, newPrefix, settingsFor } from './bucket.ts';

const keyOf = ({ url }: WirePrompt) => url.slice(url.lastIndexOf('/') + 1);

async function upload(service: TestService, name: string): Promise<WirePrompt> {
  const { status, body } = await service.upload(promptForm(name));
  expect(status).toBe(201);
  return body.data;
}

/** A service with its audio on the disk, a place in the bucket, and the command that copies. */
async function newSetting() {
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const dataDir = await newFolder();
  const prefix = newPrefix();
  const start = async (env: Readonly<Record<string, string>> = {}) => {
    const service = await startService(env, { dataDir, databaseUrl: database.url });
    return { ...service, end: () => service.close({ data: true }) };
  };
  const { BLOB_STORE: _store, ...bucket } = settingsFor(prefix);
  const run = async (...args: string[]) => {
    const env = { DATABASE_URL: database.url, ...bucket, ...CREDENTIALS };
    const { code, stdout, stderr } = await cli(dataDir, ['blobs', 'copy', '--json', ...args], env);
    const lines = stdout.trim() === '' ? [] : stdout.trim().split('\n');
    return { code, stderr, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
  };
  return { dataDir, prefix, start, run };
}

test('audio moves from the disk to a bucket: beside the service, then the rest without it', async () => {
  const { dataDir, prefix, start, run } = await newSetting();
  const before = await start();
  const first = await upload(before, 'First');
  const rendition = await putRendition(before, first, 'pcm8k');
  expect(await run('--to', 's3')).toEqual({
    code: 0,
    stderr: '',
    lines: [expect.objectContaining({ kind: 'summary', copied: 2, there_before: 0, faults: 0 })],
  });
  expect(await audioBelow(prefix)).toHaveLength(2);

  // In between one comes and one goes.
  const second = await upload(before, 'Second');
  const gone = await upload(before, 'Gone');
  expect((await before.call('DELETE', `/v3/media-prompts/${gone.media_prompt_id}`)).status).toBe(200);
  await before.end();
  const { lines } = await run('--to', 's3');
  expect(lines).toEqual([
    expect.objectContaining({ kind: 'summary', copied: 1, there_before: 2, faults: 0 }),
  ]);

  await rm(join(dataDir, 'uploads'), { recursive: true });
  const after = await start(settingsFor(prefix));
  for (const path of [first.url, second.url, rendition.path]) {
    expect((await fetch(after.base + path)).status).toBe(200);
  }
  await upload(after, 'Third');
  await after.end();

  // And back again.
  expect((await run('--to', 'disk')).lines).toEqual([expect.objectContaining({ copied: 4, faults: 0 })]);
  const back = await start();
  expect((await fetch(back.base + second.url)).status).toBe(200);
  await back.end();
});

test('a file that is not what its row says is named and not copied, and the rest is', async () => {
  const { dataDir, prefix, start, run } = await newSetting();
  const service = await start();
  const [well, damaged, missing] = [
    await upload(service, 'Well'),
    await upload(service, 'Damaged'),
    await upload(service, 'Missing'),
  ];
  await writeFile(join(dataDir, damaged.url), Buffer.alloc(Number(damaged['file_size'])));
  await unlink(join(dataDir, missing.url));
  const { code, lines } = await run('--to', 's3');
  expect(code).toBe(1);
  expect(lines).toEqual([
    { kind: 'damaged', subject: keyOf(damaged) },
    { kind: 'missing', subject: keyOf(missing) },
    expect.objectContaining({ kind: 'summary', copied: 1, faults: 2 }),
  ]);
  expect(await audioBelow(prefix)).toEqual([keyOf(well)]);
  await service.end();
});

test('the mark by which an older database is known goes along', async () => {
  const { prefix, start, run } = await newSetting();
  const service = await start();
  await upload(service, 'One');
  await service.library.sweep();
  await service.end();
  expect((await run('--to', 's3')).code).toBe(0);
  const { store } = await createStore({ prefix });
  expect(await store.mark()).toBeGreaterThan(0);
});

test('without a bucket, or without a library, nothing is copied and the reason is told', async () => {
  const { run } = await newSetting();
  expect(await run('--to', 's3')).toMatchObject({ code: 2, stderr: expect.stringMatching(/no library/) });
  const dataDir = await newFolder();
  const { code, stderr } = await cli(dataDir, ['blobs', 'copy', '--to', 's3']);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^Set S3_BUCKET/);
});
