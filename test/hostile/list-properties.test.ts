import fc from 'fast-check';
import { expect } from 'vitest';
import { promptForm } from '../support/multipart.ts';
import { startService, type TestService, token, type WirePrompt } from '../support/service.ts';
import { type Ask, test as base, type Group, MANY_REQUESTS } from './audit.ts';
import { anyText, holds } from './properties.ts';

const TYPES = ['prompt', 'whisper', 'voicemail', 'survey'] as const;
const SOUNDS = ['tone.wav', 'mulaw.wav', 'tone.mp3', 'tone.flac', 'live.webm'] as const;
const LETTERS = [..."aAbB%_\\ 0'ÄäéÉ"];
/** Prompts in the library, spread over these units: 1 ─ 2 ─ 3, and 4, which the token does not reach. */
const COUNT = 60;
const BELOW: Readonly<Record<number, readonly number[]>> = { 1: [1, 2, 3], 2: [2, 3], 3: [3] };

type Row = WirePrompt & {
  readonly name: string;
  readonly org_unit_id: number;
  readonly message_type: string;
};

const test = base.extend<{ service: TestService }>({
  service: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await startService(MANY_REQUESTS);
      await service.rows(`insert into org_units (id, parent_id, name, path) values
        (2, 1, 'Sales', '/1/2/'), (3, 2, 'Berlin', '/1/2/3/'), (4, null, 'Other', '/4/')`);
      for (let i = 0; i < COUNT; i += 1) {
        const letters = Array.from({ length: 4 }, (_, j) => LETTERS[(i * 7 + j * (i + 3)) % LETTERS.length]);
        const form = promptForm(`${letters.join('')}x${i}`, {}, SOUNDS[i % SOUNDS.length]).map((part) =>
          part.name === 'message_type' ? { ...part, content: TYPES[i % 3] ?? '' } : part,
        );
        const { status } = await service.upload(form, { token: token({ orgUnitId: (i % 4) + 1 }) });
        expect(status).toBe(201);
      }
      await use(service);
      await service.close();
    },
    { scope: 'file' },
  ],
});

/** All that the token reaches, as single gets show them but for what only they have. */
async function rowsOf(service: TestService): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const { id } of await service.rows<{ id: number }>(
    'select id::int from prompts where org_unit_id < 4',
  )) {
    const { body } = await service.get<Row>(`/v3/media-prompts/${id}`);
    const { renditions: _renditions, audio_report: _report, ...row } = body.data;
    rows.push(row as Row);
  }
  expect(rows).toHaveLength((COUNT * 3) / 4);
  return rows;
}

const fold = (text: string) => text.normalize('NFC').toLowerCase();
/** The database compares names by their bytes. */
const byBytes = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other));

const KEYS = {
  created_on: (one: Row, other: Row) => byBytes(String(one['created_on']), String(other['created_on'])),
  name: (one: Row, other: Row) => byBytes(fold(one.name), fold(other.name)),
  message_type: (one: Row, other: Row) => byBytes(one.message_type, other.message_type),
  duration_ms: (one: Row, other: Row) =>
    Number(one['duration_ms'] ?? -1) - Number(other['duration_ms'] ?? -1),
  file_size: (one: Row, other: Row) => Number(one['file_size']) - Number(other['file_size']),
} as const;

interface Query {
  readonly org_unit_id?: string | undefined;
  readonly message_type?: string | undefined;
  readonly name?: string | undefined;
  readonly sort_by?: string | undefined;
  readonly sort_order?: string | undefined;
  readonly limit?: string | undefined;
  readonly offset?: string | undefined;
  readonly [stranger: string]: string | undefined;
}

/** What such a query finds, in its order. */
function found(rows: readonly Row[], query: Query): readonly Row[] {
  const units = BELOW[Number(query.org_unit_id ?? 1)] ?? [];
  const compare = KEYS[(query.sort_by ?? 'created_on') as keyof typeof KEYS];
  const direction = query.sort_order === 'asc' ? 1 : -1;
  return rows
    .filter((row) => units.includes(row.org_unit_id))
    .filter((row) => query.message_type === undefined || row.message_type === query.message_type)
    .filter((row) => fold(row.name).includes(fold(query.name ?? '')))
    .toSorted((a, b) => direction * (compare(a, b) || a.media_prompt_id - b.media_prompt_id));
}

const good = {
  org_unit_id: fc.constantFrom('1', '2', '3'),
  message_type: fc.constantFrom(...TYPES),
  name: fc.string({ unit: fc.constantFrom(...LETTERS, 'x'), maxLength: 2 }),
  sort_by: fc.constantFrom('created_on', 'name', 'message_type', 'duration_ms', 'file_size'),
  sort_order: fc.constantFrom('asc', 'desc'),
  limit: fc.integer({ min: 1, max: 200 }).map(String),
  offset: fc.integer({ min: 0, max: COUNT + 5 }).map(String),
};
const strangers = fc.dictionary(fc.constantFrom('page', 'LIMIT', 'constructor', 'a[b]', '%'), anyText(10), {
  maxKeys: 2,
});
const goodQueries = fc
  .tuple(fc.record(good, { requiredKeys: [] }), strangers)
  .map(([query, others]): Query => ({ ...others, ...query }));

/** Texts that are no value of any parameter but the name, which may not have a NUL or 256 characters. */
const bad = fc
  .oneof(fc.constantFrom('', '-1', '0x1', '1e1', ' 1', '1 ', 'NaN', '99999999999999999999'), anyText(8))
  .map((text) => `${text}!`);
const badQueries = fc.record(
  {
    org_unit_id: bad,
    message_type: bad,
    name: fc.constantFrom('a\0', 'x'.repeat(256)),
    sort_by: bad,
    sort_order: bad,
    limit: fc.oneof(bad, fc.constantFrom('0', '201')),
    offset: bad,
    cursor: bad,
  },
  { requiredKeys: [] },
);

const targetOf = (query: Readonly<Record<string, string | undefined>>) =>
  `/v3/media-prompts?${Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value ?? '')}`)
    .join('&')}`;

/** A property asks on one connection, one run after the other. */
async function withAsk(group: Group, work: (ask: Ask) => Promise<void>): Promise<void> {
  await group.each([undefined], async (_, ask) => work(ask));
}

async function page(ask: Ask, query: Query) {
  const answer = await ask({ method: 'GET', target: targetOf(query) });
  expect(answer.status, answer.body.toString()).toBe(200);
  return JSON.parse(answer.body.toString()).data as {
    readonly media_prompts: readonly Row[];
    readonly total: number;
    readonly next_cursor: string | null;
  };
}

test('any good query finds what the model finds, in its order, with the right total', async ({
  service,
  group,
}) => {
  const rows = await rowsOf(service);
  await withAsk(group, (ask) =>
    holds(
      fc.asyncProperty(goodQueries, async (query) => {
        const expected = found(rows, query);
        const offset = Number(query.offset ?? 0);
        const { media_prompts, total } = await page(ask, query);
        expect(media_prompts).toEqual(expected.slice(offset, offset + Number(query.limit ?? 100)));
        expect(total).toBe(expected.length);
      }),
      5,
    ),
  );
});

test('pages by cursor are the pages by offset', async ({ service, group }) => {
  const rows = await rowsOf(service);
  await withAsk(group, (ask) =>
    holds(
      fc.asyncProperty(
        goodQueries,
        fc.integer({ min: 5, max: 30 }),
        async ({ offset: _, ...query }, limit) => {
          const expected = found(rows, query);
          let cursor: string | undefined;
          for (let offset = 0; ; offset += limit) {
            const byCursor = await page(ask, { ...query, limit: String(limit), cursor });
            const byOffset = await page(ask, { ...query, limit: String(limit), offset: String(offset) });
            expect(byCursor).toEqual(byOffset);
            expect(byCursor.media_prompts).toEqual(expected.slice(offset, offset + limit));
            if (byCursor.next_cursor === null) break;
            cursor = byCursor.next_cursor;
          }
        },
      ),
      2,
    ),
  );
});

test('any query with a bad value is a 400 that names each parameter at fault and no other', async ({
  group,
}) => {
  await withAsk(group, (ask) =>
    holds(
      fc.asyncProperty(goodQueries, badQueries, async (query, wrong) => {
        if (Object.keys(wrong).length === 0) return;
        const answer = await ask({ method: 'GET', target: targetOf({ ...query, ...wrong }) });
        expect(answer.status).toBe(400);
        const { errors } = JSON.parse(answer.body.toString());
        const named = errors.map(({ field }: { field: string }) => field).sort();
        expect(named).toEqual(Object.keys(wrong).sort());
      }),
      5,
    ),
  );
});
