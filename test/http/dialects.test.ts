import { describe, expect, onTestFinished } from 'vitest';
import {
  addMedia,
  audio,
  callV1,
  changeMedia,
  MEDIA,
  uploadMedia,
  type WireMedia,
} from '../support/media.ts';
import { file, fixture, promptForm, text } from '../support/multipart.ts';
import {
  type CallOptions,
  startService,
  type TestService,
  test,
  token,
  type WirePrompt,
} from '../support/service.ts';

const PROMPTS = '/v3/media-prompts';

interface PromptList {
  readonly media_prompts: readonly WirePrompt[];
  readonly total: number;
}

async function addPrompt(service: TestService, name: string, options: CallOptions = {}) {
  const { status, body } = await service.upload(promptForm(name), options);
  expect(status).toBe(201);
  return body.data;
}

const listV1 = async (service: TestService, options: CallOptions = {}) =>
  (await callV1<WireMedia[]>(service, 'GET', `${MEDIA}?pageSize=1000`, options)).body;

const listV3 = async (service: TestService, options: CallOptions = {}) =>
  (await service.get<PromptList>(`${PROMPTS}?limit=200`, options)).body.data.media_prompts;

/** The same recording has the same name behind both doors. */
const fileNameOf = ({ url }: WirePrompt) => url.slice(url.lastIndexOf('/') + 1);

async function inV3(service: TestService, { fileName }: WireMedia): Promise<WirePrompt> {
  const prompt = (await listV3(service)).find((listed) => fileNameOf(listed) === fileName);
  if (prompt === undefined) throw new Error(`v3 does not list ${fileName}`);
  return prompt;
}

async function inV1(service: TestService, prompt: WirePrompt): Promise<WireMedia> {
  const media = (await listV1(service)).find(({ fileName }) => fileName === fileNameOf(prompt));
  if (media === undefined) throw new Error(`v1 does not list ${fileNameOf(prompt)}`);
  return media;
}

const play = async (service: TestService, { url }: WirePrompt) => {
  const response = await fetch(service.base + url);
  return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
};

describe('what is uploaded through v1', () => {
  test('is a prompt of v3 with the same facts, under the name of its file', async ({ service }) => {
    const { body: media } = await uploadMedia(service, [
      audio({ content: fixture('tone.mp3'), filename: 'Through v1.mp3', type: 'audio/mpeg' }),
      text('Description', 'Said in v1'),
    ]);
    const listed = await inV3(service, media);
    expect(listed).toMatchObject({
      url: `/uploads/call-flow-recordings/${media.fileName}`,
      recording_name: media.fileName.replace('.mp3', ''),
      filename: 'Through v1.mp3',
      name: 'Through v1.mp3',
      message_type: 'prompt',
      org_unit_id: 1,
      recording_file_type: 'uploaded',
      recording_created_by: 7,
      original_filename: 'Through v1.mp3',
      content_type: media.contentType,
      file_size: media.fileSizeBytes,
      description: 'Said in v1',
      created_on: media.createdTime,
    });
    const got = await service.get(`${PROMPTS}/${listed.media_prompt_id}`);
    expect([got.status, got.body.data]).toMatchObject([200, listed]);
  });

  test('plays at the url that v3 tells', async ({ service }) => {
    const prompt = await inV3(service, await addMedia(service, 'play me.wav'));
    expect(await play(service, prompt)).toEqual({ status: 200, bytes: fixture('tone.wav') });
  });

  test('is gone from everywhere once v3 deletes it', async ({ service }) => {
    const media = await addMedia(service, 'v3 deletes me.wav');
    const prompt = await inV3(service, media);
    const path = `${PROMPTS}/${prompt.media_prompt_id}`;
    expect((await service.call('DELETE', path)).status).toBe(200);
    for (const gone of ['', '/content']) {
      expect((await callV1(service, 'GET', `${MEDIA}/${media.id}${gone}`)).status).toBe(404);
    }
    expect((await callV1(service, 'DELETE', `${MEDIA}/${media.id}`)).status).toBe(404);
    expect((await changeMedia(service, media.id, { description: 'x' })).status).toBe(404);
    expect((await play(service, prompt)).status).toBe(404);
    expect((await listV1(service)).map(({ id }) => id)).not.toContain(media.id);
  });
});

describe('what is uploaded through v3', () => {
  test('is a media file of v1 with the same facts', async ({ service }) => {
    const { body } = await service.upload(promptForm('Through v3', {}, 'tone.ogg'));
    const media = await inV1(service, body.data);
    expect(media).toEqual({
      id: expect.any(String),
      fileName: fileNameOf(body.data),
      originalFileName: 'tone.ogg',
      fileSizeBytes: body.data['file_size'],
      contentType: body.data['content_type'],
      createdTime: body.data['created_on'],
      description: null,
    });
    expect((await callV1(service, 'GET', `${MEDIA}/${media.id}`)).body).toEqual(media);
  });

  test('is called by its name in v1 where its file had none', async ({ service }) => {
    const { body } = await service.upload([
      file(fixture('tone.wav'), ''),
      text('name', 'Nameless file'),
      text('message_type', 'prompt'),
    ]);
    expect(body.data['original_filename']).toBeNull();
    expect((await inV1(service, body.data)).originalFileName).toBe('Nameless file');
  });

  test('has its content in v1', async ({ service }) => {
    const { id } = await inV1(service, await addPrompt(service, 'Content through v1'));
    const response = await fetch(`${service.base}${MEDIA}/${id}/content`, {
      headers: { authorization: `Bearer ${token()}` },
    });
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(fixture('tone.wav'));
    expect(response.headers.get('content-disposition')).toBe('attachment; filename=tone.wav');
  });

  test('is described through v1 and told so by v3, which sees that it was modified', async ({ service }) => {
    const before = await addPrompt(service, 'Described through v1');
    const { id } = await inV1(service, before);
    const path = `${PROMPTS}/${before.media_prompt_id}`;
    expect((await changeMedia(service, id, { description: 'Said in v1' })).status).toBe(200);
    const { body } = await service.get<WirePrompt>(path);
    expect(body.data).toMatchObject({
      ...before,
      description: 'Said in v1',
      modified_on: body.data['modified_on'],
    });
    expect(Date.parse(String(body.data['modified_on']))).toBeGreaterThan(
      Date.parse(String(before['modified_on'])),
    );
    expect((await changeMedia(service, id, { description: null })).status).toBe(200);
    expect((await service.get<WirePrompt>(path)).body.data['description']).toBeNull();
  });

  test('is gone from everywhere once v1 deletes it, and its name is free', async ({ service }) => {
    const prompt = await addPrompt(service, 'v1 deletes me');
    const { id } = await inV1(service, prompt);
    expect((await callV1(service, 'DELETE', `${MEDIA}/${id}`)).status).toBe(204);
    const path = `${PROMPTS}/${prompt.media_prompt_id}`;
    expect((await service.get(path)).status).toBe(404);
    expect((await service.call('DELETE', path)).status).toBe(404);
    expect((await play(service, prompt)).status).toBe(404);
    expect((await listV3(service)).map(({ url }) => url)).not.toContain(prompt.url);
    expect((await service.upload(promptForm('v1 deletes me'))).status).toBe(201);
  });

  test('is deleted once, of deletes through both doors at once', async ({ service }) => {
    const prompt = await addPrompt(service, 'Race of two doors');
    const { id } = await inV1(service, prompt);
    const statuses = await Promise.all(
      Array.from({ length: 10 }, async (_, n) =>
        n % 2 === 0
          ? (await callV1(service, 'DELETE', `${MEDIA}/${id}`)).status
          : (await service.call('DELETE', `${PROMPTS}/${prompt.media_prompt_id}`)).status,
      ),
    );
    expect(statuses.filter((status) => status < 300)).toHaveLength(1);
    expect(statuses.filter((status) => status === 404)).toHaveLength(9);
  });
});

describe('the name of a v1 upload', () => {
  const nameIn = async (service: TestService, filename: string) =>
    (await inV3(service, await addMedia(service, filename))).filename;

  test('is numbered where it is taken, and the file keeps its own', async ({ service }) => {
    const uploads: WireMedia[] = [];
    for (let i = 0; i < 3; i += 1) uploads.push(await addMedia(service, 'x.wav'));
    const names = await Promise.all(uploads.map(async (media) => (await inV3(service, media)).filename));
    expect(names).toEqual(['x.wav', 'x.wav (2)', 'x.wav (3)']);
    expect(uploads.map(({ originalFileName }) => originalFileName)).toEqual(['x.wav', 'x.wav', 'x.wav']);
  });

  test('is numbered in whatever case it is taken', async ({ service }) => {
    expect(await nameIn(service, 'Straße.wav')).toBe('Straße.wav');
    expect(await nameIn(service, 'STRASSE.WAV')).toBe('STRASSE.WAV (2)');
    expect(await nameIn(service, 'strasse.wav')).toBe('strasse.wav (3)');
  });

  test('passes by numbers that v3 took, and takes those that are free again', async ({ service }) => {
    await addPrompt(service, 'y.wav');
    const second = await addPrompt(service, 'y.wav (2)');
    expect(await nameIn(service, 'y.wav')).toBe('y.wav (3)');
    await service.call('DELETE', `${PROMPTS}/${second.media_prompt_id}`);
    expect(await nameIn(service, 'y.wav')).toBe('y.wav (2)');
    expect(await nameIn(service, 'y.wav')).toBe('y.wav (4)');
  });

  test('is one of its own for each of 20 uploads at once', async ({ service }) => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => uploadMedia(service, [audio({ filename: 'race.wav' })])),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 201));
    const names = (await listV3(service)).flatMap(({ filename }) =>
      filename.startsWith('race.wav') ? [filename] : [],
    );
    expect(new Set(names).size).toBe(20);
    for (const name of names) expect(name).toMatch(/^race\.wav( \([1-9]\d?\))?$/);
    expect(names).toContain('race.wav');
  });

  test('still fits with its number where it has 255 characters', async ({ service }) => {
    for (const longest of ['z'.repeat(255), '😀'.repeat(255)]) {
      expect(await nameIn(service, longest)).toBe(longest);
      for (const suffix of [' (2)', ' (3)']) {
        const name = await nameIn(service, longest);
        expect([...name]).toHaveLength(255);
        expect(name).toBe([...longest].slice(0, 255 - suffix.length).join('') + suffix);
      }
    }
  });

  test('is refused to v3, which makes no names', async ({ service }) => {
    await addMedia(service, 'taken.wav');
    for (const name of ['taken.wav', 'TAKEN.WAV']) {
      const { status, body } = await service.upload(promptForm(name));
      expect([status, body.errors?.[0]?.code]).toEqual([400, 'name_taken']);
    }
  });
});

describe('tenancy', () => {
  /** Units: 1 ─ 2 ─ 3, and 4 beside 2. */
  async function startWithUnits(): Promise<TestService> {
    const service = await startService();
    onTestFinished(() => service.close());
    await service.rows(`insert into org_units (id, parent_id, name, path) values
      (2, 1, 'Sales', '/1/2/'), (3, 2, 'Berlin', '/1/2/3/'), (4, 1, 'Support', '/1/4/')`);
    return service;
  }
  const of = (orgUnitId: number) => ({ token: token({ orgUnitId }) });

  test('holds through both doors: a token reaches its unit and what is below', async () => {
    const service = await startWithUnits();
    for (const unit of [1, 2, 3, 4]) await addMedia(service, `unit ${unit}.wav`, of(unit));
    for (const [unit, reached] of [
      [1, [1, 2, 3, 4]],
      [2, [2, 3]],
      [3, [3]],
      [4, [4]],
    ] as const) {
      const expected = reached.map((below) => `unit ${below}.wav`);
      const media = await listV1(service, of(unit));
      expect(media.map(({ originalFileName }) => originalFileName).sort()).toEqual(expected);
      const prompts = await listV3(service, of(unit));
      expect(prompts.map(({ filename }) => filename).sort()).toEqual(expected);
      const { headers } = await callV1(service, 'GET', MEDIA, of(unit));
      expect(headers.get('x-total-count')).toBe(String(reached.length));
    }
  });

  test('puts a v1 upload into the unit of its token, where its name is one of its own', async () => {
    const service = await startWithUnits();
    const uploaded = [1, 2, 2, 3];
    for (const unit of uploaded) await addMedia(service, 'same.wav', of(unit));
    const prompts = (await listV3(service)).toReversed();
    expect(prompts.map((prompt) => [prompt['org_unit_id'], prompt.filename])).toEqual([
      [1, 'same.wav'],
      [2, 'same.wav'],
      [2, 'same.wav (2)'],
      [3, 'same.wav'],
    ]);
  });

  test('makes what is outside the tree a 404 for every operation of v1', async () => {
    const service = await startWithUnits();
    const media = await addMedia(service, 'mine.wav', of(2));
    const path = `${MEDIA}/${media.id}`;
    for (const unit of [3, 4, 4711]) {
      const statuses = [
        await callV1(service, 'GET', path, of(unit)),
        await callV1(service, 'GET', `${path}/content`, of(unit)),
        await callV1(service, 'HEAD', `${path}/content`, of(unit)),
        await changeMedia(service, media.id, { description: 'stolen' }, of(unit)),
        await changeMedia(service, media.id, {}, of(unit)),
        await callV1(service, 'DELETE', path, of(unit)),
      ].map(({ status }) => status);
      expect(statuses).toEqual([404, 404, 404, 404, 404, 404]);
    }
    expect((await callV1(service, 'GET', path, of(2))).body).toEqual(media);
    expect((await changeMedia(service, media.id, { description: 'from above' }, of(1))).status).toBe(200);
    expect((await callV1(service, 'DELETE', path, of(1))).status).toBe(204);
  });

  test('refuses a v1 upload with the token of a unit that is gone, and keeps nothing of it', async () => {
    const service = await startWithUnits();
    const { status } = await uploadMedia(service, [audio()], of(4711));
    expect(status).toBe(404);
    expect(await service.files()).toEqual({ published: [], arriving: [] });
    expect(await service.rows('select name from blobs')).toEqual([]);
  });
});
