import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { multipart } from '../support/multipart.ts';
import { noise } from '../support/wav.ts';
import { formOf, V3 } from './http.ts';
import { memoryOf } from './processes.ts';
import { report, scaled } from './scale.ts';
import { newDataDir, type Service, startService, TOKEN } from './service.ts';

const MIB = 1024 * 1024;
const UPLOADS = scaled(100, 12);
const SIZE = 50 * MIB;
const BOUND = 200 * MIB;

/** One recording for all, sent without a copy: the test has no more memory than the service. */
const RECORDING = noise(SIZE, 11);
const SHA256 = createHash('sha256').update(RECORDING).digest('hex');
const MARK = Buffer.from('the recording goes here');

async function upload({ base }: Service, name: string): Promise<{ status: number; sha256: unknown }> {
  const { body, contentType } = multipart(formOf('v3', name, MARK));
  const at = body.indexOf(MARK);
  const asking = request(base + V3, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${TOKEN}`,
      'content-type': contentType,
      'content-length': body.byteLength - MARK.byteLength + SIZE,
    },
  });
  asking.write(body.subarray(0, at));
  asking.write(RECORDING);
  asking.end(body.subarray(at + MARK.byteLength));
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  const { data } = (await json(answer)) as { data: { sha256: string } | null };
  return { status: answer.statusCode ?? 0, sha256: data?.sha256 };
}

test(`${UPLOADS} uploads of 50 MiB at once take less than 200 MiB of memory`, {
  timeout: 600_000,
}, async () => {
  const service = await startService(await newDataDir(), {
    // Each waits for its turn as long as that takes on this machine.
    env: { UPLOAD_QUEUE_SECONDS: '300', UPLOAD_LEASE_SECONDS: '60' },
  });
  const since = performance.now();
  const answers = await Promise.all(Array.from({ length: UPLOADS }, (_, i) => upload(service, `large ${i}`)));
  const peak = memoryOf(service.pid, 'VmHWM');
  report(`${UPLOADS} × 50 MiB at once`, {
    'peak MiB': Math.round(peak / MIB),
    seconds: Math.round((performance.now() - since) / 1000),
  });
  for (const answer of answers) expect(answer).toEqual({ status: 201, sha256: SHA256 });
  expect(peak).toBeLessThan(BOUND);
  expect(await service.end('SIGTERM')).toBe(0);
});
