import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RENDITIONS } from '../../src/audio/renditions.ts';
import { retryFailed } from '../../src/catalogue/rendition-jobs.ts';
import { createFaultyBlobs } from '../support/faulty-blobs.ts';
import { file, text } from '../support/multipart.ts';
import {
  ALL_READY,
  countRows,
  KINDS,
  PATIENCE,
  pathOf,
  play,
  startRendering,
  statesOf,
  untilReady,
  uploadPrompt,
} from '../support/rendering.ts';
import { startService, type TestService } from '../support/service.ts';
import { noise } from '../support/wav.ts';

const ALL_FAILED = KINDS.map(() => 'failed');

const folderOf = (service: TestService) => join(service.dataDir, 'uploads/call-flow-recordings');

async function reasonOf(service: TestService, id: number): Promise<string> {
  const { renditions } = await service.library.getWithAudio({ orgUnitId: 1 }, { id });
  return renditions.map((one) => ('reason' in one ? one.reason : one.state)).join('\n');
}

describe('the renditions of an upload', () => {
  test('are made by themselves, each a kept blob of its own, with a report, and nothing stays of the work', async () => {
    const service = await startRendering();
    const { id, name } = await uploadPrompt(service, 'One');
    await untilReady(service, id);
    const { renditions, report } = await service.library.getWithAudio({ orgUnitId: 1 }, { id });
    for (const [place, kind] of KINDS.entries()) {
      const rendition = renditions[place];
      if (rendition?.state !== 'ready') throw new Error(`${kind} is not ready`);
      const { status, type, bytes } = await play(service, name, kind);
      expect([status, type]).toEqual([200, RENDITIONS[kind].contentType]);
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(rendition.track.sha256);
      expect(bytes.byteLength).toBe(rendition.track.fileSize);
    }
    expect(report?.decodedDurationMs).toBeGreaterThan(0);
    expect(await countRows(service)).toEqual({ renditions: 9, reports: 1, jobs: 0, kept: 10, loose: 0 });
    expect((await service.files()).published).toHaveLength(10);
    expect(
      (await readdir(tmpdir())).filter((file) => file.includes(`renditions-${hostname()}-${process.pid}-`)),
    ).toEqual([]);
  });

  test('are made once for however many ask before they are there', async () => {
    const service = await startRendering();
    const { name } = await uploadPrompt(service, 'One');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => play(service, name, KINDS[i % KINDS.length] ?? 'pcm8k')),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(await countRows(service)).toEqual({ renditions: 9, reports: 1, jobs: 0, kept: 10, loose: 0 });
  });

  test('are made once by two services on one library, for whoever asks which of them', async () => {
    const one = await startRendering();
    const { dataDir, databaseUrl } = one;
    const other = await startService({ RENDITION_ENGINE: 'ffmpeg' }, { dataDir, databaseUrl });
    const { name } = await uploadPrompt(one, 'One');
    const asked = Array.from({ length: 12 }, (_, i) => play(i % 2 === 0 ? one : other, name, 'mp3'));
    const answers = await Promise.all(asked);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(new Set(answers.map(({ bytes }) => bytes.toString('base64'))).size).toBe(1);
    expect(one.library.rendering().made + other.library.rendering().made).toBe(1);
    expect(await countRows(one)).toEqual({ renditions: 9, reports: 1, jobs: 0, kept: 10, loose: 0 });
    await other.close({ data: true });
  });

  test('are made of the whole recording, however long', async () => {
    const service = await startRendering();
    const parts = [file(noise(700_044, 1)), text('name', 'Long'), text('message_type', 'prompt')];
    const { body } = await service.upload(parts);
    const { media_prompt_id: id } = body.data;
    await untilReady(service, id);
    const { report } = await service.library.getWithAudio({ orgUnitId: 1 }, { id });
    expect(report?.decodedDurationMs).toBe(43_750);
  });

  test('go with their prompt, rows and bytes', async () => {
    const service = await startRendering();
    const { id, name } = await uploadPrompt(service, 'One');
    await untilReady(service, id);
    expect((await play(service, name, 'mp3')).status).toBe(200);
    expect((await service.call('DELETE', `/v3/media-prompts/${id}`)).status).toBe(200);
    for (const kind of KINDS) expect((await play(service, name, kind)).status).toBe(404);
    expect(await countRows(service)).toEqual({ renditions: 0, reports: 0, jobs: 0, kept: 0, loose: 0 });
    expect(await service.files()).toEqual({ published: [], arriving: [] });
  });

  test('that are being made when their prompt is deleted leave nothing', async () => {
    const service = await startRendering();
    const { id } = await uploadPrompt(service, 'One');
    await expect
      .poll(() => service.rows('select holder from rendition_jobs where holder is not null'), PATIENCE)
      .toHaveLength(1);
    expect((await service.call('DELETE', `/v3/media-prompts/${id}`)).status).toBe(200);
    await expect.poll(() => service.library.rendering().running, PATIENCE).toBe(0);
    expect(await countRows(service)).toEqual({ renditions: 0, reports: 0, jobs: 0, kept: 0, loose: 0 });
    expect(await service.files()).toEqual({ published: [], arriving: [] });
  });
});

/** A prompt of a service without a converter, and the same service with one. */
async function handedOver(service: TestService): Promise<TestService> {
  await service.close({ data: true });
  const { dataDir, databaseUrl } = service;
  return await startRendering({}, { dataDir, databaseUrl });
}

describe('a rendition that cannot be made', () => {
  test('says why, is a 404, and is made when the reason is gone and somebody asks for that', async () => {
    const before = await startService({ RENDITION_ENGINE: 'off' });
    const { id, name } = await uploadPrompt(before, 'One');
    const original = join(folderOf(before), `${name}.wav`);
    const bytes = await readFile(original);
    await writeFile(original, Buffer.alloc(bytes.byteLength, 'no audio at all, '));
    const service = await handedOver(before);
    await expect.poll(() => statesOf(service, id), PATIENCE).toEqual(ALL_FAILED);
    expect((await play(service, name, 'pcm8k')).status).toBe(404);
    expect(await reasonOf(service, id)).toMatch(/^[A-Z][^/]+\.(\n|$)/);
    expect(await countRows(service)).toEqual({ renditions: 9, reports: 1, jobs: 0, kept: 1, loose: 0 });
    expect(service.library.rendering()).toMatchObject({ made: 0, failed: 1 });

    await writeFile(original, bytes);
    expect(await retryFailed(service.db)).toBe(1);
    await untilReady(service, id);
  });

  test('because its recording is away is tried again and in the end given up', async () => {
    const before = await startService({ RENDITION_ENGINE: 'off' });
    const { id, name } = await uploadPrompt(before, 'One');
    await rm(join(folderOf(before), `${name}.wav`));
    const service = await handedOver(before);
    const tried = 'select attempts, holder, due_at > now() as later from rendition_jobs where holder is null';
    await expect
      .poll(() => service.rows(tried), PATIENCE)
      .toEqual([{ attempts: 1, holder: null, later: true }]);
    await service.rows('update rendition_jobs set attempts = 4, due_at = now()');
    await expect.poll(() => statesOf(service, id), PATIENCE).toEqual(ALL_FAILED);
    expect(await reasonOf(service, id)).toContain('tried 5 times');
  });
});

describe('a recording', () => {
  test('of another size than its row says is tried again, and keeps no other from its turn', async () => {
    const before = await startService({ RENDITION_ENGINE: 'off' });
    const damaged = await uploadPrompt(before, 'Damaged');
    await writeFile(join(folderOf(before), `${damaged.name}.wav`), 'short');
    const sound = await uploadPrompt(before, 'Sound');
    const service = await handedOver(before);
    await untilReady(service, sound.id);
    await expect
      .poll(() => service.rows('select attempts from rendition_jobs where holder is null'), PATIENCE)
      .toEqual([{ attempts: 1 }]);
  });
});

describe('a store without room', () => {
  test('has no converter run in vain, and the attempts do not count', async () => {
    const { faults, ...store } = await createFaultyBlobs();
    const service = await startRendering({ RENDITIONS_AT_ONCE: '1' }, store);
    // Nothing is begun while uploads follow each other.
    const names: string[] = [];
    for (const title of ['One', 'Two', 'Three', 'Four', 'Five', 'Six']) {
      names.push((await uploadPrompt(service, title)).name);
    }
    faults.set('stage', 'full');
    const paused = 'select attempts from rendition_jobs where holder is null and due_at > now()';
    await expect.poll(() => service.rows(paused), PATIENCE).toEqual([{ attempts: 0 }]);
    // Whoever waits is told to come again, since nothing is begun while the service rests.
    expect((await fetch(service.base + pathOf(names[1] ?? '', 'mp3'))).status).toBe(503);
    const { made, failed, postponed } = service.library.rendering();
    expect([made, failed]).toEqual([0, 0]);
    // One before the first rest, and one before the second, which is longer than anybody waits here.
    expect(postponed).toBeLessThanOrEqual(2);
    expect(await countRows(service)).toMatchObject({ renditions: 0, jobs: 6, kept: 6, loose: 0 });
  });
});

describe('without a converter', () => {
  test('nothing is queued, and one that comes later fills in what is lacking', async () => {
    const before = await startService({ RENDITION_ENGINE: 'off' });
    const { id, name } = await uploadPrompt(before, 'One');
    expect((await play(before, name, 'pcm8k')).status).toBe(501);
    expect(await statesOf(before, id)).toEqual(KINDS.map(() => 'unavailable'));
    expect((await countRows(before))['jobs']).toBe(0);

    const after = await handedOver(before);
    await untilReady(after, id);
    expect((await play(after, name, 'pcm8k')).status).toBe(200);
  });
});

describe('a job', () => {
  test('of a process that died at it is taken up again when its lease is over', async () => {
    const service = await startService({ RENDITION_ENGINE: 'off' });
    const { id } = await uploadPrompt(service, 'One');
    await service.rows(`insert into rendition_jobs (recording_id, org_unit_id, priority, attempts, holder, due_at)
      select id, 1, 1, 1, gen_random_uuid(), now() - interval '1 second' from recordings`);
    await untilReady(await handedOver(service), id);
  });

  test('is given back by a service that ends, which keeps nobody waiting for it', async () => {
    const service = await startService({ RENDITION_ENGINE: 'ffmpeg' });
    const parts = [file(noise(30_000_044, 1)), text('name', 'Long'), text('message_type', 'prompt')];
    const { body } = await service.upload(parts);
    const asked = fetch(service.base + pathOf(body.data.recording_name, 'mp3'));
    const held = 'select attempts from rendition_jobs where holder is not null';
    await expect.poll(() => service.rows(held), PATIENCE).toHaveLength(1);
    await service.close({ data: true });
    expect((await asked).status).toBe(503);
    expect(await service.rows('select attempts, holder from rendition_jobs')).toEqual([
      { attempts: 0, holder: null },
    ]);
    await service.close();
  });

  test('that took down whoever tried it is given up after some times', async () => {
    const service = await startService({ RENDITION_ENGINE: 'off' });
    const { id } = await uploadPrompt(service, 'One');
    await service.rows(`insert into rendition_jobs (recording_id, org_unit_id, priority, attempts)
      select id, 1, 1, 5 from recordings`);
    const next = await handedOver(service);
    await expect.poll(() => statesOf(next, id), PATIENCE).toEqual(ALL_FAILED);
    expect(await reasonOf(next, id)).toContain('broken off each time');
  });

  test('is given back by a service that ends, with nothing left of it', async () => {
    const service = await startService({ RENDITION_ENGINE: 'ffmpeg' });
    const { id } = await uploadPrompt(service, 'One');
    const held = 'select attempts from rendition_jobs where holder is not null';
    await expect.poll(() => service.rows(held), PATIENCE).toHaveLength(1);
    await service.close({ data: true });
    expect(await service.rows('select attempts, holder from rendition_jobs')).toEqual([
      { attempts: 0, holder: null },
    ]);
    expect(await countRows(service)).toMatchObject({ renditions: 0, kept: 1, loose: 0 });
    const { dataDir, databaseUrl } = service;
    const next = await startRendering({}, { dataDir, databaseUrl });
    await untilReady(next, id);
  });
});

describe('a rendition whose bytes are gone', () => {
  test('is made again for whoever asks', async () => {
    const service = await startRendering();
    const { id, name } = await uploadPrompt(service, 'One');
    await untilReady(service, id);
    const [{ file } = { file: '' }] = await service.rows<{ file: string }>(
      `select b.name || '.' || b.extension as file from renditions v join blobs b on b.name = v.blob_name where v.kind = 'ulaw'`,
    );
    await rm(join(folderOf(service), file));
    expect((await play(service, name, 'ulaw')).status).toBe(200);
    expect(await statesOf(service, id)).toEqual(ALL_READY);
    expect((await countRows(service))['kept']).toBe(10);
  });
});
