import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { noise } from '../support/wav.ts';
import { createAsk, formOf, parse, V3 } from './http.ts';
import { newDataDir, startService } from './service.ts';

/** So much of what is written is told; longer than any statement of an upload. */
const STRINGS = '-s6000';
const CALLS =
  'trace=openat,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,write,writev,sendto,sendmsg,read';

const hasStrace = spawnSync('strace', ['-V']).status === 0;

/** What of a trace tells the order of a change, by how each line of it is known. */
const UPLOAD = [
  { what: 'fsync of the staged file', pattern: /fsync\(\d+<[^>]*\/\.arriving\/[^>]+>\)/ },
  { what: 'rename', pattern: /rename\w*\(.*\.arriving.*call-flow-recordings/ },
  { what: 'fsync of the folder', pattern: /fsync\(\d+<[^>]*\/call-flow-recordings>\)/ },
  { what: 'commit sent', pattern: /(write|sendto|sendmsg|writev)\(.*insert into \\"prompts\\"/ },
  { what: 'commit answered', pattern: /read\(\d+<(UNIX|socket|TCP)[^>]*.*(INSERT 0|SELECT) 1\\0/ },
  { what: '201', pattern: /(write|sendto|sendmsg|writev)\(.*HTTP\/1\.1 201/ },
] as const;

const DELETE = [
  { what: 'commit sent', pattern: /(write|sendto|sendmsg|writev)\(.*delete from \\"prompts\\"/ },
  { what: 'bytes removed', pattern: /unlink\w*\(.*call-flow-recordings/ },
  { what: 'fsync of the folder', pattern: /fsync\(\d+<[^>]*\/call-flow-recordings>\)/ },
  { what: 'row struck', pattern: /(write|sendto|sendmsg|writev)\(.*delete from \\"blobs\\"/ },
  { what: '200', pattern: /(write|sendto|sendmsg|writev)\(.*HTTP\/1\.1 200/ },
] as const;

describe.skipIf(!hasStrace)('in the order of the system’s calls', () => {
  test('an upload is on the disk, named, and committed before it is answered; a delete commits first', async () => {
    const dataDir = await newDataDir();
    const trace = join(dataDir, 'trace');
    // A process of its own watches; the service is the one we started, so that signals reach it.
    const prefix = ['strace', '-D', '-f', '-y', STRINGS, '-e', CALLS, '-o', trace];
    const service = await startService(dataDir, { prefix, env: { UPLOAD_LEASE_SECONDS: '60' } });
    const ask = createAsk(service.base);
    const uploaded = await ask.upload(V3, formOf('v3', 'Traced', noise(700_000, 9)));
    expect(uploaded.status).toBe(201);
    const { data } = parse(uploaded.body) as { data: { media_prompt_id: number } };
    const between = (await linesOf(trace)).length;
    expect((await ask('DELETE', `${V3}/${data.media_prompt_id}`)).status).toBe(200);
    ask.close();
    expect(await service.end('SIGTERM')).toBe(0);

    const lines = await linesOf(trace);
    expect(orderIn(lines.slice(0, between + 1), UPLOAD)).toEqual(UPLOAD.map(({ what }) => what));
    expect(orderIn(lines.slice(between), DELETE)).toEqual(DELETE.map(({ what }) => what));
  });
});

/** Which of the calls came, each looked for after the one before it. */
function orderIn(lines: readonly string[], known: readonly { what: string; pattern: RegExp }[]): string[] {
  const found: string[] = [];
  let at = 0;
  for (const { what, pattern } of known) {
    const place = lines.findIndex((line, i) => i >= at && pattern.test(line));
    if (place < 0) continue;
    found.push(what);
    at = place + 1;
  }
  return found;
}

/** The lines of a trace with the two halves of each call that another thread came between put together. */
async function linesOf(path: string): Promise<string[]> {
  const begun = new Map<string, string>();
  return (await readFile(path, 'utf8')).split('\n').flatMap((line) => {
    const [, thread = '', call = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (call.endsWith(' <unfinished ...>')) {
      begun.set(thread, call.slice(0, -' <unfinished ...>'.length));
      return [];
    }
    const [, rest] = /^<\.\.\. \w+ resumed>(.*)$/.exec(call) ?? [];
    return [rest === undefined ? call : `${begun.get(thread) ?? ''}${rest}`];
  });
}
