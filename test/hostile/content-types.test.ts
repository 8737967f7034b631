import { expect } from 'vitest';
import { fixture, multipart, promptForm } from '../support/multipart.ts';
import { type Group, test } from './audit.ts';

/** Spellings of one type: those that a framework took for another type, or for none, and so did not check. */
const SPELLINGS_OF_JSON = [
  'application/json',
  'application/JSON',
  'APPLICATION/JSON',
  'Application/Json',
  'application/json;',
  'application/json ;',
  'application/json; ;',
  'application/json;;;',
  'application/json\t',
  'application/json\t; charset=utf-8',
  '\tapplication/json',
  ' application/json',
  'application/json ',
  'application/json; charset=utf-8',
  'application/json;charset=utf-8',
  'application/json; charset="utf-8"',
  'application/json; charset=utf-7',
  'application/json; foo=bar; foo=baz',
  'application/json, text/plain',
  'application/json,',
  'application/json; charset',
  'application/json\u00a0',
  'application /json',
  'application/ json',
  'application/json/json',
  'application/json+json',
  'application//json',
  'application/x-json',
  'text/json',
  'json',
  'application/problem+json',
  'application/*',
  '*/*',
];

/** None of these leaves a good description behind. */
const BAD_BODIES = [
  '{"description":5}',
  '{"description":["x"]}',
  '{"description":{"a":1}}',
  `{"description":"${'x'.repeat(1001)}"}`,
  '{"description":"a\\u0000b"}',
  '["description"]',
  '"description"',
  '5',
  'null',
  '{"description":"x"',
  'description=x',
];

async function addMedia(group: Group): Promise<string> {
  const { body, contentType } = multipart([
    { name: 'File', content: fixture('tone.wav'), filename: 'typed.wav', type: 'audio/wav' },
  ]);
  const headers = { 'Content-Type': contentType };
  const added = await group.ask({ method: 'POST', target: '/api/v1/media', headers, body });
  expect(added.status).toBe(201);
  return `/api/v1/media/${JSON.parse(added.body.toString()).id}`;
}

test('a bad JSON body is refused however its type is spelled', async ({ group }) => {
  const target = await addMedia(group);
  const cases = SPELLINGS_OF_JSON.flatMap((type) => BAD_BODIES.map((body) => [type, body] as const));
  await group.each(cases, async ([type, body], ask) => {
    const answer = await ask({ method: 'PATCH', target, headers: { 'Content-Type': type }, body });
    expect([400, 413, 415]).toContain(answer.status);
  });
  const { body } = await group.ask({ method: 'GET', target });
  expect(JSON.parse(body.toString()).description).toBeNull();
});

test('a good JSON body is taken or refused by its type, and nothing in between', async ({ group }) => {
  const target = await addMedia(group);
  for (const [i, type] of SPELLINGS_OF_JSON.entries()) {
    const before = JSON.parse((await group.ask({ method: 'GET', target })).body.toString()).description;
    const body = JSON.stringify({ description: `as ${i}` });
    const answer = await group.ask({ method: 'PATCH', target, headers: { 'Content-Type': type }, body });
    expect([200, 415], type).toContain(answer.status);
    const after = JSON.parse((await group.ask({ method: 'GET', target })).body.toString()).description;
    expect(after, type).toBe(answer.status === 200 ? `as ${i}` : before);
  }
});

const { body: form, contentType } = multipart(promptForm('Never stored by its type'));
const boundary = contentType.slice(contentType.indexOf('boundary=') + 'boundary='.length);

/** What an upload may say it is. The form is whole under each; only what says so is one. */
const TYPES_OF_UPLOAD: readonly (readonly [type: string, isForm: boolean | 'either'])[] = [
  ['', false],
  [';', false],
  [';;;', false],
  ['/', false],
  ['multipart', false],
  ['multipart/', false],
  ['multipart/mixed', false],
  [`multipart/mixed; boundary=${boundary}`, false],
  [`multipart/related; boundary=${boundary}`, false],
  [`multipart/byteranges; boundary=${boundary}`, false],
  ['application/json', false],
  ['application/x-www-form-urlencoded', false],
  ['application/octet-stream', false],
  ['application/xml', false],
  ['application/graphql', false],
  ['text/plain', false],
  ['text/html', false],
  ['audio/wav', false],
  ['toString', false],
  ['__proto__', false],
  ['constructor/prototype', false],
  [`xmultipart/form-data; boundary=${boundary}`, false],
  [`text/plain; multipart/form-data; boundary=${boundary}`, false],
  [`multipart/form-data, multipart/form-data; boundary=${boundary}`, 'either'],
  ['multipart/form-data', false],
  ['multipart/form-data;', false],
  ['multipart/form-data; boundary', false],
  ['multipart/form-data; boundary=', false],
  ['multipart/form-data; boundary=""', false],
  ['multipart/form-data; boundary="', false],
  [`multipart/form-data; boundary="${boundary}`, 'either'],
  ['multipart/form-data; boundary=another', false],
  [`multipart/form-data; boundary=another; boundary=${boundary}`, 'either'],
  [`multipart/form-data; boundary=${boundary}; boundary=another`, 'either'],
  [`multipart/form-data boundary=${boundary}`, 'either'],
  [`multipart/form-data; x-boundary=${boundary}`, false],
  [`multipart/form-data-x; boundary=${boundary}`, 'either'],
  [`multipart/form-data; charset=utf-16; boundary=${boundary}`, 'either'],
  [`multipart/form-data; boundary*=utf-8''${boundary}`, 'either'],
  [`multipart/form-data; boundary=${'x'.repeat(10_000)}`, false],
  [`multipart/form-data; ${'a=b; '.repeat(1000)}boundary=${boundary}`, 'either'],
  [`multipart/form-data; a=${'"'.repeat(5000)}; boundary=${boundary}`, 'either'],
  [`multipart/form-data; a=${'\\'.repeat(5000)}; boundary=${boundary}`, 'either'],
  [`multipart/form-data; boundary=${boundary}`, true],
  [`multipart/form-data;boundary=${boundary}`, true],
  [`MULTIPART/FORM-DATA; BOUNDARY=${boundary}`, true],
  [`Multipart/Form-Data; Boundary="${boundary}"`, true],
  [`multipart/form-data; charset=utf-8; boundary=${boundary}`, true],
  [`multipart/form-data; boundary=${boundary}; charset=utf-8`, true],
];

for (const target of ['/v3/media-prompts', '/api/v1/media']) {
  test(`only a form is an upload to ${target}`, async ({ group }) => {
    const parts = (name: string) =>
      target.startsWith('/v3')
        ? promptForm(name)
        : [{ name: 'File', content: fixture('tone.wav'), filename: `${name}.wav`, type: 'audio/wav' }];
    await group.each(TYPES_OF_UPLOAD.entries(), async ([i, [type, isForm]], ask) => {
      const { body } = multipart(parts(`Typed ${i}`));
      const answer = await ask({ method: 'POST', target, headers: { 'Content-Type': type }, body });
      if (answer.status !== 201) expect([400, 415]).toContain(answer.status);
      if (isForm !== 'either') expect(answer.status === 201).toBe(isForm);
    });
    const untyped = await group.ask({ method: 'POST', target, body: form });
    expect([400, 415]).toContain(untyped.status);
  });
}

test('a type on what takes no body is no matter', async ({ group }) => {
  const types = [...SPELLINGS_OF_JSON, ...TYPES_OF_UPLOAD.map(([type]) => type)];
  await group.each(types, async (type, ask) => {
    const headers = { 'Content-Type': type };
    for (const target of ['/v3/media-prompts?limit=1', '/api/v1/media?pageSize=1']) {
      expect((await ask({ method: 'GET', target, headers })).status).toBe(200);
    }
    const gone = await ask({ method: 'DELETE', target: '/v3/media-prompts/999999999', headers });
    // A type that is none by its grammar is a fault, whatever it is of.
    expect([400, 404]).toContain(gone.status);
    const media = '/api/v1/media/00000000-0000-7000-8000-000000000000';
    const none = await ask({ method: 'DELETE', target: media, headers });
    expect([400, 404, 415]).toContain(none.status);
  });
});
