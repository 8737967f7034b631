import { randomUUID } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { finishJob } from '../../src/catalogue/finish-rendition-job.ts';
import { addOrgUnit } from '../../src/catalogue/org-units.ts';
import { claimJob, hurryJob, postponeJob, queueMissing } from '../../src/catalogue/rendition-jobs.ts';
import { forgetRendition } from '../../src/catalogue/renditions.ts';
import { inDatabase } from '../support/database-server.ts';
import { promptForm } from '../support/multipart.ts';
import { uploadPrompt } from '../support/rendering.ts';
import { startService, type TestService } from '../support/service.ts';

const LEASE = 60_000;

async function start(): Promise<TestService> {
  const service = await startService({ RENDITION_ENGINE: 'off' });
  onTestFinished(() => service.close());
  return service;
}

async function unitsOf(service: TestService, prompts: readonly number[]): Promise<void> {
  for (const [place, count] of prompts.entries()) {
    const unit = await addOrgUnit(service.db, { name: `unit ${place}`, parentId: 1 });
    for (let i = 0; i < count; i += 1) {
      const form = promptForm(`${place} ${i}`, { org_unit_id: String(unit?.id) });
      expect((await service.upload(form)).status).toBe(201);
    }
  }
}

async function turns(service: TestService): Promise<readonly string[]> {
  const names: string[] = [];
  for (let afterUnit = 0; ; ) {
    const job = await claimJob(service.db, { holder: randomUUID(), leaseMs: LEASE, afterUnit });
    if (job === undefined) return names;
    afterUnit = job.orgUnitId;
    const [row] = await service.rows<{ name: string }>(
      'select p.name from prompts p where p.recording_id = $1',
      [job.recordingId],
    );
    names.push(row?.name ?? 'none');
  }
}

describe('the queue', () => {
  test('lets org units take turns, however much one of them has, and who is waited for goes first', async () => {
    const service = await start();
    await unitsOf(service, [4, 1, 2]);
    const [{ last } = { last: 0 }] = await service.rows<{ last: number }>(
      'select max(id)::int as last from recordings',
    );
    expect(await queueMissing(service.db, { after: 0, limit: 100, recipe: 1 })).toEqual({ last, queued: 7 });
    const [{ name } = { name: '' }] = await service.rows<{ name: string }>(
      "select r.blob_name as name from prompts p join recordings r on r.id = p.recording_id where p.name = '0 3'",
    );
    expect(await hurryJob(service.db, name)).toBe(true);
    expect(await turns(service)).toEqual(['0 3', '1 0', '2 0', '0 0', '2 1', '0 1', '0 2']);
  });

  test('gives a job to one of many who ask at once', async () => {
    const service = await start();
    await uploadPrompt(service, 'One');
    await queueMissing(service.db, { after: 0, limit: 100, recipe: 1 });
    const claims = await Promise.all(
      Array.from({ length: 10 }, () =>
        claimJob(service.db, { holder: randomUUID(), leaseMs: LEASE, afterUnit: 0 }),
      ),
    );
    expect(claims.filter((job) => job !== undefined)).toHaveLength(1);
  });

  test('holds nothing that is complete, and fills in what a later recipe asks for', async () => {
    const service = await start();
    await uploadPrompt(service, 'One');
    const queued = async (recipe: number) =>
      (await queueMissing(service.db, { after: 0, limit: 100, recipe }))?.queued;
    expect([await queued(1), await queued(1)]).toEqual([1, 0]);
    const holder = randomUUID();
    const job = await claimJob(service.db, { holder, leaseMs: LEASE, afterUnit: 0 });
    if (job === undefined) throw new Error('no job');
    expect(await finishJob(service.db, { ...NOTHING, recordingId: job.recordingId, holder })).toBe(true);
    expect([await queued(1), await queued(2)]).toEqual([0, 1]);
  });

  test('keeps what was measured when a later rendition turns out to be impossible', async () => {
    const service = await start();
    await uploadPrompt(service, 'One');
    await queueMissing(service.db, { after: 0, limit: 100, recipe: 1 });
    await service.rows(`insert into audio_reports (recording_id, recipe, loudness_lufs, warnings, peaks)
      select id, 0, -20, '[]', '\\x0102' from recordings`);
    const holder = randomUUID();
    const job = await claimJob(service.db, { holder, leaseMs: LEASE, afterUnit: 0 });
    if (job === undefined) throw new Error('no job');
    expect(await finishJob(service.db, { ...NOTHING, recordingId: job.recordingId, holder })).toBe(true);
    expect(
      await service.rows("select recipe, loudness_lufs, encode(peaks, 'hex') as peaks from audio_reports"),
    ).toEqual([{ recipe: 1, loudness_lufs: -20, peaks: '0102' }]);
  });

  test('takes nothing from who no longer holds the job', async () => {
    const service = await start();
    await uploadPrompt(service, 'One');
    await queueMissing(service.db, { after: 0, limit: 100, recipe: 1 });
    const [first, second] = [randomUUID(), randomUUID()];
    const job = await claimJob(service.db, { holder: first, leaseMs: 0, afterUnit: 0 });
    if (job === undefined) throw new Error('no job');
    await claimJob(service.db, { holder: second, leaseMs: LEASE, afterUnit: 0 });
    await postponeJob(service.db, job.recordingId, first, { pauseMs: 0 });
    expect(await finishJob(service.db, { ...NOTHING, recordingId: job.recordingId, holder: first })).toBe(
      false,
    );
    expect(await service.rows('select holder from rendition_jobs')).toEqual([{ holder: second }]);
    expect(await service.rows('select * from renditions')).toEqual([]);
  });
});

const NOTHING = {
  recipe: 1,
  made: [],
  failed: [{ kind: 'mp3', reason: 'It cannot be made.' }],
  report: {
    loudnessLufs: null,
    truePeakDbtp: null,
    leadingSilenceMs: null,
    trailingSilenceMs: null,
    decodedDurationMs: null,
    warnings: [],
  },
  peaks: null,
};

/** Runs `work` while a connection of its own has done `statements` in a transaction, which ends once somebody waits for it. */
async function beside(
  service: TestService,
  statements: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  const { pathname } = new URL(service.databaseUrl);
  await inDatabase(service.databaseUrl, pathname.slice(1), async (client) => {
    await client.query('begin');
    for (const statement of statements) await client.query(statement);
    const working = work();
    const waiting =
      "select count(*)::int as count from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    // In a transaction one keeps seeing the sessions that there were at the first look.
    await expect.poll(() => service.rows(waiting)).toEqual([{ count: 1 }]);
    await client.query('commit');
    await working;
  });
}

const DELETE = ['delete from prompts', 'delete from recordings'];

test('who asks for a rendition of a prompt that is being deleted finds none', async () => {
  const service = await start();
  const { name } = await uploadPrompt(service, 'One');
  await beside(service, DELETE, async () => expect(await hurryJob(service.db, name)).toBe(false));
});

test('a prompt that is being deleted is not queued', async () => {
  const service = await start();
  await uploadPrompt(service, 'One');
  await beside(service, DELETE, async () => {
    await queueMissing(service.db, { after: 0, limit: 100, recipe: 1 });
  });
  expect(await service.rows('select * from rendition_jobs')).toEqual([]);
});

test('a rendition that is forgotten while its recording is worked at is queued anew', async () => {
  const service = await start();
  await uploadPrompt(service, 'One');
  await service.rows("insert into blobs (name, state, extension) values ('a rendition', 'kept', 'mp3')");
  await service.rows(`insert into renditions (recording_id, kind, state, blob_name, sha256)
    select id, 'mp3', 'ready', 'a rendition', 'abc' from recordings`);
  await queueMissing(service.db, { after: 0, limit: 100, recipe: 1 });
  const holder = randomUUID();
  const job = await claimJob(service.db, { holder, leaseMs: LEASE, afterUnit: 0 });
  if (job === undefined) throw new Error('no job');
  expect(await forgetRendition(service.db, 'a rendition', LEASE)).toBe(true);
  expect(await finishJob(service.db, { ...NOTHING, failed: [], recordingId: job.recordingId, holder })).toBe(
    false,
  );
  expect(await claimJob(service.db, { holder, leaseMs: LEASE, afterUnit: 0 })).toMatchObject({
    settledKinds: [],
  });
});

test('a delete takes along a rendition that is committed while it runs', async () => {
  const service = await start();
  const { id } = await uploadPrompt(service, 'One');
  const commit = [
    "insert into blobs (name, state, extension) values ('a rendition', 'kept', 'mp3')",
    // Holds the recording as the commit of a rendition does.
    `insert into renditions (recording_id, kind, state, blob_name, sha256)
       select id, 'mp3', 'ready', 'a rendition', 'abc' from recordings`,
  ];
  await beside(service, commit, async () => {
    expect((await service.call('DELETE', `/v3/media-prompts/${id}`)).status).toBe(200);
  });
  expect(await service.rows('select name from blobs')).toEqual([]);
  expect(await service.rows('select kind from renditions')).toEqual([]);
});
