import { describe, expect } from 'vitest';
import { test } from './audit.ts';
import { converse, get, raw } from './conversation.ts';
import { CHUNKED, HEADER_FORMS, LENGTHS, START_LINES } from './raw-inputs.ts';

const LIST = '/v3/media-prompts?limit=1';

describe('what is hardly HTTP', () => {
  test('is answered in a shape of ours, or the connection ends', async ({ group }) => {
    const bearer = `Authorization: Bearer ${group.bearer}`;
    const inputs = [
      ...START_LINES.map((line) => raw(line, 'Host: a', bearer, 'Content-Length: 0')),
      ...START_LINES.map((line) => raw(line)),
      ...HEADER_FORMS.flatMap((header) => [get(LIST, bearer, header), get('/api/v1/media', header, bearer)]),
      ...LENGTHS.flatMap((header) =>
        ['/v3/media-prompts', '/api/v1/media', '/'].map(
          (target) => `${raw(`POST ${target} HTTP/1.1`, 'Host: a', bearer, header)}abcd`,
        ),
      ),
      ...CHUNKED.flatMap((body) =>
        ['/v3/media-prompts', '/api/v1/media'].map(
          (target) =>
            raw(
              `POST ${target} HTTP/1.1`,
              'Host: a',
              bearer,
              'Content-Type: multipart/form-data; boundary=b',
              'Transfer-Encoding: chunked',
            ) + body,
        ),
      ),
    ];
    await group.each(inputs, async (bytes) => {
      const answers = await converse(group, bytes);
      for (const { status } of answers)
        expect([100, 200, 400, 401, 404, 405, 413, 415, 417, 431]).toContain(status);
    });
  });

  test('is a no for what has two Hosts, two lengths or a length and chunks', async ({ group }) => {
    const bearer = `Authorization: Bearer ${group.bearer}`;
    const forbidden = [
      raw('GET / HTTP/1.1'),
      raw('GET / HTTP/1.1', 'Host: a', 'Content-Length: 1', 'Content-Length: 2'),
      raw('POST / HTTP/1.1', 'Host: a', bearer, 'Content-Length: 4', 'Transfer-Encoding: chunked'),
      raw('POST / HTTP/1.1', 'Host: a', bearer, 'Transfer-Encoding: chunked', 'Content-Length: 4'),
      raw('POST / HTTP/1.1', 'Host: a', bearer, 'Transfer-Encoding: chunked, gzip'),
      raw('POST / HTTP/1.1', 'Host: a', bearer, 'Transfer-Encoding : chunked'),
    ];
    for (const bytes of forbidden) {
      const [answer, ...others] = await converse(group, `${bytes}0\r\n\r\n${get('/healthz')}`);
      // Without a Host the head is sound, so that what follows it may be answered.
      expect(answer?.status, bytes).toBe(400);
      if (bytes !== forbidden[0]) expect(others, bytes).toEqual([]);
    }
  });

  test('as noise is answered once at most', async ({ group }) => {
    let state = 1;
    const byte = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    };
    const noises = Array.from({ length: 300 }, (_, i) => Buffer.from(Array.from({ length: i * 7 }, byte)));
    const head = Buffer.from(`GET ${LIST} HTTP/1.1\r\nHost: a\r\nX-A: `);
    await group.each(noises.keys(), async (i) => {
      const noise = noises[i] ?? Buffer.alloc(0);
      for (const bytes of [noise, Buffer.concat([head, noise, Buffer.from('\r\n\r\n')])]) {
        for (const { status } of await converse(group, bytes)) expect([400, 401, 431]).toContain(status);
      }
    });
  });
});
