import { readFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { noise } from '../support/wav.ts';
import { audit } from './audit.ts';
import { type Book, createBook, type Fate } from './book.ts';
import { createAsk, formOf, V3 } from './http.ts';
import { isShort } from './scale.ts';
import { databaseOf, makeFolder, newDataDir, runUntilKilled, type Service, startService } from './service.ts';

/** Sweeps come sooner. */
const env = { UPLOAD_LEASE_SECONDS: '1' };
/** Three blocks of what is written at once. */
const LONG = noise(700_000, 1);
const TEXT = Buffer.from('no audio at all');

let template: Promise<string> | undefined;
afterAll(async () => {
  if (template !== undefined) await rm(await template, { recursive: true, force: true });
});

/** A first start, which makes the cluster, is the same for all. */
async function makeTemplate(): Promise<string> {
  const folder = await makeFolder();
  await (await startService(folder)).end('SIGTERM');
  return folder;
}

async function newStartedDataDir(): Promise<string> {
  template ??= makeTemplate();
  const dataDir = await newDataDir();
  await cp(await template, dataDir, { recursive: true, preserveTimestamps: true });
  return dataDir;
}

interface Case {
  readonly step: string;
  /** What must be true of the upload or the prompt after a kill there. */
  readonly fate: Fate;
}

/** Sends an upload and notes what came back, if anything did. */
async function upload(service: Service, book: Book, name: string, content: Buffer): Promise<void> {
  const ask = createAsk(service.base);
  book.uploading(name, 'v3', content);
  book.uploaded(name, await ask.upload(V3, formOf('v3', name, content)).catch(() => undefined));
  ask.close();
}

async function remove(service: Service, book: Book, name: string): Promise<void> {
  const ask = createAsk(service.base);
  const { fate, id } = book.get(name) ?? { fate: 'either', id: '' };
  book.deleting(name);
  book.deleted(name, fate, await ask('DELETE', `${V3}/${id}`).catch(() => undefined));
  ask.close();
}

/** No answer came, so the book takes either; here it is known which. */
function demand(book: Book, name: string, fate: Fate): void {
  const entry = book.get(name);
  if (entry !== undefined) book.entries.set(name, { ...entry, fate });
}

/** Starts again as after any crash, and holds everything against the book: at once and when all is swept. */
async function recover(dataDir: string, book: Book): Promise<void> {
  const service = await startService(dataDir, { env });
  await audit(service, book);
  await audit(service, book, { isSettled: true, isWhole: true });
  await service.end('SIGTERM');
}

/** All nine, once the lease of whoever was killed is over. */
async function untilRendered(service: Service): Promise<void> {
  const client = new pg.Client({ connectionString: await databaseOf(service) });
  await client.connect();
  try {
    const ready = "select count(*)::int as ready from renditions where state = 'ready'";
    await expect
      .poll(async () => (await client.query(ready)).rows, { timeout: 60_000, interval: 100 })
      .toEqual([{ ready: 9 }]);
  } finally {
    await client.end();
  }
}

const uploads: readonly Case[] = [
  { step: 'announced', fate: 'gone' },
  { step: 'staging-opened', fate: 'gone' },
  { step: 'block-written', fate: 'gone' },
  { step: 'block-written:2', fate: 'gone' },
  { step: 'staged-synced', fate: 'gone' },
  { step: 'inspected', fate: 'gone' },
  { step: 'published', fate: 'gone' },
  { step: 'folder-synced', fate: 'gone' },
  { step: 'committing', fate: 'gone' },
  { step: 'committed', fate: 'there' },
];
const badAudio = ['unstaged', 'struck'];
const takenName = ['bytes-removed', 'struck'];
const deletes = ['delete-committed', 'bytes-removed', 'struck'];
const renditions = ['renditions-claimed', 'renditions-made', 'renditions-published', 'renditions-committed'];
/** Where the first kill leaves something for the sweeper, and where the second one stops the sweeper. */
const sweeps = [
  { left: 'block-written', step: 'sweep-took' },
  { left: 'block-written', step: 'unstaged' },
  { left: 'block-written', step: 'struck' },
  { left: 'published', step: 'sweep-took' },
  { left: 'published', step: 'bytes-removed' },
  { left: 'published', step: 'struck' },
  { left: 'delete-committed', step: 'sweep-took' },
  { left: 'delete-committed', step: 'bytes-removed' },
  { left: 'delete-committed', step: 'struck' },
];

test('every step that the service names is one that it is killed at', () => {
  const source = readFileSync(new URL('../../src/steps.ts', import.meta.url), 'utf8');
  const named = [...source.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, step]) => step);
  const tried = [...uploads.map(({ step }) => step), ...badAudio, ...takenName, ...deletes, ...renditions];
  expect(new Set(named)).toEqual(
    new Set([...tried, ...sweeps.map(({ step }) => step)].map((step) => step.split(':')[0])),
  );
});

describe('a kill -9 at a step of', () => {
  test.each(uploads)('an upload, $step: it is $fate', async ({ step, fate }) => {
    const dataDir = await newStartedDataDir();
    const book = createBook();
    await runUntilKilled(dataDir, { env, killAtStep: step }, async (service) => {
      await upload(service, book, step, LONG);
    });
    demand(book, step, fate);
    await recover(dataDir, book);
  });

  test.each(badAudio)('the refusal of bad audio, %s: nothing is left', async (step) => {
    const dataDir = await newStartedDataDir();
    const book = createBook();
    await runUntilKilled(dataDir, { env, killAtStep: step }, (service) => upload(service, book, step, TEXT));
    demand(book, step, 'gone');
    await recover(dataDir, book);
  });

  test.each(takenName)('the refusal of a taken name, %s: nothing is left', async (step) => {
    const dataDir = await newStartedDataDir();
    const book = createBook();
    await runUntilKilled(dataDir, { env, killAtStep: step }, async (service) => {
      await upload(service, book, 'taken', LONG);
      const ask = createAsk(service.base);
      // The same name with other bytes: what is kept must stay the first.
      await ask.upload(V3, formOf('v3', 'taken', noise(5_000, 2))).finally(ask.close);
    });
    await recover(dataDir, book);
  });

  test.each(deletes)('a delete, %s: it is gone', async (step) => {
    const dataDir = await newStartedDataDir();
    const book = createBook();
    await runUntilKilled(dataDir, { env, killAtStep: step }, async (service) => {
      await upload(service, book, 'kept', LONG);
      await upload(service, book, 'deleted', LONG);
      await remove(service, book, 'deleted');
    });
    demand(book, 'deleted', 'gone');
    await recover(dataDir, book);
  });

  test.each(renditions)('the making of renditions, %s: all are there in the end', async (step) => {
    const dataDir = await newStartedDataDir();
    const book = createBook();
    const making = { ...env, RENDITION_ENGINE: 'ffmpeg' };
    await runUntilKilled(dataDir, { env: making, killAtStep: step }, async (service) => {
      await upload(service, book, step, noise(16_044, 3));
      await service.exit;
    });
    demand(book, step, 'there');
    const service = await startService(dataDir, { env: making });
    await untilRendered(service);
    await service.end('SIGTERM');
    await recover(dataDir, book);
  });

  test.each(isShort ? sweeps.filter(({ left }) => left === 'published') : sweeps)(
    'the sweep of what a kill at $left left, $step: nothing is left',
    async ({ left, step }) => {
      const dataDir = await newStartedDataDir();
      const book = createBook();
      await runUntilKilled(dataDir, { env, killAtStep: left }, async (service) => {
        await upload(service, book, 'first', LONG);
        await remove(service, book, 'first');
      });
      demand(book, 'first', 'gone');
      await runUntilKilled(dataDir, { env, killAtStep: step }, () => Promise.resolve());
      await recover(dataDir, book);
    },
  );
});
