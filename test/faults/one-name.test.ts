import { expect, test } from 'vitest';
import { noise } from '../support/wav.ts';
import { audit } from './audit.ts';
import { createBook } from './book.ts';
import { type Answer, createAsk, formOf, parse, V3 } from './http.ts';
import { report, scaled } from './scale.ts';
import { newDataDir, startService } from './service.ts';

const ROUNDS = scaled(20, 3);
const AT_ONCE = 50;

const countOf = (answers: readonly Answer[]) => {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

test(`${AT_ONCE} uploads of one name give one prompt, and ${AT_ONCE} deletes of it one success`, {
  timeout: ROUNDS * 10_000,
}, async () => {
  const service = await startService(await newDataDir());
  const ask = createAsk(service.base);
  const book = createBook();
  for (let round = 1; round <= ROUNDS; round += 1) {
    const name = `One name ${round}`;
    // Bytes differ, so that a row of one with the bytes of another would be seen.
    const contents = Array.from({ length: AT_ONCE }, (_, i) => noise(3_000 + 2 * i, round * 100 + i));
    const uploads = await Promise.all(
      contents.map((content, i) =>
        ask.upload(V3, formOf('v3', i % 2 === 0 ? name : name.toUpperCase(), content)),
      ),
    );
    expect(countOf(uploads)).toEqual({ 201: 1, 400: AT_ONCE - 1 });
    const winner = uploads.findIndex(({ status }) => status === 201);
    const answer = uploads[winner];
    const { data } = parse(answer?.body ?? Buffer.alloc(0)) as {
      data: { name: string; media_prompt_id: number };
    };
    book.uploading(data.name, 'v3', contents[winner] ?? Buffer.alloc(0));
    book.uploaded(data.name, answer);
    for (const { status, body } of uploads) {
      const { errors } = parse(body) as { errors?: readonly { field: string; code: string }[] };
      if (status === 400)
        expect(errors).toEqual([expect.objectContaining({ field: 'name', code: 'name_taken' })]);
    }
    await audit(service, book, { isSettled: true });

    const path = `${V3}/${data.media_prompt_id}`;
    const deletes = await Promise.all(Array.from({ length: AT_ONCE }, () => ask('DELETE', path)));
    expect(countOf(deletes)).toEqual({ 200: 1, 404: AT_ONCE - 1 });
    book.deleted(
      data.name,
      'either',
      deletes.find(({ status }) => status === 200),
    );
    await audit(service, book, { isSettled: true });
  }
  ask.close();
  report('one name', { rounds: ROUNDS, 'uploads a round': AT_ONCE, 'deletes a round': AT_ONCE });
  expect(await service.end('SIGTERM')).toBe(0);
});
