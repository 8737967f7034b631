import { describe, expect } from 'vitest';
import { FORMATS } from '../../src/audio/formats.ts';
import { rebuildUsage } from '../../src/catalogue/usage.ts';
import { NAMES } from '../hostile/naughty-names.ts';
import { inDatabase } from '../support/database-server.ts';
import { audio, callV1, MEDIA, uploadMedia } from '../support/media.ts';
import { promptForm } from '../support/multipart.ts';
import {
  test as base,
  createDatabase,
  startService,
  type TestService,
  token,
  type WirePrompt,
} from '../support/service.ts';

interface List {
  readonly media_prompts: readonly WirePrompt[];
  readonly total: number;
  readonly next_cursor: string | null;
}

const LIST = '/v3/media-prompts';
const MANY_REQUESTS = { RATE_LIMIT_PER_MINUTE: '100000', RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '100000' };

/** Every character that JSON escapes, and some that it may. */
const ESCAPED = [
  ...Array.from({ length: 0x1f }, (_, code) => `a${String.fromCharCode(code + 1)}b`),
  ...[
    '"',
    '\\',
    '\\"',
    '/',
    '\u007f',
    '\u0085',
    '\u2028\u2029',
    '\ufffe',
    '\u{10ffff}',
    '\\u0000',
    '%s',
    "'",
  ],
];
const TEXTS = [...new Set([...NAMES, ...ESCAPED])].filter((text) => !text.includes('\0'));

/** With other digits in each, and in one another day than in UTC. */
const MOMENTS = ['56Z', '56.7Z', '56.78Z', '56.789Z', '56.009Z', '56.999Z'].map(
  (end) => `2026-01-20T23:34:${end}`,
);

/** Every format through both doors, what a form may leave out, and rows as no client could make them. */
async function fill(service: TestService): Promise<void> {
  for (const format of Object.keys(FORMATS)) {
    expect((await service.upload(promptForm(format, {}, `tone.${format}`))).status).toBe(201);
  }
  expect((await uploadMedia(service, [audio({ filename: '' })])).status).toBe(201);
  await service.rows(
    `with given as (
       select text, n, 'file-1700000000000-' || lpad(n::text, 39, '0') as blob_name,
         ($2::timestamptz[])[1 + n % array_length($2::timestamptz[], 1)] as moment
       from unnest($1::text[]) with ordinality as given (text, n)
     ), ledger as (
       insert into blobs (name, state, extension) select blob_name, 'kept', 'wav' from given
     ), recorded as (
       insert into recordings (blob_name, original_filename, file_size, sha256, container, codec)
       select blob_name, text, 1, repeat('0', 64), 'wav', 'pcm_s16le' from given returning id, blob_name
     )
     insert into prompts (uuid, org_unit_id, name, name_key, message_type, recording_id, recording_file_type,
       description, created_on, modified_on)
     select gen_random_uuid(), 1, text, 'key ' || n, 'survey', id, 'uploaded', text, moment, moment
     from given join recorded using (blob_name)`,
    [TEXTS, MOMENTS],
  );
  await rebuildUsage(service.db);
}

/** A service whose database has a time zone of its own. */
const test = base.extend<{ filled: TestService }>({
  filled: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const { url, drop } = await createDatabase();
      const name = new URL(url).pathname.slice(1);
      await inDatabase(url, name, async (client) => {
        await client.query(`alter database ${name} set timezone = 'Asia/Kathmandu'`);
      });
      const service = await startService(MANY_REQUESTS, { databaseUrl: url });
      await fill(service);
      await use(service);
      await service.close();
      await drop();
    },
    { scope: 'file' },
  ],
});

const COUNT = Object.keys(FORMATS).length + 1 + TEXTS.length;

/** As text, since the order of members counts. */
const said = (items: readonly unknown[]) => items.map((item) => JSON.stringify(item));

async function pagesOf(service: TestService, query: string): Promise<readonly WirePrompt[]> {
  const items: WirePrompt[] = [];
  for (let cursor = ''; ; ) {
    const { status, body } = await service.get<List>(`${LIST}?${query}${cursor}`);
    expect([status, body.data.total]).toEqual([200, COUNT]);
    items.push(...body.data.media_prompts);
    if (body.data.next_cursor === null) return items;
    cursor = `&cursor=${body.data.next_cursor}`;
  }
}

describe('an item of a list is, member for member, what the single get says of the prompt', () => {
  test('in v3', async ({ filled }) => {
    const items = await pagesOf(filled, 'limit=100');
    expect(items).toHaveLength(COUNT);
    const single: unknown[] = [];
    for (const { media_prompt_id: id } of items) {
      const {
        renditions: _,
        audio_report: __,
        ...rest
      } = (await filled.get<Record<string, unknown>>(`${LIST}/${id}`)).body.data;
      single.push(rest);
    }
    expect(said(items)).toEqual(said(single));
  });

  test('in v1', async ({ filled }) => {
    const { body: items } = await callV1<{ id: string }[]>(filled, 'GET', `${MEDIA}?pageSize=1000`);
    expect(items).toHaveLength(COUNT);
    const single: unknown[] = [];
    for (const { id } of items) single.push((await callV1(filled, 'GET', `${MEDIA}/${id}`)).body);
    expect(said(items)).toEqual(said(single));
  });
});

test('every text comes out of a list as it was given', async ({ filled }) => {
  const items = (await pagesOf(filled, 'limit=200')).filter((item) => item['message_type'] === 'survey');
  const texts = items.map((item) => [item['name'], item['original_filename'], item['description']]);
  const given = TEXTS.map((text) => text.toWellFormed());
  expect(texts.toSorted()).toEqual(given.map((text) => [text, text, text]).toSorted());
});

test('moments are told in UTC with milliseconds, whatever the database has for a time zone', async ({
  filled,
}) => {
  const items = (await pagesOf(filled, 'limit=200')).filter((item) => item['message_type'] === 'survey');
  const told = new Set(items.flatMap((item) => [item['created_on'], item['modified_on']]));
  expect([...told].sort()).toEqual(MOMENTS.map((moment) => new Date(moment).toISOString()).sort());
});

test.for(['created_on', 'name', 'message_type', 'duration_ms', 'file_size'])(
  'by %s, pages of any length are parts of the same list',
  async (key, { filled }) => {
    const whole = said(await pagesOf(filled, `sort_by=${key}&limit=200`));
    expect(new Set(whole).size).toBe(COUNT);
    for (const limit of [50, 77]) {
      expect(said(await pagesOf(filled, `sort_by=${key}&limit=${limit}`))).toEqual(whole);
    }
  },
);

test.for([`${LIST}?limit=200`, `${MEDIA}?pageSize=1000`, `${LIST}?name=nothing+is+called+so`])(
  'the length of %s is told in bytes, and HEAD tells the same',
  async (path, { filled }) => {
    const headers = { authorization: `Bearer ${token()}` };
    const got = await fetch(filled.base + path, { headers });
    const body = Buffer.from(await got.arrayBuffer());
    const head = await fetch(filled.base + path, { method: 'HEAD', headers });
    for (const { status, headers: told } of [got, head]) {
      expect(status).toBe(200);
      expect(told.get('content-type')).toBe('application/json; charset=utf-8');
      expect(told.get('content-length')).toBe(String(body.length));
    }
    expect(body.toString()).toBe(JSON.stringify(JSON.parse(body.toString())));
  },
);
