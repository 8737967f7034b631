import { expect, onTestFinished, test } from 'vitest';
import { addOrgUnit } from '../../src/catalogue/org-units.ts';
import { auditUsage, setQuota } from '../../src/catalogue/usage.ts';
import { startProcess } from '../e2e/service-process.ts';
import { audio, callV1, MEDIA, uploadMedia } from '../support/media.ts';
import { file, fixture, multipart, promptForm, text } from '../support/multipart.ts';
import { SECRET, startService, type TestService, token } from '../support/service.ts';
import { mulberry32 } from '../support/wav.ts';

const TYPES = ['prompt', 'whisper', 'voicemail', 'survey'] as const;
const TONES = ['tone.wav', 'whisper.ogg', 'mono.aac', 'no-xing.mp3'] as const;
const NAMES = Array.from({ length: 60 }, (_, i) => i);

/** Any one of a list, as the seed decides. */
type Pick = <T>(list: readonly T[]) => T;

/** All that come at once shall be at work at once, however slow the machine. */
const CROWD = {
  UPLOADS_AT_ONCE: '100',
  UPLOADS_AT_ONCE_PER_TOKEN: '100',
  RATE_LIMIT_PER_MINUTE: '0',
  MAX_EVENT_LOOP_DELAY_MS: '0',
  MAX_DATABASE_QUEUE: '0',
};

async function unitBelow(service: TestService, parentId: number): Promise<number> {
  const unit = await addOrgUnit(service.db, { name: 'below', parentId });
  if (unit === undefined) throw new Error('no unit');
  return unit.id;
}

/** What lists say of a unit and everything below it, of all types and of each; and what there is. */
async function expectTotals(service: TestService, units: readonly number[]): Promise<void> {
  for (const unit of units) {
    for (const type of [undefined, ...TYPES]) {
      const query = `org_unit_id=${unit}&limit=1${type === undefined ? '' : `&message_type=${type}`}`;
      const { body } = await service.get<{ total: number }>(`/v3/media-prompts?${query}`);
      const [{ count } = { count: -1 }] = await service.rows<{ count: number }>(
        `select count(*)::int from prompts p join org_units u on u.id = p.org_unit_id
         where u.path like '%/' || $1 || '/%' and p.message_type = coalesce($2, p.message_type)`,
        [unit, type ?? null],
      );
      expect([query, body.data.total]).toEqual([query, count]);
    }
  }
}

async function miscounts(service: TestService) {
  const found = [];
  for await (const miscount of auditUsage(service.db)) found.push(miscount);
  return found;
}

test('totals are what count(*) says, during and after a storm of uploads, refusals and deletes', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const one = await startService(CROWD);
  const other = await startService(CROWD, { dataDir: one.dataDir, databaseUrl: one.databaseUrl });
  onTestFinished(async () => {
    await other.close({ data: true });
    await one.close();
  });
  const middle = await unitBelow(one, 1);
  const units = [1, middle, await unitBelow(one, middle), await unitBelow(one, 1)];
  // In one of them most uploads find no room, and each delete makes some.
  await setQuota(one.db, units[3] ?? 0, 3 * fixture('tone.wav').byteLength);
  const ids: number[] = [];
  const statuses = new Map<number, number>();

  /** Out of few names, so that many are taken. */
  const uploadOne = async (service: TestService, pick: Pick) => {
    const parts = [
      file(fixture(pick(TONES)), 'a'),
      text('name', `Prompt ${pick(NAMES)}`),
      text('message_type', pick(TYPES)),
      text('org_unit_id', String(pick(units))),
    ];
    const { status, body } = await service.upload(pick([true, false]) ? parts : parts.toReversed());
    if (status === 201) ids.push(body.data.media_prompt_id);
    return status;
  };
  const uploadInV1 = async (service: TestService, pick: Pick) =>
    (await uploadMedia(service, [audio()], { token: token({ orgUnitId: pick(units) }) })).status;
  const uploadText = async (service: TestService) =>
    (await service.upload([file('text, not audio'), text('name', 'x')])).status;
  /** Not taken off the list: others delete the same one, now or later. */
  const removeOne = async (service: TestService, pick: Pick) =>
    (await service.call('DELETE', `/v3/media-prompts/${pick(ids.length === 0 ? [1] : ids.slice(-30))}`))
      .status;
  const deeds = [uploadOne, uploadOne, uploadOne, uploadInV1, uploadText, removeOne, removeOne, removeOne];

  const work = async (service: TestService, random: () => number) => {
    const pick: Pick = (list) => list[Math.floor(random() * list.length)] as (typeof list)[number];
    for (let i = 0; i < 40; i += 1) {
      const status = await pick(deeds)(service, pick);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const working = Promise.all(
    Array.from({ length: 16 }, (_, i) => work(i % 2 === 0 ? one : other, mulberry32(seed + i))),
  );
  let isDone = false;
  void working.finally(() => {
    isDone = true;
  });
  const seen = `seed ${seed}`;
  while (!isDone) expect(await miscounts(one), seen).toEqual([]);
  await working;
  // All that was meant to happen did, and nothing else.
  expect([...statuses.keys()].toSorted(), seen).toEqual([200, 201, 400, 404, 507]);
  expect(await miscounts(one), seen).toEqual([]);
  await expectTotals(one, units);
  const { headers } = await callV1<unknown>(one, 'GET', MEDIA);
  const rows = await one.rows<{ count: string }>('select count(*)::text from prompts');
  expect(headers.get('x-total-count')).toBe(rows[0]?.count);
}, 120_000);

test('totals are what count(*) says after a kill in the midst of uploads and deletes', async () => {
  const service = await startService();
  onTestFinished(() => service.close());
  for (let round = 0; round < 3; round += 1) {
    const killed = await startProcess(service.dataDir, {
      DATABASE_URL: service.databaseUrl,
      JWT_SECRET: SECRET,
      ...CROWD,
    });
    const headers = { authorization: `Bearer ${token()}` };
    const taken = Promise.withResolvers<void>();
    let answers = 0;
    const run = async (worker: number) => {
      for (let i = 0; ; i += 1) {
        const { body, contentType } = multipart(promptForm(`Prompt ${round} ${worker} ${i}`));
        const added = await fetch(`${killed.base}/v3/media-prompts`, {
          method: 'POST',
          headers: { ...headers, 'content-type': contentType },
          body: body as unknown as NonNullable<RequestInit['body']>,
        });
        const { data } = (await added.json()) as { data: { media_prompt_id: number } };
        answers += 1;
        if (answers === 60) taken.resolve();
        if (i % 2 === 0) continue;
        const url = `${killed.base}/v3/media-prompts/${data.media_prompt_id}`;
        await (await fetch(url, { method: 'DELETE', headers })).text();
      }
    };
    const running = Promise.allSettled(Array.from({ length: 8 }, (_, i) => run(i)));
    await taken.promise;
    expect(await killed.end('SIGKILL')).toBe('SIGKILL');
    await running;
    expect(await miscounts(service)).toEqual([]);
    await expectTotals(service, [1]);
  }
}, 120_000);
