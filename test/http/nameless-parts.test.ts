import { expect } from 'vitest';
import { fixture } from '../support/multipart.ts';
import { test } from '../support/service.ts';

/** Parts that no client library makes, but the parser lets through. */
const NAMELESS = [
  ['a text', 'form-data', undefined],
  ['a file by its type', 'form-data', 'application/octet-stream'],
  ['a file by its file name', 'form-data; filename="a.wav"', 'audio/wav'],
] as const;

for (const path of ['/v3/media-prompts', '/api/v1/media']) {
  for (const [what, disposition, type] of NAMELESS) {
    test(`${what} without a name is no fault of ours at ${path}, and leaves nothing`, async ({ service }) => {
      const head = `--b\r\nContent-Disposition: ${disposition}\r\n${type ? `Content-Type: ${type}\r\n` : ''}\r\n`;
      const answer = await service.call('POST', path, {
        body: Buffer.concat([Buffer.from(head), fixture('tone.wav'), Buffer.from('\r\n--b--\r\n')]),
        headers: { 'content-type': 'multipart/form-data; boundary=b' },
      });
      expect(answer.status).toBe(400);
      expect(await service.files()).toEqual({ published: [], arriving: [] });
      expect(await service.rows('select 1 from blobs')).toEqual([]);
    });
  }
}
