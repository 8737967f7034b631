import { describe, expect } from 'vitest';
import { promptForm } from '../../support/multipart.ts';
import {
  test as base,
  startService,
  type TestService,
  token,
  type WirePrompt,
} from '../../support/service.ts';

interface List {
  readonly media_prompts: readonly WirePrompt[];
  readonly total: number;
  readonly next_cursor: string | null;
}

/**
 * Units: 1 ─ 2 (Sales) ─ 3 (Berlin), and 4, a root of its own.
 * Prompts of different formats, so that sizes and durations differ.
 */
const PROMPTS = [
  { name: 'alpha 100%', unit: 1, type: 'prompt', audio: 'tone.wav' },
  { name: 'Bravo_one', unit: 2, type: 'whisper', audio: 'tone.mp3' },
  { name: 'charlie', unit: 3, type: 'prompt', audio: 'tone.flac' },
  { name: 'Delta ÄÖ', unit: 3, type: 'survey', audio: 'tone.ogg' },
  { name: 'echo 100', unit: 1, type: 'prompt', audio: 'mulaw.wav' },
  { name: 'foxtrot', unit: 4, type: 'voicemail', audio: 'tone.webm' },
] as const;

const test = base.extend<{ filled: TestService }>({
  filled: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await startService();
      await service.rows(`insert into org_units (id, parent_id, name, path) values
        (2, 1, 'Sales', '/1/2/'), (3, 2, 'Berlin', '/1/2/3/'), (4, null, 'Other', '/4/')`);
      for (const { name, unit, type, audio } of PROMPTS) {
        const form = promptForm(name, { org_unit_id: String(unit) }, audio).filter(
          (part) => part.name !== 'message_type',
        );
        const { status } = await service.upload([...form, { name: 'message_type', content: type }], {
          token: token({ orgUnitId: unit }),
        });
        expect(status).toBe(201);
      }
      await use(service);
      await service.close();
    },
    { scope: 'file' },
  ],
});

const list = async (service: TestService, query: string, orgUnitId = 1) => {
  const { status, body } = await service.get<List>(`/v3/media-prompts${query}`, {
    token: token({ orgUnitId, role: 'read_only' }),
  });
  expect(status).toBe(200);
  return { names: body.data.media_prompts.map(({ filename }) => filename), ...body.data };
};

describe('what a list holds', () => {
  test('is newest first, with descendants and the exact total, in the envelope', async ({ filled }) => {
    const { status, body } = await filled.get<List>('/v3/media-prompts');
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['code', 'message', 'data', 'request_id', 'timestamp']);
    expect(Object.keys(body.data)).toEqual(['media_prompts', 'total', 'next_cursor']);
    expect(body.data).toMatchObject({ total: 5, next_cursor: null });
    expect(body.data.media_prompts.map(({ filename }) => filename)).toEqual([
      'echo 100',
      'Delta ÄÖ',
      'charlie',
      'Bravo_one',
      'alpha 100%',
    ]);
  });

  test('answers the same under its alias', async ({ filled }) => {
    const [plain, alias] = await Promise.all([
      filled.get<List>('/v3/media-prompts?limit=2'),
      filled.get<List>('/v3/media-prompts/list?limit=2'),
    ]);
    expect(alias.body.data).toEqual(plain.body.data);
  });

  test('shows a prompt as the upload and the single get show it', async ({ filled }) => {
    const [listed] = (await list(filled, '?limit=1')).media_prompts;
    const { body } = await filled.get<WirePrompt>(`/v3/media-prompts/${listed?.media_prompt_id}`);
    expect(body.data).toMatchObject(listed as object);
  });

  const FILTERS = [
    ['?org_unit_id=2', ['Delta ÄÖ', 'charlie', 'Bravo_one']],
    ['?org_unit_id=3', ['Delta ÄÖ', 'charlie']],
    ['?message_type=prompt', ['echo 100', 'charlie', 'alpha 100%']],
    ['?message_type=voicemail', []],
    ['?name=RAV', ['Bravo_one']],
    ['?name=%C3%A4%C3%B6', ['Delta ÄÖ']],
    ['?name=100%25', ['alpha 100%']],
    ['?name=o_o', ['Bravo_one']],
    ['?name=_', ['Bravo_one']],
    ['?name=%5C', []],
    ['?name=', ['echo 100', 'Delta ÄÖ', 'charlie', 'Bravo_one', 'alpha 100%']],
    ['?org_unit_id=2&message_type=prompt&name=CHAR', ['charlie']],
    ['?surprise=1&limit=1', ['echo 100']],
  ] as const;
  for (const [query, names] of FILTERS) {
    test(`${query} finds ${names.length === 0 ? 'nothing' : names.join(', ')}`, async ({ filled }) => {
      const page = await list(filled, query);
      expect(page.names).toEqual(names);
      if (!query.includes('limit')) expect(page.total).toBe(names.length);
    });
  }

  test('a token sees its own unit and below, and no unit outside it', async ({ filled }) => {
    expect((await list(filled, '', 3)).names).toEqual(['Delta ÄÖ', 'charlie']);
    expect((await list(filled, '', 4)).names).toEqual(['foxtrot']);
    for (const unit of [1, 4, 999]) {
      const { status, body } = await filled.get(`/v3/media-prompts?org_unit_id=${unit}`, {
        token: token({ orgUnitId: 2 }),
      });
      expect(status).toBe(404);
      expect(body.errors).toMatchObject([{ field: 'org_unit_id', code: 'not_found' }]);
    }
  });
});

describe('a page of the usual length, which is asked for in another way,', () => {
  const forms = [1, 2, 3, 4].flatMap((unit) =>
    ['', '&message_type=prompt', '&message_type=survey'].flatMap((type) =>
      ['desc', 'asc'].map((order) => ({ unit, query: `&org_unit_id=${unit}${type}&sort_order=${order}` })),
    ),
  );

  test.for(forms)('is as one of forty-nine: $query', async ({ unit, query }, { filled }) => {
    const viewer = unit === 4 ? 4 : 1;
    const { next_cursor: cursor } = await list(filled, `?limit=1${query}`, viewer);
    for (const rest of [query, ...(cursor === null ? [] : [`${query}&cursor=${cursor}`])]) {
      const unusual = await list(filled, `?limit=49${rest}`, viewer);
      expect(await list(filled, `?limit=50${rest}`, viewer)).toEqual(unusual);
      expect(await list(filled, `?limit=100${rest}`, viewer)).toEqual(unusual);
      expect(unusual.total > 0).toBe(PROMPTS.some((prompt) => isIn(prompt, unit, query)));
    }
  });

  test('is refused for a unit that is out of reach', async ({ filled }) => {
    for (const [viewer, unit] of [
      [1, 4],
      [2, 1],
      [4, 99],
    ] as const) {
      const { status } = await filled.get(`/v3/media-prompts?limit=50&org_unit_id=${unit}`, {
        token: token({ orgUnitId: viewer }),
      });
      expect(status).toBe(404);
    }
  });

  /** 1 ─ 2 ─ 3, and 4. */
  const isIn = ({ unit, type }: (typeof PROMPTS)[number], root: number, query: string) =>
    (root === 4 ? unit === 4 : unit >= root && unit < 4) &&
    (!query.includes('message_type') || query.includes(`message_type=${type}&`));
});

describe('order', () => {
  const ORDERS = [
    ['sort_by=name&sort_order=asc', ['alpha 100%', 'Bravo_one', 'charlie', 'Delta ÄÖ', 'echo 100']],
    ['sort_by=name', ['echo 100', 'Delta ÄÖ', 'charlie', 'Bravo_one', 'alpha 100%']],
    ['sort_by=message_type&sort_order=asc', ['alpha 100%', 'charlie', 'echo 100', 'Delta ÄÖ', 'Bravo_one']],
    ['sort_by=created_on&sort_order=asc', ['alpha 100%', 'Bravo_one', 'charlie', 'Delta ÄÖ', 'echo 100']],
  ] as const;
  for (const [query, names] of ORDERS) {
    test(`${query} orders so, ties broken by id`, async ({ filled }) => {
      expect((await list(filled, `?${query}`)).names).toEqual(names);
    });
  }

  for (const key of ['duration_ms', 'file_size']) {
    test(`sort_by=${key} orders by it`, async ({ filled }) => {
      const ascending = await list(filled, `?sort_by=${key}&sort_order=asc`);
      const values = ascending.media_prompts.map((prompt) => Number(prompt[key]));
      expect(values).toEqual([...values].sort((a, b) => a - b));
      const descending = await list(filled, `?sort_by=${key}`);
      expect(descending.names).toEqual([...ascending.names].reverse());
    });
  }
});

describe('paging', () => {
  for (const sort of ['created_on', 'name', 'message_type', 'duration_ms', 'file_size']) {
    for (const order of ['asc', 'desc']) {
      test(`by ${sort} ${order}, cursor and offset walk the same list, each prompt once`, async ({
        filled,
      }) => {
        const query = `?sort_by=${sort}&sort_order=${order}`;
        const whole = (await list(filled, query)).names;
        const byOffset: string[] = [];
        const byCursor: string[] = [];
        for (let offset = 0; offset < 5; offset += 2) {
          byOffset.push(...(await list(filled, `${query}&limit=2&offset=${offset}`)).names);
        }
        for (let cursor = ''; ; ) {
          const page = await list(filled, `${query}&limit=2${cursor}`);
          expect(page.total).toBe(5);
          byCursor.push(...page.names);
          if (page.next_cursor === null) break;
          cursor = `&cursor=${page.next_cursor}`;
        }
        expect({ byOffset, byCursor }).toEqual({ byOffset: whole, byCursor: whole });
      });
    }
  }

  test('a cursor stays right while prompts come and go', async ({ filled }) => {
    const first = await list(filled, '?limit=3');
    const added = await filled.upload(promptForm('newcomer'));
    const second = await list(filled, `?limit=3&cursor=${first.next_cursor}`);
    await filled.call('DELETE', `/v3/media-prompts/${added.body.data.media_prompt_id}`);
    expect([...first.names, ...second.names]).toEqual([
      'echo 100',
      'Delta ÄÖ',
      'charlie',
      'Bravo_one',
      'alpha 100%',
    ]);
  });

  test('past the end is an empty page with the total', async ({ filled }) => {
    expect(await list(filled, '?offset=1000')).toMatchObject({ names: [], total: 5, next_cursor: null });
  });
});

describe('what a list refuses', () => {
  const REFUSALS = [
    ['limit=0', ['limit']],
    ['limit=201', ['limit']],
    ['limit=-1', ['limit']],
    ['limit=', ['limit']],
    ['limit=ten', ['limit']],
    ['limit=5&limit=6', ['limit']],
    ['limit=1e2', ['limit']],
    ['limit=%31%30%20', ['limit']],
    ['offset=-1', ['offset']],
    ['offset=9223372036854775808', ['offset']],
    ['sort_by=id', ['sort_by']],
    ['sort_by=name;drop', ['sort_by']],
    ['sort_order=DESC', ['sort_order']],
    ['message_type=ivr', ['message_type']],
    ['org_unit_id=abc', ['org_unit_id']],
    ['org_unit_id=0', ['org_unit_id']],
    ['name=a%00b', ['name']],
    ['cursor=nonsense', ['cursor']],
    ['cursor=W10', ['cursor']],
    ['limit=0&offset=x&sort_by=x&message_type=x', ['message_type', 'limit', 'offset', 'sort_by']],
  ] as const;
  for (const [query, fields] of REFUSALS) {
    test(`${query} is a 400 that names ${fields.join(', ')}`, async ({ filled }) => {
      const { status, body } = await filled.get(`/v3/media-prompts?${query}`);
      expect(status).toBe(400);
      expect(body.errors?.map(({ field, code }) => `${field} ${code}`)).toEqual(
        fields.map((field) => `${field} invalid`),
      );
    });
  }

  test('a cursor of another order, or with an offset, is refused', async ({ filled }) => {
    const { next_cursor } = await list(filled, '?limit=1');
    for (const query of [`sort_by=name&cursor=${next_cursor}`, `offset=1&cursor=${next_cursor}`]) {
      const { status, body } = await filled.get(`/v3/media-prompts?${query}`);
      expect(status).toBe(400);
      expect(body.errors).toMatchObject([{ field: 'cursor', code: 'invalid' }]);
    }
  });

  test('a name of 256 characters is too long to look for', async ({ filled }) => {
    const { status, body } = await filled.get(`/v3/media-prompts?name=${'x'.repeat(256)}`);
    expect(status).toBe(400);
    expect(body.errors).toMatchObject([{ field: 'name', code: 'too_long' }]);
  });
});
