import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { sql } from 'kysely';
import { test as base, describe, expect } from 'vitest';
import { FORMATS } from '../../src/audio/formats.ts';
import { createInspector } from '../../src/audio/inspector.ts';
import { BlobError, type BlobStore } from '../../src/blobs/blob-store.ts';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';
import { type Database, openDatabase } from '../../src/catalogue/database.ts';
import { announce, takeAbandoned } from '../../src/catalogue/ledger.ts';
import { createLibrary } from '../../src/library/library.ts';
import type { NewPromptDetails } from '../../src/library/prompt.ts';
import { newRecordingName } from '../../src/library/recording-name.ts';
import { scheduleSweeps, sweep as sweepFor } from '../../src/library/sweeper.ts';
import { fixturePath } from '../support/multipart.ts';
import { createDatabase } from '../support/service.ts';

const HOUR = 3_600_000;
const never = new AbortController().signal;
const sweep = (db: Database, blobs: BlobStore) => sweepFor(db, blobs, HOUR);
const viewer = { orgUnitId: 1 };
const details = (name: string): NewPromptDetails => ({
  orgUnitId: 1,
  name,
  messageType: 'prompt',
  recordingFileType: 'uploaded',
  recordingCreatedBy: null,
  description: null,
  originalFilename: null,
});

/** Database, blobs and library without a service, so that nothing sweeps but the test. */
async function openStores() {
  const database = await createDatabase();
  const root = await mkdtemp(join(tmpdir(), 'media-prompts-sweeper-'));
  const address = { connectionString: database.url };
  const db = openDatabase(address, { poolSize: 4, onIdleError: () => undefined });
  const blobs = await createDiskBlobStore(root);
  const inspector = createInspector({ workers: 1 });
  const libraryOn = (store: BlobStore) =>
    createLibrary({
      db,
      blobs: store,
      inspector,
      maxUploadBytes: 1_000_000,
      playbackCacheBytes: 0,
      storageQuotaBytes: 0,
      uploadLeaseMs: HOUR,
      onLeftBehind: (error) => expect.fail(`left behind: ${String(error)}`),
    });
  const arrive = (library: ReturnType<typeof libraryOn>) =>
    library.receive(createReadStream(fixturePath('tone.wav')), never);
  return {
    db,
    blobs,
    inspector,
    library: libraryOn(blobs),
    libraryOn,
    arrive,
    published: join(root, 'call-flow-recordings'),
    staging: join(root, '.arriving'),
    /** Rows of the ledger, as "state name". */
    ledger: async () => {
      const rows = await db.selectFrom('blobs').select(['state', 'name']).orderBy('name').execute();
      return rows.map(({ state, name }) => `${state} ${name}`);
    },
    files: async () => ({
      published: (await readdir(join(root, 'call-flow-recordings'))).sort(),
      arriving: (await readdir(join(root, '.arriving'))).sort(),
    }),
    /** Lets every lease run out. */
    expire: async () => {
      await sql`update blobs set lease_until = now() - interval '1 second' where state <> 'kept'`.execute(db);
    },
    close: async () => {
      await inspector.close();
      await db.destroy();
      await database.drop();
      await rm(root, { recursive: true });
    },
  };
}

const test = base.extend<{ stores: Awaited<ReturnType<typeof openStores>> }>({
  // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
  stores: async ({}, use) => {
    const stores = await openStores();
    await use(stores);
    await stores.close();
  },
});

const NOTHING = { published: [], arriving: [] };

const bytes = () => Readable.from([Buffer.from('bytes')]);

describe('an upload that lost its lease', () => {
  test('loses its staged bytes, then its row', async ({ stores }) => {
    const { db, blobs } = stores;
    await announce(db, ['file-a'], HOUR);
    await blobs.stage('file-a', bytes(), never);
    await stores.expire();
    expect(await sweep(db, blobs)).toBe(1);
    expect(await stores.files()).toEqual(NOTHING);
    expect(await stores.ledger()).toEqual([]);
  });

  for (const { extension } of Object.values(FORMATS)) {
    test(`loses bytes that it had just published as ${extension}`, async ({ stores }) => {
      const { db, blobs } = stores;
      await announce(db, ['file-a'], HOUR);
      await blobs.publish(await blobs.stage('file-a', bytes(), never), `file-a.${extension}`);
      await stores.expire();
      expect(await sweep(db, blobs)).toBe(1);
      expect(await stores.files()).toEqual(NOTHING);
      expect(await stores.ledger()).toEqual([]);
    });
  }

  test('loses its row when it had no bytes yet', async ({ stores }) => {
    await announce(stores.db, ['file-a'], HOUR);
    await stores.expire();
    expect(await sweep(stores.db, stores.blobs)).toBe(1);
    expect(await stores.ledger()).toEqual([]);
  });

  test('cannot be committed any more, and leaves nothing', async ({ stores }) => {
    const received = await stores.arrive(stores.library);
    await stores.expire();
    expect(await stores.library.sweep()).toBe(1);
    await expect(stores.library.add(viewer, received, details('Late'))).rejects.toMatchObject({
      name: 'LibraryError',
      code: 'upload-interrupted',
    });
    expect(await stores.files()).toEqual(NOTHING);
    expect(await stores.ledger()).toEqual([]);
    expect(await stores.library.isEmpty()).toBe(true);
  });

  test('cannot be committed when a sweep came between its publish and its commit', async ({ stores }) => {
    const library = stores.libraryOn({
      ...stores.blobs,
      async publish(staged, key) {
        await stores.blobs.publish(staged, key);
        await stores.expire();
        expect(await sweep(stores.db, stores.blobs)).toBe(1);
      },
    });
    const received = await stores.arrive(library);
    await expect(library.add(viewer, received, details('Late'))).rejects.toMatchObject({
      code: 'upload-interrupted',
    });
    expect(await stores.files()).toEqual(NOTHING);
    expect(await stores.ledger()).toEqual([]);
  });

  test('cannot be committed when a sweeper took its row and has not come to its bytes yet', async ({
    stores,
  }) => {
    const received = await stores.arrive(stores.library);
    await stores.expire();
    expect(await takeAbandoned(stores.db, 10, HOUR)).toEqual([{ name: received.name, extension: null }]);
    await expect(stores.library.add(viewer, received, details('Late'))).rejects.toMatchObject({
      code: 'upload-interrupted',
    });
    await stores.expire();
    await sweep(stores.db, stores.blobs);
    expect(await stores.files()).toEqual(NOTHING);
    expect(await stores.ledger()).toEqual([]);
  });
});

describe('a sweep never touches', () => {
  test('an upload whose lease runs, nor a delete that is under way', async ({ stores }) => {
    const { db, blobs } = stores;
    await announce(db, ['file-a'], HOUR);
    await blobs.stage('file-a', bytes(), never);
    await announce(db, ['file-b'], HOUR);
    await blobs.publish(await blobs.stage('file-b', bytes(), never), 'file-b.wav');
    await db
      .updateTable('blobs')
      .set({ state: 'doomed', extension: 'wav' })
      .where('name', '=', 'file-b')
      .execute();
    expect(await sweep(db, blobs)).toBe(0);
    expect(await stores.files()).toEqual({ published: ['file-b.wav'], arriving: ['file-a'] });
    expect(await stores.ledger()).toEqual(['arriving file-a', 'doomed file-b']);
  });

  test('a prompt', async ({ stores }) => {
    const { library } = stores;
    const prompt = await library.add(viewer, await stores.arrive(library), details('Kept'));
    await stores.expire();
    expect(await library.sweep()).toBe(0);
    expect(await stores.files()).toEqual({ published: [`${prompt.recording.name}.wav`], arriving: [] });
    expect(await stores.ledger()).toEqual([`kept ${prompt.recording.name}`]);
  });

  test('a file that no row names', async ({ stores }) => {
    const { published, staging } = stores;
    const unknown = newRecordingName();
    await writeFile(join(published, `${unknown}.wav`), 'from before the backup');
    await writeFile(join(published, 'README.txt'), 'by hand');
    await writeFile(join(staging, unknown), 'of another database');
    await mkdir(join(published, 'folder'));
    await announce(stores.db, ['file-a'], HOUR);
    await stores.expire();
    expect(await sweep(stores.db, stores.blobs)).toBe(1);
    expect(await stores.files()).toEqual({
      published: ['README.txt', `${unknown}.wav`, 'folder'].sort(),
      arriving: [unknown],
    });
  });
});

describe('a deleted prompt', () => {
  test('loses bytes and row with the sweep when the delete could not remove them', async ({ stores }) => {
    const { db, blobs } = stores;
    const left: unknown[] = [];
    const library = createLibrary({
      db,
      blobs: { ...blobs, remove: () => Promise.reject(new BlobError('unavailable', 'away')) },
      inspector: stores.inspector,
      maxUploadBytes: 1_000_000,
      playbackCacheBytes: 0,
      storageQuotaBytes: 0,
      uploadLeaseMs: HOUR,
      onLeftBehind: (error) => left.push(error),
    });
    const received = await library.receive(createReadStream(fixturePath('tone.wav')), never);
    const prompt = await library.add(viewer, received, details('Doomed'));
    await library.remove(viewer, { id: prompt.id });
    expect(left).toMatchObject([{ code: 'unavailable' }]);
    expect(await stores.ledger()).toEqual([`doomed ${prompt.recording.name}`]);
    expect(await sweep(db, blobs)).toBe(0);
    await stores.expire();
    expect(await sweep(db, blobs)).toBe(1);
    expect(await stores.files()).toEqual(NOTHING);
    expect(await stores.ledger()).toEqual([]);
  });
});

describe('many blobs', () => {
  const NAMES = Array.from({ length: 250 }, (_, i) => `file-${String(i).padStart(3, '0')}`);

  async function abandon({ db, staging, expire }: Awaited<ReturnType<typeof openStores>>) {
    await db
      .insertInto('blobs')
      .values(
        NAMES.map((name) => ({ name, state: 'arriving', lease_until: '2020-01-01T00:00:00.000Z' }) as const),
      )
      .execute();
    await Promise.all(NAMES.map((name) => writeFile(join(staging, name), name)));
    await expire();
  }

  test('go in one sweep, however many batches they are', async ({ stores }) => {
    await abandon(stores);
    expect(await sweep(stores.db, stores.blobs)).toBe(NAMES.length);
    expect(await stores.files()).toEqual(NOTHING);
    expect(await stores.ledger()).toEqual([]);
    expect(await sweep(stores.db, stores.blobs)).toBe(0);
  });

  test('are taken by one of several sweepers each', async ({ stores }) => {
    await abandon(stores);
    const unstaged: string[] = [];
    const watched: BlobStore = {
      ...stores.blobs,
      async unstage(name) {
        unstaged.push(name);
        await stores.blobs.unstage(name);
      },
    };
    const swept = await Promise.all([1, 2, 3].map(() => sweep(stores.db, watched)));
    expect(swept.reduce((sum, count) => sum + count)).toBe(NAMES.length);
    expect(unstaged.sort()).toEqual(NAMES);
    expect(await stores.files()).toEqual(NOTHING);
    expect(await stores.ledger()).toEqual([]);
  });

  test('go, but for the one that cannot be removed, which is tried again', async ({ stores }) => {
    await abandon(stores);
    const stuck = NAMES[7] ?? '';
    const broken: BlobStore = {
      ...stores.blobs,
      unstage: (name) =>
        name === stuck
          ? Promise.reject(new BlobError('unavailable', 'will not go'))
          : stores.blobs.unstage(name),
    };
    // A batch that was not whole ends the sweep; the next one goes on behind it.
    await expect(sweep(stores.db, broken)).rejects.toMatchObject({ code: 'unavailable' });
    await sweep(stores.db, broken);
    expect(await stores.files()).toEqual({ published: [], arriving: [stuck] });
    expect(await stores.ledger()).toEqual([`doomed ${stuck}`]);
    await stores.expire();
    expect(await sweep(stores.db, stores.blobs)).toBe(1);
    expect(await stores.files()).toEqual(NOTHING);
    expect(await stores.ledger()).toEqual([]);
  });

  test('that a sweeper died over are taken by the next one once its hold has run out', async ({ stores }) => {
    await abandon(stores);
    expect(await takeAbandoned(stores.db, 100, HOUR)).toHaveLength(100);
    expect(await sweep(stores.db, stores.blobs)).toBe(150);
    expect((await stores.files()).arriving).toHaveLength(100);
    await stores.expire();
    expect(await sweep(stores.db, stores.blobs)).toBe(100);
    expect(await stores.files()).toEqual(NOTHING);
    expect(await stores.ledger()).toEqual([]);
  });

  test('keep their rows as long as the store is away', async ({ stores }) => {
    await abandon(stores);
    const away: BlobStore = {
      ...stores.blobs,
      unstage: () => Promise.reject(new BlobError('unavailable', 'away')),
    };
    await expect(sweep(stores.db, away)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await stores.ledger()).toHaveLength(NAMES.length);
    await stores.expire();
    expect(await sweep(stores.db, stores.blobs)).toBe(NAMES.length);
  });
});

describe('the schedule', () => {
  const silent = { info: () => undefined, warn: () => undefined };

  base('goes on after a sweep that failed, and says so', async () => {
    let runs = 0;
    const warnings: object[] = [];
    const failure = new Error('away');
    const run = () => {
      runs += 1;
      return runs === 1 ? Promise.reject(failure) : Promise.resolve(0);
    };
    const sweeps = scheduleSweeps(run, 2, { ...silent, warn: (details) => warnings.push(details) });
    await expect.poll(() => runs).toBeGreaterThan(2);
    await sweeps.stop();
    expect(warnings).toEqual([{ err: failure }]);
  });

  base('runs one sweep at a time', async () => {
    let running = 0;
    let most = 0;
    let runs = 0;
    const run = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      runs += 1;
      return 0;
    };
    const sweeps = scheduleSweeps(run, 1, silent);
    await expect.poll(() => runs).toBeGreaterThan(10);
    await sweeps.stop();
    expect(most).toBe(1);
  });

  base('is over when stop resolves, the sweep under way included', async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    let runs = 0;
    const sweeps = scheduleSweeps(
      () => {
        runs += 1;
        return promise;
      },
      1,
      silent,
    );
    let isStopped = false;
    const stopping = sweeps.stop().then(() => {
      isStopped = true;
    });
    await new Promise((turn) => setImmediate(turn));
    expect(isStopped).toBe(false);
    resolve(0);
    await stopping;
    expect(runs).toBe(1);
  });
});
