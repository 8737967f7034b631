import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { addPrompt } from '../../src/catalogue/add-prompt.ts';
import { openDatabase } from '../../src/catalogue/database.ts';
import { announce } from '../../src/catalogue/ledger.ts';
import { listUsage } from '../../src/catalogue/usage.ts';
import { isPooled } from '../support/database-server.ts';
import { createDatabase } from '../support/service.ts';

/** More than PostgreSQL plans anew before it thinks of keeping a plan. */
const TIMES = 12;

// Who shares sessions cannot keep anything in them.
const WAYS = isPooled ? [false] : [true, false];

test.each(WAYS)('uploads are the same where plans are kept: %s', async (keepsPlans) => {
  const { url, drop } = await createDatabase();
  onTestFinished(drop);
  const db = openDatabase(
    { connectionString: url },
    { poolSize: 1, keepsPlans, onIdleError: () => undefined },
  );
  onTestFinished(() => db.destroy());
  for (let i = 1; i <= TIMES; i += 1) {
    const name = randomUUID();
    await announce(db, [name], 60_000);
    const added = await addPrompt(
      db,
      {
        uuid: randomUUID(),
        orgUnitId: 1,
        name,
        nameKey: name,
        messageType: i % 2 === 0 ? 'prompt' : 'whisper',
        recordingFileType: 'uploaded',
        recordingCreatedBy: i % 3 === 0 ? null : i,
        description: null,
        blobName: name,
        originalFilename: null,
        fileSize: i,
        sha256: '0',
        container: 'wav',
        codec: 'pcm_s16le',
        sampleRate: 8000,
        channels: 1,
        durationMs: 100,
        extension: 'wav',
        wantsRenditions: false,
      },
      0,
    );
    expect(added).toMatchObject({ id: i });
  }
  const [usage] = await listUsage(db, 0, undefined);
  expect(usage).toMatchObject({ prompts: TIMES, bytes: (TIMES * (TIMES + 1)) / 2 });
  const kept = await sql<{ name: string }>`select name from pg_prepared_statements`.execute(db);
  expect(kept.rows.length > 0).toBe(keepsPlans);
});
