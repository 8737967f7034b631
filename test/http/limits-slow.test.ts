import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as pace } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { BlobStore } from '../../src/blobs/blob-store.ts';
import { createDiskBlobStore } from '../../src/blobs/disk-blob-store.ts';
import {
  jsonOf,
  openConnection,
  openUpload,
  type RawUpload,
  statusOf,
  uploadsOf,
} from '../support/raw-upload.ts';
import { startService, type TestService, token } from '../support/service.ts';

const PATIENCE = { timeout: 20_000 };

async function serviceWith(
  env: Readonly<Record<string, string>>,
  overrides: Parameters<typeof startService>[1] = {},
): Promise<TestService> {
  const service = await startService({ UPLOAD_LEASE_SECONDS: '1', ...env }, overrides);
  onTestFinished(() => service.close());
  return service;
}

/** Sends so many bytes every 50 ms until the answer is there or nothing is left. This is how slow the line is. */
async function drip({ socket, body, answer }: RawUpload, bytes: number, from = 0): Promise<string> {
  let isOver = false;
  void answer.finally(() => {
    isOver = true;
  });
  for (let sent = from; !isOver && sent < body.byteLength; sent += bytes) {
    socket.write(body.subarray(sent, sent + bytes));
    await pace(50);
  }
  return await answer;
}

async function expectNothingLeft(service: TestService): Promise<void> {
  await expect
    .poll(async () => {
      const rows = await service.rows("select name from blobs where state <> 'kept'");
      return { rows, arriving: (await service.files()).arriving };
    }, PATIENCE)
    .toEqual({ rows: [], arriving: [] });
}

describe('an upload that comes too slowly', () => {
  for (const [where, from] of [
    ['in its file', 1000],
    ['before its file', 0],
  ] as const) {
    test(`${where} is ended with a reason, and leaves nothing`, async () => {
      const service = await serviceWith({ UPLOAD_MIN_BYTES_PER_SECOND: '1000' });
      const upload = await openUpload(service, 'Slow', { padding: 10_000_000 });
      upload.socket.write(upload.body.subarray(0, from));
      const answer = await drip(upload, 1, from);
      expect(statusOf(answer)).toBe(400);
      expect(jsonOf(answer)).toMatchObject({
        message: expect.stringMatching(/^Fewer than 1000 bytes a second arrived for 1 seconds/),
        errors: [{ field: 'file', code: 'invalid' }],
      });
      await expectNothingLeft(service);
    });
  }

  test('behind its file is ended, too', async () => {
    const service = await serviceWith({ UPLOAD_MIN_BYTES_PER_SECOND: '1000' });
    const upload = await openUpload(service, 'Slow end');
    const end = upload.body.lastIndexOf('Slow end');
    upload.socket.write(upload.body.subarray(0, end));
    const { promise, resolve } = Promise.withResolvers<string>();
    void upload.answer.then(resolve);
    // The tail alone would be over too soon: an epilogue that never ends.
    const endless = { ...upload, body: Buffer.concat([upload.body, Buffer.alloc(1_000_000, 'x')]) };
    expect(statusOf(await drip({ ...endless, answer: promise }, 1, end))).toBe(400);
    await expectNothingLeft(service);
  });

  test('ends in the shape of the other dialect there', async () => {
    const service = await serviceWith({ UPLOAD_MIN_BYTES_PER_SECOND: '1000' });
    const upload = await openUpload(service, 'Slow', { padding: 100_000, path: '/api/v1/media' });
    const answer = await drip(upload, 1);
    expect(jsonOf(answer)).toMatchObject({
      status: 400,
      errors: { File: [expect.stringMatching(/^Fewer/)] },
    });
  });

  test('as a whole is ended, however steadily it comes', async () => {
    const service = await serviceWith({ UPLOAD_MAX_SECONDS: '1', UPLOAD_MIN_BYTES_PER_SECOND: '0' });
    const answer = await drip(await openUpload(service, 'Long', { padding: 10_000_000 }), 500);
    expect(statusOf(answer)).toBe(400);
    expect(jsonOf(answer)['message']).toMatch(/^The upload took longer than 1 seconds/);
    await expectNothingLeft(service);
  });
});

describe('an upload that is slow enough to live', () => {
  test('is taken, though it lasts for several windows', async () => {
    const service = await serviceWith({});
    // Four times the least on average, in drops.
    const answer = await drip(await openUpload(service, 'A poor line', { padding: 5_000 }), 200);
    expect(statusOf(answer)).toBe(201);
  });

  test('may come as slowly as it likes where the bound is off', async () => {
    const service = await serviceWith({ UPLOAD_MIN_BYTES_PER_SECOND: '0' });
    const upload = await openUpload(service, 'Off');
    const almost = upload.body.byteLength - 60;
    upload.socket.write(upload.body.subarray(0, almost));
    expect(statusOf(await drip(upload, 1, almost))).toBe(201);
  });

  test('is not blamed for a disk that is slower', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'media-prompts-test-'));
    onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
    const service = await serviceWith(
      { UPLOAD_MIN_BYTES_PER_SECOND: '1000000' },
      { dataDir, blobs: slowed(await createDiskBlobStore(join(dataDir, 'uploads'))) },
    );
    const upload = await openUpload(service, 'A slow disk', { padding: 2_000_000 });
    upload.socket.write(upload.body);
    let isOver = false;
    void upload.answer.finally(() => {
      isOver = true;
    });
    let mostSlow = 0;
    while (!isOver) mostSlow = Math.max(mostSlow, (await uploadsOf(service)).slow);
    expect(statusOf(await upload.answer)).toBe(201);
    expect(mostSlow).toBe(0);
  });
});

/** A store that takes three windows to take anything. This is how slow the disk is. */
function slowed(blobs: BlobStore): BlobStore {
  return {
    ...blobs,
    async stage(...arrival) {
      await pace(3_000);
      return await blobs.stage(...arrival);
    },
  };
}

test('a JSON body that does not come is a 408, however long an upload may be silent', async () => {
  const service = await serviceWith({ UPLOAD_LEASE_SECONDS: '3600' });
  const socket = await openConnection(service);
  let said = '';
  socket.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  const answer = textOf(socket);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const head = (line: string, ...headers: readonly string[]) =>
    [`${line} HTTP/1.1`, 'Host: prompts.example', ...headers, '', ''].join('\r\n');
  socket.write(
    head(
      'PATCH /api/v1/media/0190b6a0-0000-7000-8000-000000000000',
      `Authorization: Bearer ${token()}`,
      'Content-Type: application/json',
      'Content-Length: 1000',
      'Expect: 100-continue',
    ),
  );
  await expect.poll(() => said, PATIENCE).toMatch(/^HTTP\/1\.1 100 /);
  socket.write('{"description":');
  vi.advanceTimersByTime(29_000);
  const other = await openConnection(service);
  other.write(head('GET /healthz', 'Connection: close'));
  expect(statusOf(await textOf(other))).toBe(200);
  expect(statusOf(said)).toBe(100);
  vi.advanceTimersByTime(1_000);
  const whole = await answer;
  expect(statusOf(whole)).toBe(408);
  expect(whole).toMatch(/^connection: close/im);
  expect(jsonOf(whole)).toMatchObject({ status: 408, title: 'Request Timeout' });
});
