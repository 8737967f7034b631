import { expect, test } from 'vitest';
import { noise } from '../support/wav.ts';
import { audit } from './audit.ts';
import { createBook } from './book.ts';
import { createAsk, faultsOfRefusal, formOf, parse, V3 } from './http.ts';
import { middle, report, scaled } from './scale.ts';
import { newDataDir, startService } from './service.ts';
import { beginUpload, statusIn } from './sockets.ts';

const UPLOADS = scaled(200, 60);
const GRACE = 5_000;
/** Beyond the grace, for stopping the database. */
const MARGIN = 5_000;
const IDLE_ROUNDS = 5;
const ENDS_IDLE_WITHIN = 1_000;
const env = {
  SHUTDOWN_GRACE_SECONDS: String(GRACE / 1000),
  UPLOAD_LEASE_SECONDS: '10',
  LOG_LEVEL: 'debug',
};

test('SIGTERM ends a service without requests at once', async () => {
  const dataDir = await newDataDir();
  const times: number[] = [];
  for (let round = 1; round <= IDLE_ROUNDS; round += 1) {
    const service = await startService(dataDir);
    const since = performance.now();
    expect(await service.end('SIGTERM')).toBe(0);
    times.push(Math.round(performance.now() - since));
  }
  report('SIGTERM when idle', { 'ends after ms': times.join(' ') });
  expect(middle(times)).toBeLessThan(ENDS_IDLE_WITHIN);
});

test(`SIGTERM with ${UPLOADS} uploads in flight: each finishes or is refused in shape, and the end is on time`, async () => {
  const dataDir = await newDataDir();
  const service = await startService(dataDir, { env });
  const book = createBook();
  const content = noise(40_000, 3);
  const uploads = await Promise.all(
    Array.from({ length: UPLOADS }, async (_, i) => {
      const name = `in flight ${i}`;
      book.uploading(name, 'v3', content);
      const upload = await beginUpload(service.base, formOf('v3', name, content));
      upload.socket.write(upload.body.subarray(0, 20_000));
      // Some never send the rest, and hold their connection until they are refused.
      return { name, isStuck: i % 10 === 0, ...upload };
    }),
  );
  const ask = createAsk(service.base);
  await expect.poll(async () => (await ask('GET', '/healthz')).status).toBe(200);
  ask.close();

  const since = performance.now();
  const ending = service.end('SIGTERM');
  // The answer to the signal: from then on nothing new is taken.
  await expect
    .poll(() => service.output.some((line) => line.includes('shutting down')), { timeout: 10_000 })
    .toBe(true);
  for (const { socket, body, isStuck } of uploads) if (!isStuck) socket.write(body.subarray(20_000));
  const answers = await Promise.all(
    uploads.map(async (upload) => ({ ...upload, answer: await upload.answer })),
  );
  const code = await ending;
  const ms = Math.round(performance.now() - since);

  const counts: Record<number, number> = {};
  const faults: string[] = [];
  for (const { name, isStuck, answer } of answers) {
    const status = statusIn(answer);
    counts[status] = (counts[status] ?? 0) + 1;
    const whole = wholeAnswer(answer);
    book.uploaded(name, whole);
    if (isStuck && status === 201) faults.push(`${name} was taken without its end`);
    if (status !== 201 && status !== 503) faults.push(`${name}: ${answer.slice(0, 200)}`);
    if (status === 503 && whole !== undefined) faults.push(...faultsOfRefusal(V3, whole));
  }
  report(`SIGTERM with ${UPLOADS} uploads`, { ...counts, 'ends after ms': ms });
  expect(faults).toEqual([]);
  expect(code).toBe(0);
  expect(ms).toBeLessThan(GRACE + MARGIN);
  expect(counts[201]).toBeGreaterThan(0);

  const again = await startService(dataDir, { env });
  await audit(again, book, { isSettled: true });
  expect(await again.end('SIGTERM')).toBe(0);
});

/** As much of an answer as its judges need. */
function wholeAnswer(answer: string) {
  const status = statusIn(answer);
  if (status === 0) return undefined;
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const lines = head.split('\r\n').slice(1);
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  const bytes = Buffer.from(body, 'latin1');
  if (Object.keys(parse(bytes)).length === 0) throw new Error(`half an answer: ${answer}`);
  return { status, headers, body: bytes, ms: 0 };
}
