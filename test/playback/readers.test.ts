import type { Socket } from 'node:net';
import process from 'node:process';
import { describe, expect, test as plain } from 'vitest';
import { openFiles } from '../support/descriptors.ts';
import { test as base, startService } from '../support/service.ts';
import { noise } from '../support/wav.ts';
import { type Client, createClient, sendGet } from './http-client.ts';
import { addSound, type Sound } from './recordings.ts';

const isLinux = process.platform === 'linux';
const MIB = 1024 * 1024;
/** More than the kernel takes for a reader that does not read. */
const SIZE = 24 * MIB;
const WAIT = { timeout: 20_000, interval: 20 };

interface Rig {
  readonly client: Client;
  readonly sound: Sound;
  /** Descriptors of this process that are the sound's file. */
  readonly openFiles: () => number;
  readonly warnings: readonly string[];
}

const test = base.extend<{ rig: Rig }>({
  rig: [
    async ({ service }, use) => {
      const client = createClient(service.base);
      const sound = await addSound(service, 'Readers', noise(SIZE, 5), 'wav');
      // A file that nobody closed is closed by the collector, which says so.
      const warnings: string[] = [];
      const note = (warning: Error) => void warnings.push(warning.message);
      process.on('warning', note);
      await use({ client, sound, openFiles: () => descriptorsOf(sound.path), warnings });
      process.off('warning', note);
      client.close();
    },
    { scope: 'file' },
  ],
});

const descriptorsOf = (path: string) => openFiles((open) => open.endsWith(path)).length;

/** Reads at least so many bytes and stops again. */
async function readSome(socket: Socket, length: number): Promise<void> {
  let seen = 0;
  await new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.byteLength;
      if (seen < length) return;
      socket.pause();
      socket.removeAllListeners('data');
      resolve();
    });
    socket.once('error', reject);
    socket.resume();
  });
}

describe.skipIf(!isLinux)('a reader', () => {
  test('that stalls holds one descriptor, and none once it is gone', async ({ service, rig }) => {
    const socket = await sendGet(service.base, rig.sound.path);
    await expect.poll(rig.openFiles, WAIT).toBe(1);
    socket.destroy();
    await expect.poll(rig.openFiles, WAIT).toBe(0);
  });

  test('that stalls and goes on gets every byte', async ({ service, rig }) => {
    const socket = await sendGet(service.base, rig.sound.path, ['Connection: close']);
    await expect.poll(rig.openFiles, WAIT).toBe(1);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const answer = Buffer.concat(chunks);
    expect(answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(rig.sound.bytes)).toBe(true);
    await expect.poll(rig.openFiles, WAIT).toBe(0);
  });

  test('that goes away in the middle leaves no descriptor, fifty times over', async ({ service, rig }) => {
    for (const headers of [[], ['Range: bytes=1000-'], ['Range: bytes=0-2000000,3000000-5000000']]) {
      const sockets = await Promise.all(
        Array.from({ length: 50 }, () => sendGet(service.base, rig.sound.path, headers)),
      );
      await Promise.all(sockets.map((socket) => readSome(socket, 100_000)));
      expect(rig.openFiles()).toBeGreaterThan(0);
      for (const socket of sockets) socket.destroy();
      await expect.poll(rig.openFiles, WAIT).toBe(0);
    }
    expect(service.logLines.filter((line) => line.includes('could not be read to its end'))).toEqual([]);
    expect(rig.warnings).toEqual([]);
  });

  test('that goes away before the first byte leaves no descriptor', async ({ service, rig }) => {
    const sockets = await Promise.all(
      Array.from({ length: 50 }, () => sendGet(service.base, rig.sound.path)),
    );
    for (const socket of sockets) socket.resetAndDestroy();
    await rig.client.ask('HEAD', rig.sound.path);
    await expect.poll(rig.openFiles, WAIT).toBe(0);
  });

  test('that sends requests one behind the other and goes away leaves no descriptor', async ({
    service,
    rig,
  }) => {
    const socket = await sendGet(service.base, rig.sound.path);
    for (let i = 0; i < 4; i += 1) socket.write(`GET ${rig.sound.path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await expect.poll(rig.openFiles, WAIT).toBeGreaterThan(1);
    socket.destroy();
    await expect.poll(rig.openFiles, WAIT).toBe(0);
  });

  test('that asks for the last byte a thousand times holds nothing', async ({ rig }) => {
    const { client, sound, openFiles } = rig;
    const last = sound.bytes.subarray(-1);
    for (let i = 0; i < 1000; i += 1) {
      const { status, body } = await client.ask('GET', sound.path, { Range: 'bytes=-1' });
      if (status !== 206 || !body.equals(last)) expect({ status, body }).toEqual({ status: 206, body: last });
    }
    expect(openFiles()).toBeLessThanOrEqual(1);
    await expect.poll(openFiles, WAIT).toBe(0);
  });
});

describe.skipIf(!isLinux)('a hundred stalled readers of a large recording', () => {
  test('hold a block each at most, keep nobody waiting, and leave nothing behind', async ({
    service,
    rig,
  }) => {
    const { client, sound, openFiles } = rig;
    const small = await addSound(service, 'Small', noise(16_044, 7), 'wav');
    await client.ask('GET', small.path);
    const before = process.memoryUsage().arrayBuffers;
    const sockets = await Promise.all(Array.from({ length: 100 }, () => sendGet(service.base, sound.path)));
    await expect.poll(openFiles, WAIT).toBe(100);
    // All that the kernel took is taken: what is written now, the readers would have to read.
    await stillness(() => sockets.reduce((sum, socket) => sum + socket.bytesRead, 0));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 * (MIB / 2));
    const slowest = await slowestOf(100, () => client.ask('GET', small.path));
    expect(slowest).toBeLessThan(2000);
    for (const socket of sockets) socket.destroy();
    await expect.poll(openFiles, WAIT).toBe(0);
    expect(rig.warnings).toEqual([]);
  });
});

test('forty stalled readers of several stretches of a recording in memory hold no copies of it', async ({
  service,
  rig: { client },
}) => {
  const sound = await addSound(service, 'In memory', noise(12 * MIB, 6), 'wav');
  const hits = () => service.library.shelf().hits;
  const atFirst = hits();
  while (hits() === atFirst) await client.ask('GET', sound.path, { Range: 'bytes=0-1' });
  const before = process.memoryUsage().arrayBuffers;
  const hitsBefore = hits();
  const range = ['Range: bytes=0-5999999,6000001-'];
  const sockets = await Promise.all(
    Array.from({ length: 40 }, () => sendGet(service.base, sound.path, range)),
  );
  await expect.poll(hits, WAIT).toBe(hitsBefore + 40);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 * MIB);
  for (const socket of sockets) socket.destroy();
});

/** Resolves when the count has been the same for twenty turns of the event loop. */
async function stillness(count: () => number): Promise<void> {
  let last = count();
  for (let calm = 0; calm < 20; calm += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = count();
    if (now !== last) calm = 0;
    last = now;
  }
}

async function slowestOf(times: number, work: () => Promise<unknown>): Promise<number> {
  let slowest = 0;
  for (let i = 0; i < times; i += 1) {
    const begunAt = performance.now();
    await work();
    slowest = Math.max(slowest, performance.now() - begunAt);
  }
  return slowest;
}

plain('a reader that stalls does not keep the service from stopping', async () => {
  const service = await startService();
  const sound = await addSound(service, 'Stopping', noise(SIZE, 8), 'wav');
  const socket = await sendGet(service.base, sound.path);
  await readSome(socket, 1);
  socket.on('error', () => undefined);
  const begunAt = performance.now();
  await service.close();
  expect(performance.now() - begunAt).toBeLessThan(10_000);
  socket.destroy();
});
