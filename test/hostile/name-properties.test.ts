import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { multipart, promptForm } from '../support/multipart.ts';
import { type Ask, test } from './audit.ts';
import { isSameName, nameOf } from './multipart-model.ts';
import { anyText, holds } from './properties.ts';

const TARGET = '/v3/media-prompts';

async function add(ask: Ask, name: string) {
  const { body, contentType } = multipart(promptForm(name));
  const answer = await ask({
    method: 'POST',
    target: TARGET,
    headers: { 'Content-Type': contentType },
    body,
  });
  return { status: answer.status, ...JSON.parse(answer.body.toString()) };
}

let count = 0;

describe('a name', () => {
  const spellings = [
    (name: string) => name.toUpperCase(),
    (name: string) => name.toLowerCase(),
    (name: string) => name.normalize('NFD'),
    (name: string) => name.normalize('NFD').toUpperCase(),
    (name: string) => `\u2003${name}\r\n`,
  ];

  test('is taken in every spelling that is the same, free in all others, and free again after a delete', async ({
    group,
  }) => {
    const names = fc.tuple(anyText(20), anyText(20), fc.constantFrom(...spellings));
    await group.each([undefined], async (_, ask) =>
      holds(
        fc.asyncProperty(names, async ([one, other, spell]) => {
          count += 1;
          // Marks at both ends keep it from what is trimmed, and from the names of other runs.
          const [first, second] = [one, other].map((text) => `${count}a${text.replaceAll('\0', '')}z`);
          const added = await add(ask, first ?? '');
          expect(added.status).toBe(201);
          expect(added.data.name).toBe(nameOf(first ?? ''));

          const again = await add(ask, spell(first ?? ''));
          expect(again.errors).toMatchObject([{ field: 'name', code: 'name_taken' }]);

          const another = await add(ask, second ?? '');
          expect(another.status).toBe(isSameName(first ?? '', second ?? '') ? 400 : 201);

          await ask({ method: 'DELETE', target: `${TARGET}/${added.data.media_prompt_id}` });
          if (another.status === 201) {
            await ask({ method: 'DELETE', target: `${TARGET}/${another.data.media_prompt_id}` });
          }
          const back = await add(ask, spell(first ?? ''));
          expect(back.status).toBe(201);
          await ask({ method: 'DELETE', target: `${TARGET}/${back.data.media_prompt_id}` });
        }),
        0.6,
      ),
    );
  });
});

describe('an ID', () => {
  test('is a 400 unless it is written as IDs are, and then a 404', async ({ group }) => {
    const ids = fc.oneof(
      anyText(20).filter((text) => text !== ''),
      fc.maxSafeNat().map(String),
      fc.bigInt().map(String),
      fc.double().map(String),
      fc.uuid(),
      fc.uuid().map((id) => id.replace('-', '')),
    );
    const isNumber = (id: string) => /^[1-9]\d{0,15}$/.test(id) && Number.isSafeInteger(Number(id));
    const isUuid = (id: string) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id);
    await group.each([undefined], async (_, ask) =>
      holds(
        fc.asyncProperty(ids, fc.constantFrom('GET', 'HEAD', 'DELETE'), async (id, method) => {
          const segment = encodeURIComponent(id);
          // A dot segment is a path of its own to nobody but a browser.
          const prompt = await ask({ method, target: `${TARGET}/${segment}` }, 'either');
          expect(prompt.status).toBe(isNumber(id) && Number(id) > 1_000_000 ? 404 : prompt.status);
          if (!isNumber(id)) expect(prompt.status).toBe(400);
          const media = await ask({ method, target: `/api/v1/media/${segment}` }, 'either');
          expect(media.status).toBe(isUuid(id) ? 404 : 400);
        }),
        5,
      ),
    );
  });
});
