import { mkdtemp, readdir, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cli, startProcess, tokenFor, uploadFile, withDataDir } from './service-process.ts';

const json = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('verify says by its exit code and by line what is wrong, beside the service and without it', async () => {
  await withDataDir(async (dataDir) => {
    const service = await startProcess(dataDir);
    const token = await tokenFor(dataDir);
    const lost = await uploadFile(service, token, 'Lost');
    const damaged = await uploadFile(service, token, 'Damaged');
    const well = await cli(dataDir, ['verify', '--deep', '--json']);
    expect(well).toMatchObject({ code: 0, stderr: '' });
    expect(json(well.stdout)).toEqual([
      {
        kind: 'summary',
        deep: true,
        recordings: 2,
        renditions: 0,
        bytes_read: lost.file_size + damaged.file_size,
        ledger_rows: 2,
        files: 2,
        faults: 0,
        notes: 0,
        repaired: { swept: 0, recounted: 0, forgotten: 0 },
        seconds: expect.any(Number),
      },
    ]);

    await unlink(join(dataDir, lost.url));
    await writeFile(join(dataDir, damaged.url), Buffer.alloc(damaged.file_size));
    await writeFile(join(dataDir, 'uploads/call-flow-recordings/stranger.wav'), 'abc');
    const bad = await cli(dataDir, ['verify', '--deep', '--json', '--repair']);
    expect(bad.code).toBe(1);
    const [missing, wrong, unknown, summary] = json(bad.stdout);
    expect(missing).toEqual({
      kind: 'missing',
      fault: true,
      subject: lost.url.slice(lost.url.lastIndexOf('/') + 1),
      detail: `${lost.file_size} bytes expected`,
      media_prompt_id: lost.media_prompt_id,
      advice: expect.any(String),
    });
    expect(wrong).toMatchObject({ kind: 'damaged', fault: true, media_prompt_id: damaged.media_prompt_id });
    expect(unknown).toMatchObject({ kind: 'unknown', fault: false, media_prompt_id: null });
    expect(summary).toMatchObject({ kind: 'summary', faults: 2, notes: 1 });

    await service.end('SIGTERM');
    const text = await cli(dataDir, ['verify', '--deep', '--progress']);
    expect(text.code).toBe(1);
    expect(text.stdout).toMatch(/^missing\t\S+\t\d+ bytes expected\tprompt 1$/m);
    expect(text.stdout).toMatch(/^Faults found: 2\.$/m);
    expect(text.stdout).toMatch(/^unknown: .+\.$/m);
    // It has not repaired what it cannot know.
    expect(await readdir(join(dataDir, 'uploads/call-flow-recordings'))).toContain('stranger.wav');
  });
}, 60_000);

test('verify exits with 2 where there is no library, and makes none', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'media-prompts-e2e-'));
  try {
    const { code, stdout, stderr } = await cli(dataDir, ['verify']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^There is no library in .+; set DATA_DIR as the service has it\.\n$/);
    expect(await readdir(dataDir)).toEqual([]);
  } finally {
    await rm(dataDir, { recursive: true });
  }
}, 60_000);

test('verify exits with 2 when the database cannot be asked', async () => {
  await withDataDir(async (dataDir) => {
    const service = await startProcess(dataDir);
    await service.end('SIGTERM');
    await writeFile(join(dataDir, 'database/postgresql.auto.conf'), 'nonsense\n');
    const { code, stdout, stderr } = await cli(dataDir, ['verify']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/could not be started/);
  });
}, 60_000);
