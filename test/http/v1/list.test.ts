import { describe, expect, onTestFinished } from 'vitest';
import { rebuildUsage } from '../../../src/catalogue/usage.ts';
import { addMedia, callV1, expectProblem, MEDIA, type WireMedia } from '../../support/media.ts';
import { startService, type TestService, test, token } from '../../support/service.ts';

const list = async (service: TestService, query = '') =>
  await callV1<WireMedia[]>(service, 'GET', `${MEDIA}${query}`);

describe('the list', () => {
  test('is a bare array, newest first, of what the uploads answered', async () => {
    const service = await startService();
    onTestFinished(() => service.close());
    const empty = await list(service);
    expect([empty.status, empty.body, empty.headers.get('x-total-count')]).toEqual([200, [], '0']);

    const uploaded: WireMedia[] = [];
    for (const name of ['one.wav', 'two.wav', 'three.wav']) uploaded.push(await addMedia(service, name));
    const { status, headers, body } = await list(service);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^application\/json\b/);
    expect(headers.get('x-total-count')).toBe('3');
    expect(body).toEqual(uploaded.toReversed());
  });

  test('is cut into pages that hold everything once, and is empty past the end', async () => {
    const service = await startService();
    onTestFinished(() => service.close());
    const uploaded: WireMedia[] = [];
    for (let i = 1; i <= 5; i += 1) uploaded.push(await addMedia(service, `${i}.wav`));
    const newestFirst = uploaded.toReversed();

    const pages = await Promise.all([1, 2, 3, 4].map((page) => list(service, `?page=${page}&pageSize=2`)));
    expect(pages.map(({ body }) => body)).toEqual([
      newestFirst.slice(0, 2),
      newestFirst.slice(2, 4),
      newestFirst.slice(4),
      [],
    ]);
    for (const { status, headers } of pages) {
      expect([status, headers.get('x-total-count')]).toEqual([200, '5']);
    }
    const far = await list(service, '?page=9007199254740991&pageSize=1000');
    expect([far.status, far.body]).toEqual([200, []]);
    expect((await list(service, '?pageSize=1')).body).toEqual(newestFirst.slice(0, 1));
    expect((await list(service, '?page=2')).body).toEqual([]);
  });

  test('has 50 on a page unless asked otherwise, and 1000 at most', async () => {
    const service = await startService();
    onTestFinished(() => service.close());
    await service.rows(
      `with numbers as (
         select n, 'file-1700000000000-' || lpad(n::text, 39, '0') as blob_name from generate_series(1, 1001) n
       ), ledger as (
         insert into blobs (name, state, extension) select blob_name, 'kept', 'wav' from numbers
       ), recorded as (
         insert into recordings (blob_name, file_size, sha256, container, codec)
         select blob_name, 1, repeat('0', 64), 'wav', 'pcm_s16le' from numbers returning id
       )
       insert into prompts (uuid, org_unit_id, name, name_key, message_type, recording_id, recording_file_type)
       select gen_random_uuid(), 1, id::text, id::text, 'prompt', id, 'uploaded' from recorded`,
    );
    await rebuildUsage(service.db);
    const lengths: number[] = [];
    for (const query of ['', '?pageSize=1000', '?page=2&pageSize=1000', '?page=21', '?page=22']) {
      const { headers, body } = await list(service, query);
      expect(headers.get('x-total-count')).toBe('1001');
      lengths.push(body.length);
    }
    expect(lengths).toEqual([50, 1000, 1, 1, 0]);
  });

  const cases = [
    ['page=0', ['page']],
    ['page=-1', ['page']],
    ['page=1.5', ['page']],
    ['page=one', ['page']],
    ['page=', ['page']],
    ['page=9007199254740992', ['page']],
    ['page=1&page=2', ['page']],
    ['pageSize=0', ['pageSize']],
    ['pageSize=1001', ['pageSize']],
    ['pageSize=%2B5', ['pageSize']],
    ['page=0&pageSize=0', ['page', 'pageSize']],
  ] as const;
  for (const [query, fields] of cases) {
    test(`refuses ${query}: nothing is clamped`, async ({ service }) => {
      expectProblem(await list(service, `?${query}`), { status: 400, fields });
    });
  }

  test('ignores keys that it does not know', async ({ service }) => {
    expect((await list(service, '?pagesize=0&limit=0&sort_by=nothing')).status).toBe(200);
  });

  test('of a token whose unit is gone is a 404', async ({ service }) => {
    const answer = await callV1(service, 'GET', MEDIA, { token: token({ orgUnitId: 4711 }) });
    expectProblem(answer, { status: 404 });
  });
});
