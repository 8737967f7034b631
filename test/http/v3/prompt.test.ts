import { describe, expect } from 'vitest';
import { promptForm } from '../../support/multipart.ts';
import { test, token } from '../../support/service.ts';

const BAD_IDS = ['0', '-1', 'abc', '1.5', '1e3', '9007199254740992', '99999999999999999999', '%00', '01'];

describe('get', () => {
  test('answers the whole prompt', async ({ service }) => {
    const { body: uploaded } = await service.upload(promptForm('Get me'));
    const { status, body } = await service.get(`/v3/media-prompts/${uploaded.data.media_prompt_id}`);
    expect(status).toBe(200);
    expect(body.data).toMatchObject(uploaded.data);
  });

  test('of an ID that nobody has is a 404', async ({ service }) => {
    const { status, body } = await service.get('/v3/media-prompts/9007199254740991');
    expect(status).toBe(404);
    expect(body).toMatchObject({
      code: 404,
      data: null,
      errors: [{ field: 'media_prompt_id', code: 'not_found' }],
    });
  });

  for (const id of BAD_IDS) {
    test(`of the ID ${id} is a 400, and so is its delete`, async ({ service }) => {
      for (const method of ['GET', 'DELETE']) {
        const { status, body } = await service.call(method, `/v3/media-prompts/${id}`);
        expect(status).toBe(400);
        expect(body.errors).toMatchObject([{ field: 'media_prompt_id', code: 'invalid' }]);
      }
    });
  }
});

describe('delete', () => {
  test('answers the ID, removes row and bytes, and is a 404 the second time', async ({ service }) => {
    const { body: uploaded } = await service.upload(promptForm('Delete me'));
    const { media_prompt_id: id, url, recording_name: name } = uploaded.data;
    expect((await fetch(service.base + url)).status).toBe(200);

    const first = await service.call('DELETE', `/v3/media-prompts/${id}`);
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({ code: 200, message: 'Success', data: { media_prompt_id: id } });
    expect((await fetch(service.base + url)).status).toBe(404);
    expect((await service.get(`/v3/media-prompts/${id}`)).status).toBe(404);
    expect(await service.rows('select 1 from recordings where blob_name = $1', [name])).toEqual([]);
    expect(await service.rows('select 1 from blobs where name = $1', [name])).toEqual([]);
    expect((await service.files()).published).not.toContain(`${name}.wav`);

    const second = await service.call('DELETE', `/v3/media-prompts/${id}`);
    expect(second.status).toBe(404);
  });

  test('of 50 at once exactly one succeeds', async ({ service }) => {
    const { body } = await service.upload(promptForm('Delete race'));
    const path = `/v3/media-prompts/${body.data.media_prompt_id}`;
    const answers = await Promise.all(Array.from({ length: 50 }, () => service.call('DELETE', path)));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...Array.from({ length: 49 }, () => 404)]);
  });

  test('takes an empty body of any content type', async ({ service }) => {
    const { body } = await service.upload(promptForm('Typed delete'));
    const { status } = await service.call('DELETE', `/v3/media-prompts/${body.data.media_prompt_id}`, {
      headers: { 'content-type': 'application/json' },
    });
    expect(status).toBe(200);
  });
});

describe('tenancy', () => {
  test('a prompt outside the tree of the token does not exist for it', async ({ service }) => {
    await service.rows(`insert into org_units (id, parent_id, name, path) values
      (20, 1, 'Child', '/1/20/'), (21, 1, 'Sibling', '/1/21/'), (200, 1, 'Look-alike', '/1/200/')
      on conflict do nothing`);
    const { body } = await service.upload(promptForm('Tenant'), { token: token({ orgUnitId: 20 }) });
    const path = `/v3/media-prompts/${body.data.media_prompt_id}`;
    for (const orgUnitId of [21, 200, 999]) {
      const stranger = token({ orgUnitId });
      expect((await service.get(path, { token: stranger })).status).toBe(404);
      expect((await service.call('DELETE', path, { token: stranger })).status).toBe(404);
    }
    expect((await service.get(path, { token: token({ orgUnitId: 1 }) })).status).toBe(200);
    expect((await service.call('DELETE', path, { token: token({ orgUnitId: 1 }) })).status).toBe(200);
  });

  test('a unit whose number only begins like that of the token lies outside its tree', async ({
    service,
  }) => {
    await service.rows(`insert into org_units (id, parent_id, name, path) values
      (50, 1, 'Own', '/1/50/'), (500, 1, 'Look-alike', '/1/500/')`);
    const { body } = await service.upload(promptForm('Of 500'), { token: token({ orgUnitId: 500 }) });
    const own = { token: token({ orgUnitId: 50 }) };
    const path = `/v3/media-prompts/${body.data.media_prompt_id}`;
    expect((await service.get(path, own)).status).toBe(404);
    expect((await service.call('DELETE', path, own)).status).toBe(404);
    expect((await service.get('/v3/media-prompts?org_unit_id=500', own)).status).toBe(404);
    expect((await service.get('/v3/media-prompts', own)).body.data).toMatchObject({
      total: 0,
      media_prompts: [],
    });
    expect((await service.upload(promptForm('Beside', { org_unit_id: '500' }), own)).status).toBe(404);
  });

  test('the same name is taken in another unit, and an upload may name a unit below', async ({ service }) => {
    await service.rows(`insert into org_units (id, parent_id, name, path) values (30, 1, 'Below', '/1/30/')`);
    const own = await service.upload(promptForm('Shared name'));
    const below = await service.upload(promptForm('Shared name', { org_unit_id: '30' }));
    expect([own.status, below.status]).toEqual([201, 201]);
    expect(below.body.data['org_unit_id']).toBe(30);
  });

  test('an upload into a unit outside the tree, or of a unit that is gone, is a 404', async ({ service }) => {
    await service.rows(`insert into org_units (id, parent_id, name, path) values (40, 1, 'Low', '/1/40/')`);
    const above = await service.upload(promptForm('Upwards', { org_unit_id: '1' }), {
      token: token({ orgUnitId: 40 }),
    });
    const nowhere = await service.upload(promptForm('Nowhere'), { token: token({ orgUnitId: 4711 }) });
    for (const { status, body } of [above, nowhere]) {
      expect(status).toBe(404);
      expect(body).toMatchObject({ errors: [{ field: 'org_unit_id', code: 'not_found' }] });
    }
    const left = await service.rows(`select 1 from blobs where state <> 'kept'`);
    expect(left).toEqual([]);
  });
});
