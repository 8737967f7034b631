import { randomUUID } from 'node:crypto';
import { describe, expect } from 'vitest';
import {
  addMedia,
  audio,
  callV1,
  changeMedia,
  expectProblem,
  MEDIA,
  uploadMedia,
} from '../../support/media.ts';
import { text } from '../../support/multipart.ts';
import { type TestService, test } from '../../support/service.ts';

const get = async (service: TestService, id: string) => await callV1(service, 'GET', `${MEDIA}/${id}`);

async function addDescribed(service: TestService, description: string) {
  const { status, body } = await uploadMedia(service, [audio(), text('Description', description)]);
  expect(status).toBe(201);
  return body;
}

describe('get', () => {
  test('answers what the upload answered, the ID in any case', async ({ service }) => {
    const uploaded = await addDescribed(service, 'To be read');
    for (const id of [uploaded.id, uploaded.id.toUpperCase()]) {
      const { status, body } = await get(service, id);
      expect([status, body]).toEqual([200, uploaded]);
    }
  });
});

describe('an ID', () => {
  const operations = [
    ['GET', ''],
    ['PATCH', ''],
    ['DELETE', ''],
    ['GET', '/content'],
  ] as const;
  const call = async (service: TestService, method: string, path: string) =>
    await callV1(service, method, path, {
      ...(method === 'PATCH' && { body: '{}', headers: { 'content-type': 'application/json' } }),
    });

  const bad = [
    '1',
    'abc',
    '%20',
    '%00',
    '%zz',
    'a'.repeat(300),
    '019a9f6e-3c4b-7d21-9a51-0e2f6c1d8b4',
    '019a9f6e3c4b7d219a510e2f6c1d8b47',
    '%7B019a9f6e-3c4b-7d21-9a51-0e2f6c1d8b47%7D',
    '019a9f6e-3c4b-7d21-9a51-0e2f6c1d8b4g',
  ];
  for (const id of bad) {
    test(`that is no UUID is a 400 everywhere: ${id.slice(0, 50)}`, async ({ service }) => {
      // What cannot be decoded never gets as far as being an ID.
      const fields = id === '%zz' ? [] : ['id'];
      for (const [method, rest] of operations) {
        const path = `${MEDIA}/${id}${rest}`;
        expectProblem(await call(service, method, path), { status: 400, path, fields });
      }
    });
  }

  test('that nobody has is a 404 everywhere', async ({ service }) => {
    const id = randomUUID();
    for (const [method, rest] of operations) {
      const path = `${MEDIA}/${id}${rest}`;
      expectProblem(await call(service, method, path), { status: 404, path });
    }
  });
});

describe('change', () => {
  test('sets the description, and nothing else', async ({ service }) => {
    const before = await addMedia(service, 'to describe.wav');
    const { status, body } = await changeMedia(service, before.id, { description: 'Now described' });
    expect([status, body]).toEqual([200, { ...before, description: 'Now described' }]);
    expect((await get(service, before.id)).body).toEqual(body);
  });

  test('of one among many at once is answered with what it set', async ({ service }) => {
    const { id } = await addMedia(service, 'to describe often.wav');
    const wanted = Array.from({ length: 40 }, (_, i) => `Description ${i}`);
    const answers = await Promise.all(wanted.map((description) => changeMedia(service, id, { description })));
    expect(answers.map(({ body }) => body.description)).toEqual(wanted);
  });

  for (const cleared of [null, '']) {
    test(`clears the description by ${JSON.stringify(cleared)}`, async ({ service }) => {
      const { id } = await addDescribed(service, 'To be cleared');
      const { status, body } = await changeMedia(service, id, { description: cleared });
      expect([status, body.description]).toEqual([200, null]);
      expect((await get(service, id)).body.description).toBeNull();
    });
  }

  const keeping = [{}, { fileName: 'mine.wav', id: 1, Description: 'of another name', nested: { a: [] } }];
  for (const change of keeping) {
    test(`changes nothing where there is no description: ${JSON.stringify(change)}`, async ({ service }) => {
      const before = await addDescribed(service, 'To be kept');
      const { status, body } = await changeMedia(service, before.id, change);
      expect([status, body]).toEqual([200, before]);
    });
  }

  test('takes 1000 characters, counted as people count, however they are escaped', async ({ service }) => {
    const { id } = await addMedia(service, 'longest.wav');
    const longest = '😀'.repeat(1000);
    const escaped = `{"description":"${'\\ud83d\\ude00'.repeat(1000)}"}`;
    for (const body of [JSON.stringify({ description: longest }), escaped]) {
      const answer = await callV1(service, 'PATCH', `${MEDIA}/${id}`, {
        body,
        headers: { 'content-type': 'application/json; charset=utf-8' },
      });
      expect([answer.status, answer.body.description]).toEqual([200, longest]);
    }
  });

  for (const description of [5, true, [], ['x'], {}, 'x'.repeat(1001), 'a\0b']) {
    test(`refuses ${JSON.stringify(description).slice(0, 20)} and keeps what was`, async ({ service }) => {
      const before = await addDescribed(service, 'To be kept');
      const answer = await changeMedia(service, before.id, { description });
      expectProblem(answer, { status: 400, path: `${MEDIA}/${before.id}`, fields: ['description'] });
      expect((await get(service, before.id)).body).toEqual(before);
    });
  }

  const JSON_TYPE = 'application/json';
  const bodies = [
    ['an array', JSON_TYPE, '[{"description":"x"}]', 400],
    ['null', JSON_TYPE, 'null', 400],
    ['a text', JSON_TYPE, '"description"', 400],
    ['a number', JSON_TYPE, '5', 400],
    ['malformed JSON', JSON_TYPE, '{"description":', 400],
    ['JSON with a prototype', JSON_TYPE, '{"__proto__":{"description":"x"}}', 400],
    ['nothing', JSON_TYPE, '', 400],
    ['nothing, of no type', undefined, undefined, 400],
    ['70 kB', JSON_TYPE, JSON.stringify({ description: 'x'.repeat(70_000) }), 413],
    ['a plain text', 'text/plain', 'x', 415],
    ['JSON of another kind', 'application/merge-patch+json', '{"description":"x"}', 415],
    ['JSON that says it is a plain text', 'text/plain', '{"description":"x"}', 415],
    ['a form', 'multipart/form-data; boundary=b', '--b--', 415],
    ['a type that is garbage', 'garbage', '{}', 415],
  ] as const;
  for (const [what, type, body, status] of bodies) {
    test(`of a body that is ${what} is a ${status} and keeps what was`, async ({ service }) => {
      const before = await addDescribed(service, 'To be kept');
      const path = `${MEDIA}/${before.id}`;
      const answer = await callV1(service, 'PATCH', path, {
        ...(body !== undefined && { body }),
        ...(type !== undefined && { headers: { 'content-type': type } }),
      });
      expectProblem(answer, { status, path });
      expect((await get(service, before.id)).body).toEqual(before);
    });
  }
});

describe('delete', () => {
  test('answers 204 without a body, and 404 the second time', async ({ service }) => {
    const { id, fileName } = await addMedia(service, 'to delete.wav');
    const path = `${MEDIA}/${id}`;
    const first = await callV1<unknown>(service, 'DELETE', path);
    expect([first.status, first.body, first.headers.get('content-type')]).toEqual([204, '', null]);
    expectProblem(await callV1(service, 'DELETE', path), { status: 404, path });
    expectProblem(await get(service, id), { status: 404, path });
    expectProblem(await changeMedia(service, id, { description: 'x' }), { status: 404, path });
    expectProblem(await changeMedia(service, id, {}), { status: 404, path });
    expect((await service.files()).published).not.toContain(fileName);
  });

  test('of 20 at once exactly one succeeds', async ({ service }) => {
    const { id } = await addMedia(service, 'delete race.wav');
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => callV1(service, 'DELETE', `${MEDIA}/${id}`)),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([204, ...Array.from({ length: 19 }, () => 404)]);
  });

  test('takes an empty body that says it is JSON', async ({ service }) => {
    const { id } = await addMedia(service, 'typed delete.wav');
    const { status } = await callV1(service, 'DELETE', `${MEDIA}/${id}`, {
      headers: { 'content-type': 'application/json' },
    });
    expect(status).toBe(204);
  });
});
