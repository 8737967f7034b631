import { expect } from 'vitest';
import { test as base, startService, type TestService, token } from '../../support/service.ts';

interface OrgUnit {
  readonly org_unit_id: number;
  readonly name: string;
  readonly parent_id: number | null;
  readonly path: readonly string[];
}

interface Found {
  readonly org_units: readonly OrgUnit[];
  readonly total: number;
}

/** Units: 1 ─ 2 (Sales) ─ 13 (Übersee 100%), 1 ─ 12 (sales_two), and 4, a root of its own, with 41 below it. */
const test = base.extend<{ grown: TestService }>({
  grown: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await startService();
      await service.rows(`insert into org_units (id, parent_id, name, path) values
        (2, 1, 'Sales', '/1/2/'), (13, 2, 'Übersee 100%', '/1/2/13/'), (12, 1, 'sales_two', '/1/12/'),
        (4, null, 'Other', '/4/'), (41, 4, 'Sales elsewhere', '/4/41/')`);
      await use(service);
      await service.close();
    },
    { scope: 'file' },
  ],
});

const find = async (service: TestService, query: string, orgUnitId = 1) => {
  const answer = await service.get<Found>(`/v3/org-units${query}`, {
    token: token({ orgUnitId, role: 'read_only' }),
  });
  expect(answer.status).toBe(200);
  return answer.body.data;
};

test('org units are found with the names that lead to them, and none outside the tree', async ({ grown }) => {
  expect(await find(grown, '')).toEqual({
    org_units: [
      { org_unit_id: 1, name: 'Default', parent_id: null, path: ['Default'] },
      { org_unit_id: 2, name: 'Sales', parent_id: 1, path: ['Default', 'Sales'] },
      { org_unit_id: 12, name: 'sales_two', parent_id: 1, path: ['Default', 'sales_two'] },
      { org_unit_id: 13, name: 'Übersee 100%', parent_id: 2, path: ['Default', 'Sales', 'Übersee 100%'] },
    ],
    total: 4,
  });
});

test('what is above the unit of a token does not exist for it', async ({ grown }) => {
  expect(await find(grown, '', 2)).toEqual({
    org_units: [
      { org_unit_id: 2, name: 'Sales', parent_id: null, path: ['Sales'] },
      { org_unit_id: 13, name: 'Übersee 100%', parent_id: 2, path: ['Sales', 'Übersee 100%'] },
    ],
    total: 2,
  });
  expect((await find(grown, '', 41)).org_units).toEqual([
    { org_unit_id: 41, name: 'Sales elsewhere', parent_id: null, path: ['Sales elsewhere'] },
  ]);
  expect(await find(grown, '', 999_999)).toEqual({ org_units: [], total: 0 });
});

test.for([
  ['SALES', [2, 12]],
  ['sales_', [12]],
  ['0%', [13]],
  ['übers', [13]],
  ['\\', []],
  ['nobody', []],
] as const)('a part of the name in any case: %s', async ([part, ids], { grown }) => {
  const { org_units: units, total } = await find(grown, `?name=${encodeURIComponent(part)}`);
  expect(units.map(({ org_unit_id: id }) => id)).toEqual(ids);
  expect(total).toBe(ids.length);
});

test('some are found by their IDs, those within reach', async ({ grown }) => {
  const some = await find(grown, '?ids=13,4,12,999999,12');
  expect(some.org_units.map(({ org_unit_id: id }) => id)).toEqual([12, 13]);
  expect(some.total).toBe(2);
  expect((await find(grown, '?ids=13,12&name=two')).org_units.map(({ name }) => name)).toEqual(['sales_two']);
  expect(await find(grown, '?ids=1', 2)).toEqual({ org_units: [], total: 0 });
  const most = Array.from({ length: 200 }, (_, i) => 999_999_999_999_000 + i).join();
  expect((await find(grown, `?ids=${most}`)).total).toBe(0);
});

test('pages are as long as was asked for, and the total is that of all', async ({ grown }) => {
  const first = await find(grown, '?limit=3');
  const second = await find(grown, '?limit=3&offset=3');
  expect([first, second].map((page) => page.org_units.map(({ org_unit_id: id }) => id))).toEqual([
    [1, 2, 12],
    [13],
  ]);
  expect([first.total, second.total]).toEqual([4, 4]);
  expect(await find(grown, '?limit=3&offset=4')).toEqual({ org_units: [], total: 4 });
});

test('one is found by its ID, where the token reaches it', async ({ grown }) => {
  const { status, body } = await grown.get<OrgUnit>('/v3/org-units/13', { token: token({ orgUnitId: 2 }) });
  expect(status).toBe(200);
  expect(body.data).toEqual({
    org_unit_id: 13,
    name: 'Übersee 100%',
    parent_id: 2,
    path: ['Sales', 'Übersee 100%'],
  });
  for (const beyond of [1, 12, 4, 41, 999_999]) {
    const refused = await grown.get(`/v3/org-units/${beyond}`, { token: token({ orgUnitId: 2 }) });
    expect({ beyond, status: refused.status }).toEqual({ beyond, status: 404 });
    expect(refused.body.errors).toMatchObject([{ field: 'org_unit_id', code: 'not_found' }]);
  }
});

test.for([
  ['?limit=0', 'limit'],
  ['?limit=201', 'limit'],
  ['?offset=-1', 'offset'],
  ['?name=a%00b', 'name'],
  [`?name=${'x'.repeat(256)}`, 'name'],
  ['?name=a&name=b', 'name'],
  ['?ids=', 'ids'],
  ['?ids=1,', 'ids'],
  ['?ids=1,0', 'ids'],
  ['?ids=1&ids=2', 'ids'],
  ['?ids=1%20,2', 'ids'],
  [`?ids=${'1,'.repeat(200)}1`, 'ids'],
  ['?ids=1234567890123456', 'ids'],
  ['/0', 'org_unit_id'],
  ['/first', 'org_unit_id'],
] as const)('a question that makes no sense is refused: %s', async ([rest, field], { grown }) => {
  const { status, body } = await grown.get(`/v3/org-units${rest}`);
  expect(status).toBe(400);
  expect(body.errors).toMatchObject([{ field }]);
});

test('they need a token, and take no other method', async ({ grown }) => {
  for (const path of ['/v3/org-units', '/v3/org-units/1']) {
    expect((await grown.get(path, { token: null })).status).toBe(401);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const { status, headers } = await grown.call(method, path);
      expect({ path, method, status }).toEqual({ path, method, status: 405 });
      expect(headers.get('allow')).toBe('GET, HEAD');
    }
  }
});
