import { randomInt } from 'node:crypto';
import { rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BlobError, type BlobStore } from '../../src/blobs/blob-store.ts';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';
import { announce } from '../../src/catalogue/ledger.ts';
import { ADVICE, type Finding, isFault } from '../../src/library/findings.ts';
import { newRecordingName } from '../../src/library/recording-name.ts';
import { noProgress, repair, verify } from '../../src/library/verify.ts';
import { promptForm } from '../support/multipart.ts';
import { startService, type TestService, type WirePrompt } from '../support/service.ts';

/** A service with what `verify` is given: its database and its blobs. */
async function open() {
  // No sweep comes between.
  const service = await startService({ UPLOAD_LEASE_SECONDS: '3600' });
  onTestFinished(() => service.close());
  const blobs = await createDiskBlobStore(join(service.dataDir, 'uploads'));
  const published = join(service.dataDir, 'uploads/call-flow-recordings');
  return { service, blobs, published, staging: join(service.dataDir, 'uploads/.arriving') };
}

async function upload(service: TestService, name: string): Promise<WirePrompt & { readonly key: string }> {
  const { status, body } = await service.upload(promptForm(name));
  expect(status).toBe(201);
  return { ...body.data, key: body.data.url.slice(body.data.url.lastIndexOf('/') + 1) };
}

async function findings(
  { service, blobs }: { service: TestService; blobs: BlobStore },
  deep = false,
): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for await (const finding of verify(service.db, blobs, { deep })) found.push(finding);
  return found;
}

describe('verify', () => {
  test('finds nothing in a library that is as it should be, and counts what it saw', async () => {
    const { service, blobs } = await open();
    const { file_size: size } = await upload(service, 'Fine');
    const progress = noProgress();
    for await (const finding of verify(service.db, blobs, { deep: true, progress })) {
      expect.fail(JSON.stringify(finding));
    }
    expect(progress).toEqual({ recordings: 1, renditions: 0, bytesRead: size, ledgerRows: 1, files: 1 });
  });

  test('finds a prompt whose audio is missing or of another size', async () => {
    const library = await open();
    const gone = await upload(library.service, 'Gone');
    const cut = await upload(library.service, 'Cut');
    await unlink(join(library.published, gone.key));
    await truncate(join(library.published, cut.key), 100);
    expect(await findings(library)).toEqual([
      {
        kind: 'missing',
        subject: gone.key,
        detail: `${gone['file_size']} bytes expected`,
        promptId: gone.media_prompt_id,
      },
      {
        kind: 'wrong-size',
        subject: cut.key,
        detail: `${cut['file_size']} bytes expected, 100 found`,
        promptId: cut.media_prompt_id,
      },
    ]);
  });

  test('finds other bytes of the same size when it is deep, and only then', async () => {
    const library = await open();
    const { key, file_size: size } = await upload(library.service, 'Damaged');
    await writeFile(join(library.published, key), Buffer.alloc(Number(size)));
    expect(await findings(library)).toEqual([]);
    expect(await findings(library, true)).toMatchObject([{ kind: 'damaged', subject: key }]);
  });

  test('goes on after a file that cannot be read, and ends when the store is away', async () => {
    const library = await open();
    const bad = await upload(library.service, 'Bad');
    await upload(library.service, 'Good');
    let isAway = false;
    const away = () => Promise.reject(new BlobError('unavailable', 'away', { cause: new Error('EIO') }));
    const broken: BlobStore = {
      ...library.blobs,
      open: (key) => (key === bad.key ? away() : library.blobs.open(key)),
      checkReading: () => (isAway ? away() : library.blobs.checkReading()),
    };
    const found = await findings({ ...library, blobs: broken });
    expect(found).toMatchObject([{ kind: 'unreadable', subject: bad.key, detail: 'EIO' }]);
    isAway = true;
    await expect(findings({ ...library, blobs: broken })).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('finds rows of the ledger that nobody stands behind, and one that would cost a recording', async () => {
    const library = await open();
    const { service } = library;
    const endangered = await upload(service, 'Endangered');
    const names = Array.from({ length: 4 }, newRecordingName).sort();
    const [kept = '', old = '', fresh = '', dueJustNow = ''] = names;
    for (const name of names) await announce(service.db, [name], 3_600_000);
    await service.rows(
      `update blobs set state = 'doomed', lease_until = now() + interval '1 hour' where name = $1`,
      [endangered.recording_name],
    );
    await service.rows(
      `update blobs set state = 'kept', extension = 'wav', lease_until = null where name = $1`,
      [kept],
    );
    await service.rows(`update blobs set lease_until = now() - interval '1 hour' where name = $1`, [old]);
    await service.rows(`update blobs set lease_until = now() where name = $1`, [dueJustNow]);
    const found = await findings(library);
    expect(found.map(({ kind, subject }) => ({ kind, subject }))).toEqual([
      { kind: 'unprotected', subject: endangered.key },
      { kind: 'unclaimed', subject: kept },
      { kind: 'overdue', subject: old },
    ]);
    expect(found.map(isFault)).toEqual([true, true, false]);
    expect(JSON.stringify(found)).not.toContain(fresh);
  });

  test('names files that the ledger does not know, published or staged, as no fault', async () => {
    const library = await open();
    const { recording_name: known } = await upload(library.service, 'Known');
    await writeFile(join(library.published, 'stranger.wav'), 'abc');
    await writeFile(join(library.published, 'without-a-dot'), '');
    await writeFile(join(library.published, `${known}.bak`), 'abcd');
    await writeFile(join(library.staging, 'file-1-2'), 'ab');
    const found = await findings(library);
    expect(new Set(found)).toEqual(
      new Set([
        { kind: 'unknown', subject: 'stranger.wav', detail: '3 bytes' },
        { kind: 'unknown', subject: 'without-a-dot', detail: '0 bytes' },
        { kind: 'unknown', subject: `${known}.bak`, detail: '4 bytes' },
        { kind: 'unknown', subject: 'file-1-2', detail: '2 bytes of an upload' },
      ]),
    );
    expect(found.some(isFault)).toBe(false);
  });

  test('finds a counter that is wrong', async () => {
    const library = await open();
    await upload(library.service, 'Counted');
    await library.service.rows('update org_unit_usage set prompts = prompts + 2');
    const [finding, ...others] = await findings(library);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ kind: 'miscounted', subject: 'org unit 1, prompt' });
    expect(finding?.detail).toMatch(/^1 prompts of \d+ bytes expected, 3 of \d+ counted$/);
  });

  test('walks more rows and files than it fetches at once', async () => {
    const library = await open();
    const count = 1203;
    await library.service.rows(`
      with b as (
        insert into blobs (name, state, extension)
        select 'file-1-' || lpad(i::text, 5, '0'), 'kept', 'wav' from generate_series(1, ${count}) i returning name
      ), r as (
        insert into recordings (blob_name, file_size, sha256, container, codec)
        select name, 3, 'x', 'wav', 'pcm' from b returning id
      )
      insert into prompts (uuid, org_unit_id, name, name_key, message_type, recording_id, recording_file_type)
      select gen_random_uuid(), 1, id::text, id::text, 'prompt', id, 'uploaded' from r`);
    const lost = new Set([1, 500, 501, 1000, 1001, count]);
    for (let i = 1; i <= count; i += 1) {
      const key = `file-1-${String(i).padStart(5, '0')}.wav`;
      if (!lost.has(i)) await writeFile(join(library.published, key), 'abc');
    }
    const progress = noProgress();
    const found: string[] = [];
    for await (const finding of verify(library.service.db, library.blobs, { deep: false, progress })) {
      if (finding.kind !== 'miscounted') found.push(finding.subject);
    }
    expect(found).toEqual([...lost].map((i) => `file-1-${String(i).padStart(5, '0')}.wav`));
    expect(progress).toMatchObject({ recordings: count, ledgerRows: count, files: count - lost.size });
  });

  test('says of each kind what to do', () => {
    for (const advice of Object.values(ADVICE)) expect(advice).toMatch(/^[A-Z].*\.$/);
  });

  test('reports nothing while prompts come and go', async () => {
    const seed = randomInt(1_000_000);
    const library = await open();
    const { service } = library;
    let isOver = false;
    let moves = 0;
    const clients = Array.from({ length: 4 }, async (_, client) => {
      for (let i = 0; !isOver; i += 1) {
        const { media_prompt_id: id } = await upload(service, `Storm ${seed} ${client} ${i}`);
        if ((i + client + seed) % 4 !== 0) await service.call('DELETE', `/v3/media-prompts/${id}`);
        moves += 1;
      }
    });
    for (let round = 0; round < 25 || moves < 60; round += 1) {
      expect(await findings(library, round % 2 === 0), `seed ${seed}`).toEqual([]);
    }
    isOver = true;
    await Promise.all(clients);
    expect(await findings(library, true)).toEqual([]);
  });
});

describe('what verify suspects is looked at again', () => {
  test('a recording that is deleted between its row and its file is not reported', async () => {
    const library = await open();
    const { media_prompt_id: id, key } = await upload(library.service, 'Leaves');
    const slow: BlobStore = {
      ...library.blobs,
      async open(wanted) {
        if (wanted === key) await library.service.call('DELETE', `/v3/media-prompts/${id}`);
        return await library.blobs.open(wanted);
      },
    };
    expect(await findings({ ...library, blobs: slow })).toEqual([]);
  });

  test('a file that is removed between the listing and the ledger is not reported', async () => {
    const library = await open();
    const { media_prompt_id: id } = await upload(library.service, 'Listed');
    await writeFile(join(library.staging, 'file-1-2'), 'ab');
    const slow: BlobStore = {
      ...library.blobs,
      async *list() {
        for await (const blob of library.blobs.list()) {
          await library.service.call('DELETE', `/v3/media-prompts/${id}`);
          yield blob;
        }
      },
      async *listStaged() {
        for await (const blob of library.blobs.listStaged()) {
          await rm(join(library.staging, 'file-1-2'));
          yield blob;
        }
      },
    };
    expect(await findings({ ...library, blobs: slow })).toEqual([]);
  });
});

describe('repair', () => {
  test('removes what the ledger says is over, counts again, and leaves all else', async () => {
    const library = await open();
    const { service, blobs, published, staging } = library;
    const kept = await upload(service, 'Kept');
    const [staged, late] = [newRecordingName(), newRecordingName()];
    await announce(service.db, [staged], 1);
    await writeFile(join(staging, staged), 'abc');
    await announce(service.db, [late], 3_600_000);
    await writeFile(join(staging, late), 'abc');
    await writeFile(join(published, 'stranger.wav'), 'abc');
    await service.rows(`update blobs set lease_until = now() - interval '1 hour' where name = $1`, [staged]);
    await service.rows('update org_unit_usage set bytes = 0');
    expect(await repair(service.db, blobs, 3_600_000)).toEqual({ swept: 1, recounted: 1, forgotten: 0 });
    expect(await service.files()).toEqual({ published: [kept.key, 'stranger.wav'], arriving: [late] });
    expect(await findings(library, true)).toEqual([
      { kind: 'unknown', subject: 'stranger.wav', detail: '3 bytes' },
    ]);
    expect(await repair(service.db, blobs, 3_600_000)).toEqual({ swept: 0, recounted: 0, forgotten: 0 });
  });

  test('does not touch a prompt without its audio', async () => {
    const library = await open();
    const { key, media_prompt_id: id } = await upload(library.service, 'Lost');
    await unlink(join(library.published, key));
    await repair(library.service.db, library.blobs, 3_600_000);
    expect(await findings(library)).toMatchObject([{ kind: 'missing', promptId: id }]);
    expect((await library.service.get(`/v3/media-prompts/${id}`)).status).toBe(200);
  });
});
