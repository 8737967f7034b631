import { setTimeout as pace } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { promptForm } from '../support/multipart.ts';
import { jsonOf, openUpload, type RawUpload, statusOf, uploadsOf } from '../support/raw-upload.ts';
import { startService, type TestService, token } from '../support/service.ts';

const PATIENCE = { timeout: 20_000 };
const NOBODY = { running: 0, slow: 0, waiting: 0 };

async function serviceWith(env: Readonly<Record<string, string>> = {}): Promise<TestService> {
  const service = await startService({ UPLOAD_LEASE_SECONDS: '60', ...env });
  onTestFinished(() => service.close());
  return service;
}

const settled = (service: TestService, figures: Awaited<ReturnType<typeof uploadsOf>>) =>
  expect.poll(() => uploadsOf(service), PATIENCE).toEqual(figures);

/** One that pauses before its last byte, for as long as the test likes. */
async function beginSlowly(service: TestService, name: string, bearer?: string): Promise<RawUpload> {
  const upload = await openUpload(service, name, bearer === undefined ? {} : { token: bearer });
  upload.socket.write(upload.body.subarray(0, -1));
  return upload;
}

const finish = async ({ socket, body, answer }: RawUpload) => {
  socket.write(body.subarray(-1));
  return statusOf(await answer);
};

describe('uploads that come slowly', () => {
  test('do not keep a fast one waiting, though they are more than may run', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '16', UPLOADS_AT_ONCE_PER_TOKEN: '12' });
    const tokens = [token({ userId: 1 }), token({ userId: 2 })];
    const slow = await Promise.all(
      Array.from({ length: 20 }, (_, i) => beginSlowly(service, `Slow ${i}`, tokens[i % 2])),
    );
    expect((await service.upload(promptForm('Fast'), { token: token({ userId: 3 }) })).status).toBe(201);
    await settled(service, { running: 0, slow: 20, waiting: 0 });
    const statuses = await Promise.all(slow.map(finish));
    expect(new Set(statuses)).toEqual(new Set([201]));
    await settled(service, NOBODY);
  });

  test('of one token take no more than its share beside, and the next moves when one of them is through', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '3', SLOW_UPLOADS_AT_ONCE_PER_TOKEN: '1' });
    const [mine, others] = [token({ userId: 1 }), token({ userId: 2 })];
    const first = await beginSlowly(service, 'Mine 1', mine);
    await settled(service, { running: 0, slow: 1, waiting: 0 });
    const second = await beginSlowly(service, 'Mine 2', mine);
    await settled(service, { running: 1, slow: 1, waiting: 0 });
    const another = await beginSlowly(service, 'Of another', others);
    // It came after the second, and was seen to be slow: so was the second.
    await settled(service, { running: 1, slow: 2, waiting: 0 });
    expect(await finish(first)).toBe(201);
    await settled(service, { running: 0, slow: 2, waiting: 0 });
    for (const upload of [second, another]) expect(await finish(upload)).toBe(201);
    await settled(service, NOBODY);
  });

  test('stay where they are while the places beside are taken', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1', SLOW_UPLOADS_AT_ONCE: '1' });
    const first = await beginSlowly(service, 'Slow 1');
    await settled(service, { running: 0, slow: 1, waiting: 0 });
    const second = await beginSlowly(service, 'Slow 2');
    await settled(service, { running: 1, slow: 1, waiting: 0 });
    const fast = service.upload(promptForm('Fast'));
    await settled(service, { running: 1, slow: 1, waiting: 1 });
    expect(await finish(first)).toBe(201);
    expect((await fast).status).toBe(201);
    await settled(service, { running: 0, slow: 1, waiting: 0 });
    expect(await finish(second)).toBe(201);
  });

  test('give their places back when they are through, are refused and are cut off', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1', SLOW_UPLOADS_AT_ONCE: '3' });
    const whole = await beginSlowly(service, 'Through');
    const refused = await beginSlowly(service, 'x'.repeat(300));
    const gone = await beginSlowly(service, 'Gone');
    await settled(service, { running: 0, slow: 3, waiting: 0 });
    gone.socket.destroy();
    expect(await finish(whole)).toBe(201);
    expect(await finish(refused)).toBe(400);
    await settled(service, NOBODY);
    expect((await service.files()).arriving).toEqual([]);
    expect((await service.upload(promptForm('Good'))).status).toBe(201);
    await settled(service, NOBODY);
  });

  test('give their places back when they are given up', async () => {
    const service = await serviceWith({ UPLOADS_AT_ONCE: '1', UPLOAD_LEASE_SECONDS: '6' });
    const silent = await beginSlowly(service, 'Silent');
    await settled(service, { running: 0, slow: 1, waiting: 0 });
    const answer = await silent.answer;
    expect(statusOf(answer)).toBe(400);
    expect(jsonOf(answer)['message']).toMatch(/^No bytes arrived for 6 seconds/);
    await settled(service, NOBODY);
    expect((await service.upload(promptForm('Good'))).status).toBe(201);
  });
});

test('an upload that comes fast enough keeps its place, however long it takes', async () => {
  const service = await serviceWith();
  const { socket, body, answer } = await openUpload(service, 'Steady', { padding: 16_000_000 });
  let isOver = false;
  void answer.finally(() => {
    isOver = true;
  });
  const write = async () => {
    // This is how fast the line is: 4 MB a second, for four of them.
    for (let sent = 0; sent < body.byteLength; sent += 200_000) {
      socket.write(body.subarray(sent, sent + 200_000));
      await pace(50);
    }
  };
  const writing = write();
  let mostSlow = 0;
  while (!isOver) mostSlow = Math.max(mostSlow, (await uploadsOf(service)).slow);
  await writing;
  expect(statusOf(await answer)).toBe(201);
  expect(mostSlow).toBe(0);
});
