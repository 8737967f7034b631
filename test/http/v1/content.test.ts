import { describe, expect } from 'vitest';
import { addMedia, audio, callV1, expectProblem, MEDIA, uploadMedia } from '../../support/media.ts';
import { fixture } from '../../support/multipart.ts';
import { type TestService, test, token } from '../../support/service.ts';

const fetchContent = async (service: TestService, id: string, init: RequestInit = {}) =>
  await fetch(`${service.base}${MEDIA}/${id}/content`, {
    ...init,
    headers: { authorization: `Bearer ${token()}`, ...init.headers },
  });

describe('the content', () => {
  test('is the bytes as they came, with the type that they are', async ({ service }) => {
    const { body } = await uploadMedia(service, [
      audio({ content: fixture('tone.flac'), filename: 'lies.mp3', type: 'audio/mpeg' }),
    ]);
    const response = await fetchContent(service, body.id);
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(fixture('tone.flac'));
    const headers = Object.fromEntries(response.headers);
    expect(headers).toMatchObject({
      'content-type': 'audio/flac',
      'content-length': String(fixture('tone.flac').byteLength),
      'x-content-type-options': 'nosniff',
      etag: expect.stringMatching(/^"[^"]+"$/),
      'last-modified': expect.stringMatching(/GMT$/),
      'x-request-id': expect.any(String),
    });
    // A token guards it, so no shared cache may keep it.
    expect(headers['cache-control']).toMatch(/^private\b/);
  });

  test('has the same headers for HEAD, and no body', async ({ service }) => {
    const { id } = await addMedia(service, 'head.wav');
    const [get, head] = [
      await fetchContent(service, id),
      await fetchContent(service, id, { method: 'HEAD' }),
    ];
    expect([get.status, head.status]).toEqual([200, 200]);
    expect((await head.arrayBuffer()).byteLength).toBe(0);
    const ofThisAnswer = new Set(['connection', 'keep-alive', 'date', 'x-request-id']);
    const told = (response: Response) =>
      Object.fromEntries([...response.headers].filter(([name]) => !ofThisAnswer.has(name)));
    expect(told(head)).toEqual(told(get));
  });

  test('comes in part, or not again, to those who ask for that', async ({ service }) => {
    const { id } = await addMedia(service, 'part.wav');
    const part = await fetchContent(service, id, { headers: { range: 'bytes=4-7' } });
    expect([part.status, part.headers.get('content-range')]).toEqual([
      206,
      `bytes 4-7/${fixture('tone.wav').byteLength}`,
    ]);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(fixture('tone.wav').subarray(4, 8));

    const etag = part.headers.get('etag') ?? '';
    const again = await fetchContent(service, id, { headers: { 'if-none-match': etag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
  });

  test('that is asked for beyond its end is a 416 in the shape of every problem', async ({ service }) => {
    const { id } = await addMedia(service, 'beyond.wav');
    const path = `${MEDIA}/${id}/content`;
    const answer = await callV1(service, 'GET', path, { headers: { range: 'bytes=99999999-' } });
    expectProblem(answer, { status: 416, path });
    expect(answer.headers.get('content-range')).toBe(`bytes */${fixture('tone.wav').byteLength}`);
  });
});

describe('the Content-Disposition', () => {
  const cases = [
    ['a plain name', 'welcome.wav', 'attachment; filename=welcome.wav'],
    ['spaces', 'main menu.wav', 'attachment; filename="main menu.wav"'],
    ['quotes', 'say \\"hello\\".wav', 'attachment; filename="say \\"hello\\".wav"'],
    ['a semicolon', 'a;b=c.wav', 'attachment; filename="a;b=c.wav"'],
    ['a per cent', '100%25.wav', "attachment; filename=100%25.wav; filename*=UTF-8''100%2525.wav"],
    [
      'letters beyond ASCII',
      'Grüße 😀.wav',
      `attachment; filename="Gr??e ??.wav"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%F0%9F%98%80.wav`,
    ],
    ['control characters', 'a\x01\tb.wav', `attachment; filename="a??b.wav"; filename*=UTF-8''a%01%09b.wav`],
  ] as const;
  for (const [what, filename, expected] of cases) {
    test(`names the file as it was uploaded: ${what}`, async ({ service }) => {
      const { id } = await addMedia(service, filename);
      for (const method of ['GET', 'HEAD']) {
        const response = await fetchContent(service, id, { method });
        expect(response.status).toBe(200);
        expect(response.headers.get('content-disposition')).toBe(expected);
        await response.arrayBuffer();
      }
    });
  }

  test('stays short for the longest name, and still says how it starts', async ({ service }) => {
    const { id, originalFileName } = await addMedia(service, '😀'.repeat(255));
    expect(originalFileName).toBe('😀'.repeat(255));
    const response = await fetchContent(service, id, { method: 'HEAD' });
    const header = response.headers.get('content-disposition') ?? '';
    expect(header.length).toBeLessThan(1000);
    expect(header).toContain(`filename*=UTF-8''${'%F0%9F%98%80'.repeat(10)}`);
  });
});
