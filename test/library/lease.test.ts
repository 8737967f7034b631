import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as pace } from 'node:timers/promises';
import { test as base, describe, expect, onTestFinished } from 'vitest';
import { fixture, multipart, promptForm } from '../support/multipart.ts';
import { startService, type TestService, token } from '../support/service.ts';

const PATIENCE = { timeout: 20_000 };
const NOTHING = { rows: 0, published: [], arriving: [] };

const test = base.extend<{ brief: TestService; lasting: TestService }>({
  /** Uploads lose their place within seconds. */
  brief: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await startService({ UPLOAD_LEASE_SECONDS: '1', UPLOAD_MIN_BYTES_PER_SECOND: '0' });
      await use(service);
      await service.close();
    },
    { scope: 'file' },
  ],
  /** No sweep takes anything while a test looks: what goes, went with the request. */
  lasting: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await startService({
        UPLOAD_LEASE_SECONDS: '3600',
        UPLOADS_AT_ONCE: '40',
        UPLOADS_AT_ONCE_PER_TOKEN: '40',
      });
      await use(service);
      await service.close();
    },
    { scope: 'file' },
  ],
});

/** Everything that an upload which is no prompt yet could leave behind. */
async function leftovers(service: TestService) {
  const rows = await service.rows("select name from blobs where state <> 'kept'");
  const kept = await service.rows<{ key: string }>(
    "select name || '.' || extension as key from blobs where state = 'kept'",
  );
  const { published, arriving } = await service.files();
  const known = new Set(kept.map(({ key }) => key));
  return { rows: rows.length, published: published.filter((key) => !known.has(key)), arriving };
}

/** An upload on a connection of its own, to be sent piece by piece. */
async function startUpload(service: TestService, name: string) {
  const audio = Buffer.concat([fixture('tone.wav'), Buffer.alloc(300_000)]);
  const [first, ...fields] = promptForm(name);
  const { body, contentType } = multipart([{ ...first, name: 'file', content: audio }, ...fields]);
  const { hostname, port } = new URL(service.base);
  const socket: Socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  socket.write(
    [
      'POST /v3/media-prompts HTTP/1.1',
      'Host: prompts.example',
      `Authorization: Bearer ${token()}`,
      `Content-Type: ${contentType}`,
      `Content-Length: ${body.byteLength}`,
      'Connection: close',
      '',
      '',
    ].join('\r\n'),
  );
  return { socket, body, fileEnd: body.indexOf('\r\n------test-boundary', 100) };
}

const bodyOf = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));

describe('an upload whose client goes silent', () => {
  for (const [what, share] of [
    ['after its first bytes', 0.01],
    ['in the middle', 0.5],
  ] as const) {
    test(`${what} is ended with a reason, and leaves nothing`, async ({ brief }) => {
      const { socket, body } = await startUpload(brief, `Silent ${what}`);
      const answering = textOf(socket);
      socket.write(body.subarray(0, body.byteLength * share));
      const answer = await answering;
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(bodyOf(answer)).toMatchObject({
        code: 400,
        message: expect.stringContaining('No bytes arrived'),
        errors: [{ field: 'file', code: 'invalid' }],
      });
      await expect.poll(() => leftovers(brief), PATIENCE).toEqual(NOTHING);
    });
  }

  test('is swept though its process cannot say so any more', async ({ brief }) => {
    const name = 'file-of-a-process-that-died';
    await brief.rows("insert into blobs values ($1, 'arriving', null, now() + interval '1 second')", [name]);
    await expect.poll(() => leftovers(brief), PATIENCE).toEqual(NOTHING);
  });
});

test('an upload that keeps trickling outlives its lease', { timeout: 60_000 }, async () => {
  const service = await startService({ UPLOAD_LEASE_SECONDS: '2' });
  onTestFinished(() => service.close());
  const { socket, body } = await startUpload(service, 'Trickle');
  const answering = textOf(socket);
  const pieces = 40;
  const since = performance.now();
  for (let i = 0; i < pieces; i += 1) {
    socket.write(body.subarray((body.byteLength * i) / pieces, (body.byteLength * (i + 1)) / pieces));
    // Not to wait for anything: this is how slow the client is.
    await pace(150);
  }
  expect(performance.now() - since).toBeGreaterThan(5500);
  expect(await answering).toMatch(/^HTTP\/1\.1 201 /);
  expect(await leftovers(service)).toEqual(NOTHING);
  expect(await service.rows('select state, lease_until from blobs')).toEqual([
    { state: 'kept', lease_until: null },
  ]);
});

test('an upload whose place was taken is told so and leaves nothing', async ({ brief }) => {
  const { socket, body } = await startUpload(brief, 'Taken');
  let isOver = false;
  const answering = textOf(socket).finally(() => {
    isOver = true;
  });
  socket.write(body.subarray(0, body.byteLength / 2));
  await expect.poll(async () => (await brief.files()).arriving.length, PATIENCE).toBe(1);
  await brief.rows("update blobs set state = 'doomed' where state = 'arriving'");
  // Bytes come all the time, so that it is not for silence that it ends.
  for (let i = body.byteLength / 2; !isOver && i < body.byteLength - 1000; i += 1) {
    socket.write(body.subarray(i, i + 1));
    await pace(20);
  }
  expect(bodyOf(await answering)).toMatchObject({
    code: 400,
    message: expect.stringContaining('lost its place'),
  });
  await expect.poll(() => leftovers(brief), PATIENCE).toEqual(NOTHING);
});

describe('a client that goes away', () => {
  const departures = {
    'closing its connection': (socket: Socket) => socket.end(),
    'resetting its connection': (socket: Socket) => socket.resetAndDestroy(),
    'dropping its connection': (socket: Socket) => socket.destroy(),
  };
  for (const [how, depart] of Object.entries(departures)) {
    for (const percent of [1, 50, 99]) {
      test(`${how} at ${percent} % of the file leaves no row and no file`, async ({ lasting }) => {
        const { socket, body, fileEnd } = await startUpload(lasting, `Away ${how} ${percent}`);
        socket.write(body.subarray(0, (fileEnd * percent) / 100));
        await expect.poll(async () => (await lasting.files()).arriving.length, PATIENCE).toBe(1);
        depart(socket);
        await expect.poll(() => leftovers(lasting), PATIENCE).toEqual(NOTHING);
      });
    }

    test(`${how} between the file and its fields leaves no row and no file`, async ({ lasting }) => {
      const { socket, body, fileEnd } = await startUpload(lasting, `Away ${how} between`);
      socket.write(body.subarray(0, fileEnd + 60));
      await expect.poll(async () => (await lasting.files()).arriving.length, PATIENCE).toBe(1);
      depart(socket);
      await expect.poll(() => leftovers(lasting), PATIENCE).toEqual(NOTHING);
    });
  }

  test('with 40 others at once leaves no row and no file, and a good upload works', async ({ lasting }) => {
    const uploads = await Promise.all(
      Array.from({ length: 40 }, (_, i) => startUpload(lasting, `Away together ${i}`)),
    );
    uploads.forEach(({ socket, body }, i) => {
      socket.write(body.subarray(0, (body.byteLength * (i + 1)) / 41));
    });
    await expect.poll(async () => (await leftovers(lasting)).rows, PATIENCE).toBeGreaterThan(20);
    for (const { socket } of uploads) socket.resetAndDestroy();
    await expect.poll(() => leftovers(lasting), PATIENCE).toEqual(NOTHING);
    expect((await lasting.upload(promptForm('Good'))).status).toBe(201);
  });
});
