import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { multipart, promptForm } from '../support/multipart.ts';
import { test } from './audit.ts';

const OVERFLOWS = readFileSync(new URL('../corpus/integer-overflows.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '');

/** What stands for a number and is none of those that may stand there. */
const NO_NUMBERS = [
  ...OVERFLOWS.filter((line) => line !== '0'),
  '+1',
  '-0',
  '00',
  '01',
  '1.0',
  '1.5',
  '.1',
  '1.',
  '1e0',
  '1e3',
  '1E3',
  '0b1',
  '0o1',
  '1_000',
  '1,000',
  ' 1',
  '1 ',
  '1\t',
  '1\n',
  '1\0',
  '\u00a01',
  '1n',
  '1;',
  "1'",
  '1"',
  '1 or 1=1',
  "1' or '1'='1",
  '1; drop table prompts',
  '1/**/',
  '1--',
  '$1',
  '%s',
  '%d',
  '%x%x%x%n',
  '\u0024{1}',
  '{{1}}',
  'NaN',
  'Infinity',
  '-Infinity',
  'null',
  'undefined',
  'true',
  'false',
  '[]',
  '{}',
  '[1]',
  '[object Object]',
  '',
  '१',
  '１',
  '²',
  '1\u200b',
  '\ufeff1',
  '1\u0301',
  '9007199254740992',
  '9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775809',
  '18446744073709551616',
  '4294967296x',
  '340282366920938463463374607431768211456',
  '9'.repeat(400),
  '1'.repeat(5000),
  '__proto__',
  'constructor',
  '..',
  '.',
  '*',
];

/** Numbers of the right kind that no prompt has. */
const FAR_NUMBERS = ['2147483647', '2147483648', '4294967295', '4294967296', '9007199254740991'];

const NO_UUIDS = [
  ...NO_NUMBERS,
  '1',
  '00000000-0000-0000-0000-00000000000',
  '00000000-0000-0000-0000-0000000000000',
  '00000000000000000000000000000000',
  '{00000000-0000-7000-8000-000000000000}',
  'urn:uuid:00000000-0000-7000-8000-000000000000',
  '00000000-0000-7000-8000-00000000000g',
  '00000000-0000-7000-8000-000000000000 ',
  '00000000-0000-7000-8000-000000000000\0',
  '00000000-0000-7000-8000-000000000000\n',
  '00000000_0000_7000_8000_000000000000',
  "00000000-0000-7000-8000-00000000000'",
  '００000000-0000-7000-8000-000000000000',
];
const FAR_UUIDS = [
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  'FFFFFFFF-FFFF-4FFF-8FFF-FFFFFFFFFFFF',
  '00000000-0000-7000-8000-000000000000',
];

const METHODS = ['GET', 'HEAD', 'DELETE'] as const;

test('what is no ID is a 400, and what is the ID of nothing a 404', async ({ group }) => {
  const cases = [
    ...NO_NUMBERS.map((id) => ['/v3/media-prompts/', id, 400] as const),
    ...['0', ...FAR_NUMBERS].map((id) => ['/v3/media-prompts/', id, id === '0' ? 400 : 404] as const),
    ...NO_UUIDS.map((id) => ['/api/v1/media/', id, 400] as const),
    ...FAR_UUIDS.map((id) => ['/api/v1/media/', id, 404] as const),
  ];
  await group.each(cases, async ([prefix, id, expected], ask) => {
    for (const method of METHODS) {
      const { status } = await ask({ method, target: prefix + encodeURIComponent(id) }, 'either');
      // A path that ends without an ID is another path.
      if (id === '') expect([400, 404, 405]).toContain(status);
      else expect(status).toBe(expected);
    }
  });
});

test('a number in a query is one of those that may stand there, or a 400 that names it', async ({
  group,
}) => {
  const parameters = [
    ['/v3/media-prompts', 'limit'],
    ['/v3/media-prompts', 'offset'],
    ['/v3/media-prompts', 'org_unit_id'],
    ['/api/v1/media', 'page'],
    ['/api/v1/media', 'pageSize'],
  ] as const;
  const cases = parameters.flatMap(([path, name]) => NO_NUMBERS.map((value) => [path, name, value] as const));
  await group.each(cases, async ([path, name, value], ask) => {
    const answer = await ask({ method: 'GET', target: `${path}?${name}=${encodeURIComponent(value)}` });
    expect(answer.status).toBe(400);
    const refusal = JSON.parse(answer.body.toString());
    const named = path.startsWith('/v3')
      ? refusal.errors.map(({ field }: { field: string }) => field)
      : Object.keys(refusal.errors);
    expect(named).toEqual([name]);
  });
});

test('far numbers in a query are answered as near ones are', async ({ group }) => {
  await group.each(FAR_NUMBERS, async (value, ask) => {
    const statuses = [
      (await ask({ method: 'GET', target: `/v3/media-prompts?offset=${value}` })).status,
      (await ask({ method: 'GET', target: `/v3/media-prompts?limit=${value}` })).status,
      (await ask({ method: 'GET', target: `/v3/media-prompts?org_unit_id=${value}` })).status,
      (await ask({ method: 'GET', target: `/api/v1/media?page=${value}` })).status,
      (await ask({ method: 'GET', target: `/api/v1/media?page=${value}&pageSize=1000` })).status,
      (await ask({ method: 'GET', target: `/api/v1/media?pageSize=${value}` })).status,
    ];
    expect(statuses).toEqual([200, 400, 404, 200, 200, 400]);
  });
});

test('a number in a form is one of those that may stand there, or a 400 that names it', async ({ group }) => {
  await group.each([...NO_NUMBERS, ...FAR_NUMBERS], async (value, ask) => {
    for (const field of ['org_unit_id', 'recording_created_by']) {
      if (field === 'recording_created_by' && FAR_NUMBERS.includes(value)) continue;
      const { body, contentType } = multipart(promptForm(`Number ${field}`, { [field]: value }));
      const headers = { 'Content-Type': contentType };
      const answer = await ask({ method: 'POST', target: '/v3/media-prompts', headers, body });
      expect(answer.status).toBe(FAR_NUMBERS.includes(value) ? 404 : 400);
      const { errors } = JSON.parse(answer.body.toString());
      expect(errors.map(({ field }: { field: string }) => field)).toEqual([field]);
    }
  });
});

test('queries of strange shapes are read as plain ones or refused', async ({ group }) => {
  const queries = [
    'limit[]=1',
    'limit[$gt]=1',
    'limit[__proto__]=1',
    '__proto__[limit]=1',
    '__proto__=1',
    'constructor=1',
    'constructor[prototype][limit]=1',
    'toString=1',
    `${'a[]=1&'.repeat(1000)}limit=1`,
    `limit=${'1,'.repeat(2500)}`,
    `${'limit=1&'.repeat(500)}`,
    `a${'[b]'.repeat(2000)}=1`,
    '&&&&&',
    '=',
    '=&=',
    '=1',
    '%=1',
    '%zz=1',
    'limit=%',
    'limit=%zz',
    'limit=%31',
    'limit=%c0%b1',
    'limit=1%00',
    'limit=1;limit=2',
    'limit=1?limit=2',
    'limit=1#limit=2',
    'LIMIT=0',
    ' limit=0'.replace(' ', '%20'),
    'limit%00=0',
    'limit=1&limit=',
    'name[]=x',
    'name[a]=x',
    'name=x&name=y',
    'sort_by[]=name',
    'sort_by=__proto__',
    'sort_by=constructor',
    'sort_by=name&sort_by=name',
    'sort_order=__proto__',
    'message_type=__proto__',
    'cursor=__proto__',
    'cursor=',
    `cursor=${'A'.repeat(10_000)}`,
    'page=1&page=2',
  ];
  await group.each(queries, async (query, ask) => {
    for (const path of ['/v3/media-prompts', '/v3/media-prompts/list', '/api/v1/media']) {
      expect([200, 400]).toContain((await ask({ method: 'GET', target: `${path}?${query}` })).status);
    }
  });
});
