import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { openCatalogue, shareCatalogue } from '../../src/catalogue/open-catalogue.ts';
import { createLog } from '../../src/log.ts';

const log = createLog('silent', { write: () => undefined });

test('an embedded server has room for the connections of every process, and they find it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const choice = { kind: 'embedded', directory: join(folder, 'database') } as const;
  const owner = await openCatalogue({ choice, poolSize: 1, connectionsOfOthers: 150, log });
  onTestFinished(() => owner.close());
  const other = shareCatalogue({ address: owner.address, poolSize: 150, log });
  onTestFinished(() => other.close());
  const answers = await Promise.all(
    Array.from({ length: 150 }, () => sql<{ one: number }>`select 1 as one`.execute(other.db)),
  );
  expect(answers.map(({ rows }) => rows[0]?.one)).toEqual(Array.from({ length: 150 }, () => 1));
  const { rows } = await sql<{ most: string }>`select current_setting('max_connections') as most`.execute(
    owner.db,
  );
  expect(Number(rows[0]?.most)).toBeGreaterThanOrEqual(151);
}, 60_000);
