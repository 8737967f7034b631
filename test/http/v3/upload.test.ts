import { createHash } from 'node:crypto';
import { describe, expect } from 'vitest';
import { file, fixture, promptForm, text } from '../../support/multipart.ts';
import { startService, test, token } from '../../support/service.ts';
import { noise } from '../../support/wav.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const MEMBERS = ['code', 'message', 'data', 'request_id', 'timestamp'];

describe('the documented upload', () => {
  test('answers 201 with body code 200 and the envelope in its order', async ({ service }) => {
    const { status, body } = await service.upload([
      file(fixture('tone.mp3'), 'greeting.mp3'),
      text('org_unit_id', '1'),
      text('name', 'The documented one'),
      text('message_type', 'whisper'),
      text('recording_file_type', 'uploaded'),
      text('recording_created_by', '1234'),
    ]);
    expect(status).toBe(201);
    expect(Object.keys(body)).toEqual(MEMBERS);
    expect(body).toMatchObject({ code: 200, message: 'Success' });
    expect(body.request_id).toMatch(UUID);
    expect(body.timestamp).toMatch(ISO);
    expect(Object.keys(body.data).slice(0, 4)).toEqual([
      'media_prompt_id',
      'url',
      'filename',
      'recording_name',
    ]);
    expect(body.data.recording_name).toMatch(/^file-\d{13}-\d{37,}$/);
    expect(body.data.url).toBe(`/uploads/call-flow-recordings/${body.data.recording_name}.mp3`);
    expect(body.data).toMatchObject({
      media_prompt_id: expect.any(Number),
      filename: 'The documented one',
      name: 'The documented one',
      message_type: 'whisper',
      org_unit_id: 1,
      recording_file_type: 'uploaded',
      recording_created_by: 1234,
      original_filename: 'greeting.mp3',
      content_type: 'audio/mpeg',
      file_size: fixture('tone.mp3').byteLength,
      sha256: createHash('sha256').update(fixture('tone.mp3')).digest('hex'),
      container: 'mp3',
      codec: 'mp3',
      description: null,
      created_on: expect.stringMatching(ISO),
      modified_on: expect.stringMatching(ISO),
    });
  });

  test('keeps and hashes every byte of a file that comes in many pieces', async ({ service }) => {
    const audio = noise(3_000_001, 7);
    const { status, body } = await service.upload([
      file(audio, 'long.wav'),
      text('name', 'Long'),
      text('message_type', 'prompt'),
    ]);
    expect(status).toBe(201);
    const sha256 = createHash('sha256').update(audio).digest('hex');
    expect(body.data).toMatchObject({ file_size: audio.byteLength, sha256 });
    const played = await fetch(service.base + body.data.url);
    expect(Buffer.from(await played.arrayBuffer()).equals(audio)).toBe(true);
  });

  test('takes its defaults from the token', async ({ service }) => {
    const { body } = await service.upload(promptForm('Defaults'), { token: token({ userId: 99 }) });
    expect(body.data).toMatchObject({
      org_unit_id: 1,
      recording_file_type: 'uploaded',
      recording_created_by: 99,
    });
  });

  test('takes fields before, after and around the file, and ignores unknown ones', async ({ service }) => {
    const before = await service.upload([
      text('name', 'Fields before'),
      text('message_type', 'prompt'),
      file(fixture('tone.wav')),
    ]);
    const around = await service.upload([
      text('message_type', 'survey'),
      text('surprise', 'x'.repeat(20_000)),
      file(fixture('tone.wav')),
      text('name', 'Fields around'),
    ]);
    expect([before.status, around.status]).toEqual([201, 201]);
  });

  test('gives the bytes back as they came', async ({ service }) => {
    const { body } = await service.upload(promptForm('Round trip', {}, 'tone.flac'));
    const response = await fetch(service.base + body.data.url);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(fixture('tone.flac'));
  });
});

describe('each of the eight formats', () => {
  const FORMATS = [
    ['wav', 'audio/wav'],
    ['mp3', 'audio/mpeg'],
    ['mp4', 'audio/mp4'],
    ['ogg', 'audio/ogg'],
    ['webm', 'audio/webm'],
    ['m4a', 'audio/mp4'],
    ['aac', 'audio/aac'],
    ['flac', 'audio/flac'],
  ] as const;
  for (const [format, contentType] of FORMATS) {
    test(`${format} is taken for what its bytes are, whatever it is called`, async ({ service }) => {
      const { status, body } = await service.upload([
        { ...file(fixture(`tone.${format}`), 'lies.exe'), type: 'text/html' },
        text('name', `Format ${format}`),
        text('message_type', 'prompt'),
      ]);
      expect(status).toBe(201);
      expect(body.data).toMatchObject({ container: format, content_type: contentType });
      expect(body.data.url).toMatch(new RegExp(`\\.${format}$`));
      const played = await fetch(service.base + body.data.url);
      expect(played.headers.get('content-type')).toBe(contentType);
    });
  }
});

describe('fields at fault', () => {
  const audio = file(fixture('tone.wav'));
  const name = text('name', 'Never stored');
  const kind = text('message_type', 'prompt');
  const cases = [
    ['no file', [name, kind], ['file required']],
    ['no name', [audio, kind], ['name required']],
    ['a blank name', [audio, text('name', ' \t '), kind], ['name required']],
    ['a name of 256 characters', [audio, text('name', 'é'.repeat(256)), kind], ['name too_long']],
    ['a name of 20 kB', [audio, text('name', 'x'.repeat(20_000)), kind], ['name too_long']],
    ['a name with NUL', [audio, text('name', 'a\0b'), kind], ['name invalid']],
    ['a name that comes twice', [audio, name, name, kind], ['name invalid']],
    ['no message_type', [audio, name], ['message_type required']],
    ['an unknown message_type', [audio, name, text('message_type', 'Prompt')], ['message_type invalid']],
    ['a blank org_unit_id', [audio, name, kind, text('org_unit_id', '')], ['org_unit_id invalid']],
    ['org_unit_id 0', [audio, name, kind, text('org_unit_id', '0')], ['org_unit_id invalid']],
    ['org_unit_id 1e3', [audio, name, kind, text('org_unit_id', '1e3')], ['org_unit_id invalid']],
    [
      'org_unit_id past 2^53',
      [audio, name, kind, text('org_unit_id', '9007199254740992')],
      ['org_unit_id invalid'],
    ],
    [
      'a bad recording_file_type',
      [audio, name, kind, text('recording_file_type', 'Up-Loaded')],
      ['recording_file_type invalid'],
    ],
    [
      'a bad recording_created_by',
      [audio, name, kind, text('recording_created_by', 'me')],
      ['recording_created_by invalid'],
    ],
    ['the file as a text', [text('file', 'hello'), name, kind], ['file invalid']],
    [
      'a file under a wrong name',
      [file(fixture('tone.wav'), 'a.wav', 'audio'), name, kind],
      ['file required', 'audio unexpected_file'],
    ],
    ['a second file', [audio, audio, name, kind], ['file unexpected_file']],
    ['an empty file', [file(''), name, kind], ['file file_empty']],
    [
      'text called mp3',
      [file('hello, I am text\n'.repeat(50), 'x.mp3'), name, kind],
      ['file unsupported_format'],
    ],
    ['a video without sound', [file(fixture('silent-film.mp4')), name, kind], ['file unsupported_format']],
    [
      'a file cut off in its header',
      [file(fixture('tone.wav').subarray(0, 44)), name, kind],
      ['file unreadable_audio'],
    ],
    [
      'a bad file and then a second one',
      [file('text'), audio, name, kind],
      ['file unsupported_format', 'file unexpected_file'],
    ],
    [
      'a file part without a file name, which is a file by its type',
      [{ name: 'file', content: '', type: 'application/octet-stream' }, name, kind],
      ['file file_empty'],
    ],
    [
      'everything wrong at once',
      [file('text'), text('message_type', 'x'), text('org_unit_id', '-1'), text('recording_created_by', 'x')],
      [
        'file unsupported_format',
        'name required',
        'message_type invalid',
        'org_unit_id invalid',
        'recording_created_by invalid',
      ],
    ],
  ] as const;
  for (const [what, parts, faults] of cases) {
    test(`${what} is a 400 that names ${faults.join(', ')} and leaves nothing`, async ({ service }) => {
      const before = await census(service);
      const { status, body } = await service.upload(parts);
      expect({ status, faults: body.errors?.map(({ field, code }) => `${field} ${code}`) }).toEqual({
        status: 400,
        faults,
      });
      expect(Object.keys(body)).toEqual(['code', 'message', 'data', 'errors', 'request_id', 'timestamp']);
      expect(body).toMatchObject({ code: 400, data: null });
      expect(await census(service)).toEqual(before);
    });
  }
});

test('a file part without a file name is taken, and has no original name', async ({ service }) => {
  const { status, body } = await service.upload([
    { name: 'file', content: fixture('tone.wav'), type: 'application/octet-stream' },
    text('name', 'Nameless file'),
    text('message_type', 'prompt'),
  ]);
  expect(status).toBe(201);
  expect(body.data['original_filename']).toBeNull();
});

test('a file part without any name is refused, and leaves nothing', async ({ service }) => {
  const before = await census(service);
  for (const disposition of ['form-data; filename="a.wav"', 'form-data']) {
    const head = `--b\r\nContent-Disposition: ${disposition}\r\nContent-Type: application/octet-stream\r\n\r\n`;
    const answer = await service.call('POST', '/v3/media-prompts', {
      body: Buffer.concat([Buffer.from(head), fixture('tone.wav'), Buffer.from('\r\n--b--\r\n')]),
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
    });
    expect(answer.status).toBe(400);
  }
  expect(await census(service)).toEqual(before);
});

test('a taken name is named among other faults', async ({ service }) => {
  await service.upload(promptForm('Taken among others'));
  const { body } = await service.upload([
    file('text'),
    text('name', 'taken among OTHERS'),
    text('message_type', 'x'),
  ]);
  expect(body.errors?.map(({ field, code }) => `${field} ${code}`)).toEqual([
    'file unsupported_format',
    'message_type invalid',
    'name name_taken',
  ]);
});

describe('names', () => {
  test('255 characters are taken, counted as characters', async ({ service }) => {
    const { status, body } = await service.upload(promptForm('😀'.repeat(255)));
    expect(status).toBe(201);
    expect(body.data.filename).toBe('😀'.repeat(255));
  });

  test('a name is trimmed and composed', async ({ service }) => {
    const { body } = await service.upload(promptForm('  Cafe\u0301 \n'));
    expect(body.data.filename).toBe('Café');
  });

  test('a name is taken once in its unit, in whatever case, and free again after a delete', async ({
    service,
  }) => {
    const first = await service.upload(promptForm('Straße'));
    const again = await service.upload(promptForm('STRASSE'));
    expect(again.status).toBe(400);
    expect(again.body.errors).toMatchObject([{ field: 'name', code: 'name_taken' }]);
    await service.call('DELETE', `/v3/media-prompts/${first.body.data.media_prompt_id}`);
    expect((await service.upload(promptForm('strasse'))).status).toBe(201);
  });

  test('of 20 uploads of one name at once exactly one is kept', async ({ service }) => {
    const before = await census(service);
    const answers = await Promise.all(Array.from({ length: 20 }, () => service.upload(promptForm('Race'))));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(
      answers.filter(({ status, body }) => status === 400 && body.errors?.[0]?.code === 'name_taken'),
    ).toHaveLength(19);
    const { prompts, recordings, blobs, files } = before;
    const andOne = { prompts: prompts + 1, recordings: recordings + 1, blobs: blobs + 1, files: files + 1 };
    // Names that were announced ahead and not needed go a moment later.
    await expect.poll(() => census(service), { timeout: 10_000 }).toEqual(andOne);
  });

  test('a taken name that comes with its unit before the file is refused before the file arrives', async ({
    service,
  }) => {
    await service.upload(promptForm('Early'));
    const head = [
      '--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nearly\r\n',
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
    const answer = await service.call('POST', '/v3/media-prompts', {
      body,
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
    });
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toMatchObject([{ field: 'name', code: 'name_taken' }]);
  });
});

describe('size', () => {
  const LIMIT = 20_000;

  test('the limit is inclusive, one byte more is refused, and nothing of it stays', async () => {
    const service = await startService({ MAX_UPLOAD_BYTES: String(LIMIT) });
    try {
      // A chunk of padding behind the samples keeps the WAV a WAV at any length.
      const wav = fixture('tone.wav');
      const padded = (length: number) => Buffer.concat([wav, Buffer.alloc(length - wav.byteLength)]);
      const form = (content: Buffer) => [file(content), text('name', 'Size'), text('message_type', 'prompt')];
      const refused = await service.upload(form(padded(LIMIT + 1)));
      expect(refused.status).toBe(400);
      expect(refused.body.errors).toMatchObject([{ field: 'file', code: 'file_too_large' }]);
      expect(await census(service)).toEqual({ prompts: 0, recordings: 0, blobs: 0, files: 0 });
      const taken = await service.upload(form(padded(LIMIT)));
      expect(taken.status).toBe(201);
      expect(taken.body.data['file_size']).toBe(LIMIT);
    } finally {
      await service.close();
    }
  });

  test('the limit is told together with the faults of fields that came before the file', async () => {
    const service = await startService({ MAX_UPLOAD_BYTES: String(LIMIT) });
    try {
      const { body } = await service.upload([
        text('name', ' '),
        text('message_type', 'x'),
        file(Buffer.alloc(LIMIT + 1)),
      ]);
      expect(body.errors?.map(({ field, code }) => `${field} ${code}`)).toEqual([
        'file file_too_large',
        'message_type invalid',
      ]);
    } finally {
      await service.close();
    }
  });

  test('a body that says it is far too large is refused before it is read', async () => {
    const service = await startService({ MAX_UPLOAD_BYTES: String(LIMIT) });
    try {
      const answer = await service.upload([file(Buffer.alloc(3_000_000)), text('name', 'x')]);
      expect(answer.status).toBe(400);
      expect(answer.body.errors).toMatchObject([{ code: 'file_too_large' }]);
    } finally {
      await service.close();
    }
  });

  test('a body without a length that does not end is refused, preamble and all', async () => {
    const service = await startService({ MAX_UPLOAD_BYTES: String(LIMIT) });
    try {
      const chunk = new Uint8Array(64 * 1024).fill(0x2d);
      const body = new ReadableStream({ pull: (controller) => controller.enqueue(chunk) });
      const answer = await service.call('POST', '/v3/media-prompts', {
        body,
        headers: { 'content-type': 'multipart/form-data; boundary=b' },
      });
      expect(answer.status).toBe(400);
      expect(await census(service)).toEqual({ prompts: 0, recordings: 0, blobs: 0, files: 0 });
    } finally {
      await service.close();
    }
  });
});

describe('bodies that are no form', () => {
  const cases = [
    ['JSON', 'application/json', '{"name":"x"}'],
    ['malformed JSON', 'application/json', '{'],
    ['a plain text', 'text/plain', 'hello'],
    ['a form without a boundary parameter', 'multipart/form-data', '--b\r\n\r\n--b--'],
    ['a form without its boundary', 'multipart/form-data; boundary=b', 'hello'],
    [
      'a form without its end',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx',
    ],
    [
      'a file without its end',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nx',
    ],
    ['a boundary of 300 characters', `multipart/form-data; boundary=${'b'.repeat(300)}`, 'hello'],
    [
      'a part header that is garbage',
      'multipart/form-data; boundary=b',
      '--b\r\n\u0001\u0002garbage\r\n\r\nx\r\n--b--',
    ],
    [
      'a field called __proto__',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="__proto__"\r\n\r\nx\r\n--b--',
    ],
    [
      'a thousand fields',
      'multipart/form-data; boundary=b',
      `${'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n'.repeat(1000)}--b--`,
    ],
    ['an empty body', 'multipart/form-data; boundary=b', ''],
  ] as const;
  for (const [what, contentType, body] of cases) {
    test(`${what} is a 400 in the envelope`, async ({ service }) => {
      const before = await census(service);
      const answer = await service.call('POST', '/v3/media-prompts', {
        body,
        headers: { 'content-type': contentType },
      });
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({ code: 400, data: null, errors: expect.any(Array) });
      expect(await census(service)).toEqual(before);
    });
  }
});

async function census(service: Awaited<ReturnType<typeof startService>>) {
  const [counts] = await service.rows<{ prompts: number; recordings: number; blobs: number }>(
    `select (select count(*) from prompts)::int as prompts,
            (select count(*) from recordings)::int as recordings,
            (select count(*) from blobs)::int as blobs`,
  );
  const { published, arriving } = await service.files();
  return { ...counts, files: published.length + arriving.length } as {
    prompts: number;
    recordings: number;
    blobs: number;
    files: number;
  };
}
