import { expect } from 'vitest';
import { multipart } from '../support/multipart.ts';
import { type Group, TONE, test } from './audit.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };

async function addMedia(group: Group): Promise<string> {
  const { body, contentType } = multipart([
    { name: 'File', content: TONE, filename: 'changed.wav', type: 'audio/wav' },
  ]);
  const headers = { 'Content-Type': contentType };
  const added = await group.ask({ method: 'POST', target: '/api/v1/media', headers, body });
  return `/api/v1/media/${JSON.parse(added.body.toString()).id}`;
}

const nested = (open: string, depth: number, close = '') => open.repeat(depth) + close.repeat(depth);

/** Bodies of which none changes anything. */
const REFUSED: readonly (readonly [what: string, body: string | Buffer])[] = [
  ['7000 brackets', nested('[', 7000)],
  ['7000 brackets, closed', nested('[', 7000, ']')],
  ['2000 objects', nested('{"description":', 2000, '}')],
  ['a description 3000 deep', `{"description":${nested('[', 3000, ']')}}`],
  ['50 000 brackets', nested('[', 50_000, ']')],
  ['2 MB of text', JSON.stringify({ description: 'x'.repeat(2_000_000) })],
  ['2 MB of members', `{${'"a":1,'.repeat(300_000)}"b":2}`],
  ['2 MB of white space', ' '.repeat(2_000_000)],
  ['a number of 10 000 digits', `{"description":${'9'.repeat(10_000)}}`],
  ['1e999', '{"description":1e999}'],
  ['NaN', '{"description":NaN}'],
  ['a comment', '{"description":"x"} // y'],
  ['two documents', '{"description":"x"}{"description":"y"}'],
  ['a trailing comma', '{"description":"x",}'],
  ['single quotes', "{'description':'x'}"],
  ['a NUL', '{"description":"x"}\0'],
  ['a raw line break in a text', '{"description":"a\nb"}'],
  ['half an escape', '{"description":"\\u12"}'],
  ['UTF-16', Buffer.from('{"description":"x"}', 'utf16le')],
  ['BSON-like bytes', Buffer.from('160000000264657363000200000078000000', 'hex')],
  ['__proto__ as a member', '{"__proto__":{"description":"x"}}'],
  ['__proto__ beside it', '{"description":"x","__proto__":{"polluted":true}}'],
  ['__proto__ further in', '{"description":"x","a":{"__proto__":{"polluted":true}}}'],
  ['an escaped __proto__', '{"description":"x","\\u005f_proto__":{"polluted":true}}'],
  ['constructor.prototype', '{"description":"x","constructor":{"prototype":{"polluted":true}}}'],
  ['a description that is true', '{"description":true}'],
  ['a description with toString', '{"description":{"toString":"x","length":3}}'],
];

test('a hostile JSON body is refused and changes nothing', async ({ group }) => {
  const target = await addMedia(group);
  await group.each(REFUSED, async ([, body], ask) => {
    const { status } = await ask({ method: 'PATCH', target, headers: JSON_TYPE, body });
    expect([400, 413]).toContain(status);
  });
  const { body } = await group.ask({ method: 'GET', target });
  expect(JSON.parse(body.toString()).description).toBeNull();
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

/** Names that every object has, or that other formats give a meaning; as members they are unknown ones. */
const NAMES = [
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__defineGetter__',
  '__lookupSetter__',
  'isPrototypeOf',
  'constructor',
  'then',
  'toJSON',
  'length',
  'id',
  'org_unit_id',
  'fileName',
  'createdTime',
  '$where',
  '$ref',
  '',
  '\u0000',
  'description\u0000',
  'Description',
  'description ',
];

test('members it does not know are ignored, whatever they are called', async ({ group }) => {
  const target = await addMedia(group);
  const before = JSON.parse((await group.ask({ method: 'GET', target })).body.toString());
  await group.each(NAMES, async (name, ask) => {
    for (const value of ['x', 1, null, ['x'], { x: 1 }]) {
      const body = JSON.stringify({ [name]: value, description: 'kept' });
      const answer = await ask({ method: 'PATCH', target, headers: JSON_TYPE, body });
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body.toString())).toEqual({ ...before, description: 'kept' });
    }
  });
});

test('a body is refused where none is taken, or left alone', async ({ group }) => {
  const bodies = ['{', '[[[[', '{"__proto__":1}', 'x'.repeat(100_000), '\0'];
  await group.each(bodies, async (body, ask) => {
    for (const target of [
      '/v3/media-prompts/999999999',
      '/api/v1/media/00000000-0000-7000-8000-000000000000',
    ]) {
      for (const method of ['GET', 'HEAD', 'DELETE']) {
        const { status } = await ask({ method, target, headers: JSON_TYPE, body });
        expect([400, 404, 413]).toContain(status);
      }
    }
  });
});
