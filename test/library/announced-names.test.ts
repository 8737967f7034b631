import { sql } from 'kysely';
import { test as base, describe, expect, onTestFinished, vi } from 'vitest';
import { type Database, openDatabase } from '../../src/catalogue/database.ts';
import { type AnnouncedNames, createAnnouncedNames } from '../../src/library/announced-names.ts';
import { createDatabase } from '../support/service.ts';

const LEASE = 60_000;
/** As many as can be ahead, and half of it again. */
const CROWD = 24;

interface Stores {
  readonly db: Database;
  readonly names: AnnouncedNames;
  /** What the ledger knows, and for how many seconds from now each lease lasts. */
  ledger(): Promise<readonly { readonly name: string; readonly state: string; readonly seconds: number }[]>;
}

const test = base.extend<{ stores: Stores }>({
  // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
  stores: async ({}, use) => {
    const database = await createDatabase();
    const db = openDatabase(
      { connectionString: database.url },
      { poolSize: 4, onIdleError: () => undefined },
    );
    const onLeftBehind = (error: unknown) => expect.fail(`left behind: ${String(error)}`);
    const names = createAnnouncedNames({ db, uploadLeaseMs: LEASE, onLeftBehind });
    await use({
      db,
      names,
      ledger: async () =>
        await db
          .selectFrom('blobs')
          .select([
            'name',
            'state',
            sql<number>`extract(epoch from lease_until - now())::float8`.as('seconds'),
          ])
          .execute(),
    });
    await names.close();
    await db.destroy();
    await database.drop();
  },
});

const crowd = ({ names }: Stores, count = CROWD) =>
  Promise.all(Array.from({ length: count }, () => names.take()));

describe('a name', () => {
  test('is in the ledger before anybody has it, with a whole lease', async ({ stores }) => {
    const name = await stores.names.take();
    const [row] = await stores.ledger();
    expect(row).toMatchObject({ name, state: 'arriving' });
    expect(row?.seconds).toBeGreaterThan(LEASE / 1000 - 5);
  });

  test('that is asked for after the other is the only one: nothing is announced ahead', async ({
    stores,
  }) => {
    const taken = [await stores.names.take(), await stores.names.take(), await stores.names.take()];
    expect((await stores.ledger()).map(({ name }) => name).sort()).toEqual(taken.sort());
  });

  test('is nobody else’s, however many ask at once, and each is in the ledger', async ({ stores }) => {
    const taken = [...(await crowd(stores)), ...(await crowd(stores)), ...(await crowd(stores))];
    expect(new Set(taken).size).toBe(3 * CROWD);
    const known = new Set((await stores.ledger()).map(({ name }) => name));
    expect(taken.filter((name) => !known.has(name))).toEqual([]);
  });

  test('is struck when it is given back, and no other is', async ({ stores }) => {
    const kept = await stores.names.take();
    await stores.names.giveBack(await stores.names.take());
    expect((await stores.ledger()).map(({ name }) => name)).toEqual([kept]);
  });
});

describe('names that are announced ahead', () => {
  /** A crowd, and then the names that are ahead of who comes next. */
  async function withSome(stores: Stores) {
    const taken = new Set(await crowd(stores));
    await expect.poll(async () => (await stores.ledger()).length).toBeGreaterThan(CROWD);
    return { taken, ahead: (await stores.ledger()).filter(({ name }) => !taken.has(name)) };
  }

  test('are few, wait with a longer lease than an upload has, and are what is taken next', async ({
    stores,
  }) => {
    const { ahead } = await withSome(stores);
    expect(ahead.length).toBeLessThanOrEqual(16);
    expect(ahead.every(({ seconds }) => seconds > LEASE / 1000)).toBe(true);
    expect(ahead.map(({ name }) => name)).toContain(await stores.names.take());
  });

  test('need no ledger to be taken', async ({ stores }) => {
    const { ahead } = await withSome(stores);
    await stores.db.schema.alterTable('blobs').renameTo('away').execute();
    expect(ahead.map(({ name }) => name)).toContain(await stores.names.take());
    await stores.db.schema.alterTable('away').renameTo('blobs').execute();
  });

  test('are struck once nobody came for them, and not taken any more', async ({ stores }) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { taken, ahead } = await withSome(stores);
    vi.advanceTimersByTime(1_001);
    const next = await stores.names.take();
    expect(ahead.map(({ name }) => name)).not.toContain(next);
    await expect.poll(async () => (await stores.ledger()).length).toBe(taken.size + 1);
  });

  test('are not taken any more once they have waited, though a busy process has not struck them yet', async ({
    stores,
  }) => {
    // The clock goes on, and no timer is heard.
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { ahead } = await withSome(stores);
    vi.advanceTimersByTime(1_001);
    expect(ahead.map(({ name }) => name)).not.toContain(await stores.names.take());
  });

  test('are struck when the service ends, and no more are announced', async ({ stores }) => {
    const taken = await crowd(stores);
    await stores.names.close();
    expect((await stores.ledger()).map(({ name }) => name).sort()).toEqual(taken.sort());
  });
});

test('a name that cannot be announced is nobody’s, and the next one is when it can', async ({ stores }) => {
  const { db, names } = stores;
  await db.schema.alterTable('blobs').renameTo('away').execute();
  const refused = await Promise.allSettled(Array.from({ length: CROWD }, () => names.take()));
  expect(refused.every(({ status }) => status === 'rejected')).toBe(true);
  await db.schema.alterTable('away').renameTo('blobs').execute();
  const name = await names.take();
  expect((await stores.ledger()).map((row) => row.name)).toContain(name);
});
