import { sql } from 'kysely';
import { describe, expect, onTestFinished, test } from 'vitest';
import { addOrgUnit } from '../../src/catalogue/org-units.ts';
import { setQuota } from '../../src/catalogue/usage.ts';
import { audio, callV1, MEDIA, uploadMedia } from '../support/media.ts';
import { file, fixture, promptForm, text } from '../support/multipart.ts';
import { startService, type TestService, token } from '../support/service.ts';

const TONE = fixture('tone.wav').byteLength;

/** All that come at once shall be at work at once, however slow the machine. */
const CROWD = {
  UPLOADS_AT_ONCE: '100',
  UPLOADS_AT_ONCE_PER_TOKEN: '100',
  MAX_EVENT_LOOP_DELAY_MS: '0',
  MAX_DATABASE_QUEUE: '0',
};

async function start(quota: number, env: Readonly<Record<string, string>> = {}): Promise<TestService> {
  const service = await startService({ STORAGE_QUOTA_BYTES: String(quota), ...CROWD, ...env });
  onTestFinished(() => service.close());
  return service;
}

async function unitBelow(service: TestService): Promise<number> {
  const unit = await addOrgUnit(service.db, { name: 'below', parentId: 1 });
  if (unit === undefined) throw new Error('no unit');
  return unit.id;
}

const inUnit = (unit: number, name: string) => promptForm(name, { org_unit_id: String(unit) });

async function expectNothingLeft(service: TestService, prompts: number): Promise<void> {
  const { published, arriving } = await service.files();
  expect([published.length, arriving]).toEqual([prompts, []]);
  // Names that were announced ahead and not needed go a moment later.
  await expect
    .poll(() => service.rows('select state, count(*)::int from blobs group by state'), { timeout: 10_000 })
    .toEqual(prompts === 0 ? [] : [{ state: 'kept', count: prompts }]);
}

describe('a quota', () => {
  test('is for all that a unit keeps, to the byte, and a delete gives the room back at once', async () => {
    const service = await start(2 * TONE);
    const one = await service.upload(promptForm('One'));
    const two = await service.upload(promptForm('Two'));
    expect([one.status, two.status]).toEqual([201, 201]);
    expect((await service.upload(promptForm('Three'))).status).toBe(507);
    expect((await service.call('DELETE', `/v3/media-prompts/${two.body.data.media_prompt_id}`)).status).toBe(
      200,
    );
    const oneByteMore = Buffer.concat([fixture('tone.wav'), Buffer.alloc(1)]);
    const more = await service.upload([
      file(oneByteMore),
      text('name', 'More'),
      text('message_type', 'survey'),
    ]);
    expect(more.status).toBe(507);
    expect((await service.upload(promptForm('Three'))).status).toBe(201);
    await expectNothingLeft(service, 2);
  });

  test('is told as a 507 with figures and a way out, in the shape of each dialect', async () => {
    const service = await start(TONE - 1);
    const sentence = `The org unit keeps 0 of the ${TONE - 1} bytes it may, which leaves too little room; delete prompts that are no longer needed or ask for a larger quota.`;
    const inV3 = await service.upload(promptForm('Too much'));
    expect([inV3.status, inV3.body]).toEqual([
      507,
      expect.objectContaining({ code: 507, message: sentence, data: null }),
    ]);
    const inV1 = await uploadMedia(service, [audio()]);
    expect(inV1.headers.get('content-type')).toBe('application/problem+json');
    expect([inV1.status, inV1.body]).toEqual([
      507,
      expect.objectContaining({ status: 507, title: 'Insufficient Storage', detail: sentence }),
    ]);
    await expectNothingLeft(service, 0);
  });

  test('is a unit’s own: neither what is above nor what is below counts', async () => {
    const service = await start(TONE);
    const below = await unitBelow(service);
    expect((await service.upload(promptForm('Above'))).status).toBe(201);
    expect((await service.upload(inUnit(below, 'Below'))).status).toBe(201);
    expect((await service.upload(promptForm('Above too'))).status).toBe(507);
    expect((await service.upload(inUnit(below, 'Below too'))).status).toBe(507);
  });

  test('of a unit goes before the one for all, be it larger, smaller or none', async () => {
    const service = await start(TONE);
    const status = async (name: string) => (await service.upload(promptForm(name))).status;
    expect([await status('1'), await status('2')]).toEqual([201, 507]);
    await setQuota(service.db, 1, 2 * TONE);
    expect([await status('2'), await status('3')]).toEqual([201, 507]);
    await setQuota(service.db, 1, 0);
    expect([await status('3'), await status('4')]).toEqual([201, 201]);
    await setQuota(service.db, 1, 1);
    expect(await status('5')).toBe(507);
    await setQuota(service.db, 1, null);
    expect(await status('5')).toBe(507);
  });

  test('is for the units that have one when there is none for all', async () => {
    const service = await start(0);
    const below = await unitBelow(service);
    await setQuota(service.db, below, TONE);
    for (const name of ['1', '2', '3']) expect((await service.upload(promptForm(name))).status).toBe(201);
    expect((await service.upload(inUnit(below, '1'))).status).toBe(201);
    expect((await service.upload(inUnit(below, '2'))).status).toBe(507);
  });

  test('lets names be made unique, and refuses before it looks for a free one', async () => {
    const service = await start(3 * TONE);
    const statuses = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await uploadMedia(service, [audio()])).status);
    expect(statuses).toEqual([201, 201, 201, 507]);
    const { body } = await callV1<{ originalFileName: string }[]>(service, 'GET', MEDIA);
    expect(body).toHaveLength(3);
    const names = await service.rows<{ name: string }>('select name from prompts order by id');
    expect(names.map(({ name }) => name)).toEqual(['welcome.wav', 'welcome.wav (2)', 'welcome.wav (3)']);
  });

  test('that is used up is told before the file has come, where its unit and name have', async () => {
    const service = await start(TONE);
    await service.upload(promptForm('Full'));
    const head = [
      '--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nEarly\r\n',
      '--b\r\nContent-Disposition: form-data; name="org_unit_id"\r\n\r\n1\r\n',
      '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n',
    ].join('');
    // The body never ends: only an early refusal can answer it.
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(head));
        controller.enqueue(fixture('tone.wav'));
      },
    });
    const headers = { 'content-type': 'multipart/form-data; boundary=b' };
    const answer = await service.call('POST', '/v3/media-prompts', { body, headers });
    expect([answer.status, answer.body.message]).toEqual([
      507,
      expect.stringContaining(`keeps ${TONE} of the ${TONE} bytes`),
    ]);
  });
});

describe('of 50 uploads into the last free place', () => {
  const doors = [
    ['v3', (service: TestService, i: number) => service.upload(promptForm(`Prompt ${i}`))],
    [
      'v3, of all types',
      (service: TestService, i: number) =>
        service.upload([
          file(fixture('tone.wav')),
          text('name', `Prompt ${i}`),
          text('message_type', ['prompt', 'whisper', 'voicemail', 'survey'][i % 4] ?? ''),
        ]),
    ],
    ['v1', (service: TestService) => uploadMedia(service, [audio()])],
  ] as const;
  for (const [door, upload] of doors) {
    test(`through ${door}, exactly one is taken, round after round`, async () => {
      const service = await start(2 * TONE);
      await service.upload(promptForm('Kept'));
      for (let round = 0; round < 3; round += 1) {
        const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => upload(service, i)));
        const statuses = answers.map(({ status }) => status).toSorted();
        expect(statuses).toEqual([201, ...Array.from({ length: 49 }, () => 507)]);
        await expectNothingLeft(service, 2);
        const [{ id } = { id: 0 }] = await service.rows<{ id: number }>(
          'select max(id)::int as id from prompts',
        );
        expect((await service.call('DELETE', `/v3/media-prompts/${id}`)).status).toBe(200);
        await expectNothingLeft(service, 1);
      }
    });
  }

  test('a quota that is set meanwhile holds for all that come after', async () => {
    const service = await start(0);
    const early = Promise.all(Array.from({ length: 20 }, (_, i) => service.upload(promptForm(`Early ${i}`))));
    await setQuota(service.db, 1, 1);
    const late = await Promise.all(
      Array.from({ length: 5 }, (_, i) => service.upload(promptForm(`Late ${i}`))),
    );
    expect(late.map(({ status }) => status)).toEqual([507, 507, 507, 507, 507]);
    for (const { status } of await early) expect([201, 507]).toContain(status);
  });

  test('under a database whose transactions repeat their reads, exactly one is taken all the same', async () => {
    const service = await start(TONE);
    const name = new URL(service.databaseUrl).pathname.slice(1);
    await sql`alter database ${sql.id(name)} set default_transaction_isolation = 'repeatable read'`.execute(
      service.db,
    );
    const other = await startService(
      { STORAGE_QUOTA_BYTES: String(TONE), ...CROWD },
      {
        dataDir: service.dataDir,
        databaseUrl: service.databaseUrl,
      },
    );
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => other.upload(promptForm(`Prompt ${i}`), { token: token() })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    await other.close({ data: true });
  });
});
