import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sendGet } from '../playback/http-client.ts';
import { noise } from '../support/wav.ts';
import { audit } from './audit.ts';
import { createBook } from './book.ts';
import { createAsk, formOf, parse, V3 } from './http.ts';
import { memoryOf } from './processes.ts';
import { isShort, report } from './scale.ts';
import { newDataDir, type Service, startService } from './service.ts';
import { beginUpload, statusIn } from './sockets.ts';

const CLIENTS = 30;
const MIB = 1024 * 1024;
/** More than the kernel takes for a reader that does not read. */
const RECORDING = noise(24 * MIB, 5);
/** Blocks and buffers of each; far from the recording that each has asked for. */
const COST = 2 * MIB;
/** Node looks once a minute, and the first time forgives a write that had begun to move; and what it takes to notice. */
const CUT_OFF_WITHIN = 150_000;

async function uploadRecording(service: Service, name: string): Promise<string> {
  const ask = createAsk(service.base);
  const { status, body } = await ask.upload(V3, formOf('v3', name, RECORDING));
  ask.close();
  expect(status).toBe(201);
  return (parse(body) as { data: { url: string } }).data.url;
}

test(`${CLIENTS} readers that stop reading cost little, hold up nobody, and are cut off`, {
  timeout: 2 * CUT_OFF_WITHIN,
}, async () => {
  // Without memory for what is played often: it would be what is measured.
  const service = await startService(await newDataDir(), { env: { PLAYBACK_CACHE_BYTES: '0' } });
  const url = await uploadRecording(service, 'Stalled');
  const ask = createAsk(service.base);
  expect((await ask('GET', url)).body.equals(RECORDING)).toBe(true);
  const before = memoryOf(service.pid, 'VmRSS');
  const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => sendGet(service.base, url)));
  const closed = sockets.map((socket) => new Promise<void>((resolve) => socket.on('close', () => resolve())));
  expect((await ask('GET', url)).body.equals(RECORDING)).toBe(true);
  const cost = Math.round((memoryOf(service.pid, 'VmRSS') - before) / CLIENTS);
  report('readers that stop reading', { 'KiB each': Math.round(cost / 1024) });
  expect(cost).toBeLessThan(COST);
  if (isShort) {
    for (const socket of sockets) socket.destroy();
  } else {
    const since = performance.now();
    // A paused socket does not see its end; it is looked for at the service.
    await expect
      .poll(() => connectionsOf(service), { timeout: CUT_OFF_WITHIN, interval: 500 })
      .toBeLessThan(3);
    report('readers that stop reading', { 'cut off after ms': Math.round(performance.now() - since) });
    for (const socket of sockets) socket.destroy();
  }
  await Promise.all(closed);
  ask.close();
  expect(await service.end('SIGTERM')).toBe(0);
});

/** The connections that a service has, its own ones to the database not counted: those are no TCP. */
function connectionsOf({ base }: Service): number {
  const port = Number(new URL(base).port).toString(16).toUpperCase().padStart(4, '0');
  const established = new RegExp(`^ *\\d+: [0-9A-F]+:${port} [0-9A-F:]+ 01 `, 'gm');
  return [...readFileSync('/proc/net/tcp', 'utf8').matchAll(established)].length;
}

test(`${CLIENTS} uploads of a byte a second hold up nobody, are ended, and leave nothing`, async () => {
  const service = await startService(await newDataDir());
  const book = createBook();
  const ask = createAsk(service.base);
  const content = noise(40_000, 7);
  const uploads = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, i) => {
      const name = `slow ${i}`;
      book.uploading(name, 'v3', content);
      book.cutOff(name);
      return await beginUpload(service.base, formOf('v3', name, content));
    }),
  );
  const since = performance.now();
  let sent = 0;
  const drip = setInterval(() => {
    sent += 1;
    for (const { socket, body } of uploads) socket.write(body.subarray(sent + 299, sent + 300));
  }, 1_000);
  for (const { socket, body } of uploads) socket.write(body.subarray(0, 300));
  book.uploading('in a hurry', 'v3', content);
  book.uploaded('in a hurry', await ask.upload(V3, formOf('v3', 'in a hurry', content)));
  expect(book.get('in a hurry')?.fate).toBe('there');
  const answers = await Promise.all(uploads.map(({ answer }) => answer)).finally(() => clearInterval(drip));
  const statuses = answers.map(statusIn);
  report('uploads of a byte a second', {
    'ended after ms': Math.round(performance.now() - since),
    answers: [...new Set(statuses)].join(' '),
  });
  for (const status of statuses) expect([0, 400, 408, 429, 503]).toContain(status);
  ask.close();
  await audit(service, book, { isSettled: true });
  expect(await service.end('SIGTERM')).toBe(0);
});
