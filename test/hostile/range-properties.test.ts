import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { expectAnswer } from '../playback/judging.ts';
import type { Sound } from '../playback/recordings.ts';
import { expectedOf, headerOf, type Wish } from '../playback/reference.ts';
import { file, multipart, text } from '../support/multipart.ts';
import { noise } from '../support/wav.ts';
import { type Group, test } from './audit.ts';
import { holds } from './properties.ts';

const SIZE = 1000;

async function addNoise(group: Group, name: string): Promise<Sound> {
  const bytes = noise(SIZE, 7);
  const { body, contentType } = multipart([file(bytes), text('name', name), text('message_type', 'prompt')]);
  const headers = { 'Content-Type': contentType };
  const added = await group.ask({ method: 'POST', target: '/v3/media-prompts', headers, body });
  expect(added.status).toBe(201);
  const { url, media_prompt_id: id } = JSON.parse(added.body.toString()).data;
  const hash = createHash('sha256').update(bytes).digest('hex');
  return { id, path: url, bytes, type: 'audio/wav', etag: `"${hash.slice(0, 32)}"` };
}

describe('a range', () => {
  const place = fc.oneof(fc.integer({ min: 0, max: SIZE + 20 }), fc.constantFrom(0, SIZE - 1, SIZE, 2 ** 40));
  const wish: fc.Arbitrary<Wish> = fc.oneof(
    fc.record({ kind: fc.constant('from-to' as const), first: place, last: place }),
    fc.record({ kind: fc.constant('from' as const), first: place }),
    fc.record({ kind: fc.constant('suffix' as const), length: place }),
  );

  test('gives the slices that it names, and nothing else', async ({ group }) => {
    const sound = await addNoise(group, 'Sliced');
    await group.each([undefined], async (_, ask) =>
      holds(
        fc.asyncProperty(fc.array(wish, { minLength: 1, maxLength: 12 }), async (wishes) => {
          const answer = await ask({
            method: 'GET',
            target: sound.path,
            headers: { Range: headerOf(wishes) },
          });
          expectAnswer(answer, 'GET', sound, expectedOf(wishes, SIZE));
        }),
        10,
      ),
    );
  });

  test('that is any text is answered with the whole, a part of it, or 416', async ({ group }) => {
    const sound = await addNoise(group, 'Asked for anyhow');
    const texts = fc.tuple(
      fc.constantFrom('bytes=', 'bytes=0-1,', 'bytes', '', 'Bytes=', 'items='),
      fc.string({ unit: fc.constantFrom(...'0123456789-,- =\t'), maxLength: 40 }),
    );
    await group.each([undefined], async (_, ask) =>
      holds(
        fc.asyncProperty(texts, async ([unit, rest]) => {
          const answer = await ask({ method: 'GET', target: sound.path, headers: { Range: unit + rest } });
          expect([200, 206, 416]).toContain(answer.status);
          if (answer.status === 200) expect(answer.body.equals(sound.bytes)).toBe(true);
          const [, first, last] =
            /^bytes (\d+)-(\d+)\/1000$/.exec(answer.headers['content-range'] ?? '') ?? [];
          if (first === undefined) return;
          expect(answer.body.equals(sound.bytes.subarray(Number(first), Number(last) + 1))).toBe(true);
        }),
        10,
      ),
    );
  });
});
