import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { openCatalogue, shareCatalogue } from '../../src/catalogue/open-catalogue.ts';
import { createLog } from '../../src/log.ts';

/** Connections opened at once. */
const WAVE = 10;

const log = createLog('silent', { write: () => undefined });

test('an embedded server has room for the connections of every process, and they find it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const choice = { kind: 'embedded', directory: join(folder, 'database') } as const;
  const owner = await openCatalogue({ choice, poolSize: 1, connectionsOfOthers: 150, log });
  onTestFinished(() => owner.close());
  const other = shareCatalogue({ address: owner.address, poolSize: 150, log });
  onTestFinished(() => other.close());
  const { promise: allThere, resolve: letGo } = Promise.withResolvers<void>();
  const holding: Promise<void>[] = [];
  // Some at a time: how fast a machine greets a crowd is another matter.
  for (let wave = 0; wave < 150 / WAVE; wave += 1) {
    const answered = Array.from({ length: WAVE }, () => {
      const { promise, resolve } = Promise.withResolvers<number | undefined>();
      const hold = other.db.connection().execute(async (connection) => {
        resolve((await sql<{ one: number }>`select 1 as one`.execute(connection)).rows[0]?.one);
        await allThere;
      });
      holding.push(hold);
      return Promise.race([promise, hold.then(() => undefined)]);
    });
    expect(await Promise.all(answered)).toEqual(Array.from({ length: WAVE }, () => 1));
  }
  letGo();
  await Promise.all(holding);
  const { rows } = await sql<{ most: string }>`select current_setting('max_connections') as most`.execute(
    owner.db,
  );
  expect(Number(rows[0]?.most)).toBeGreaterThanOrEqual(151);
}, 60_000);
