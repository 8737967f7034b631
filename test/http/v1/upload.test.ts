import { describe, expect, onTestFinished } from 'vitest';
import { addMedia, audio, callV1, expectProblem, MEDIA, uploadMedia } from '../../support/media.ts';
import { fixture, type Part, text } from '../../support/multipart.ts';
import { startService, type TestService, test } from '../../support/service.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const MEMBERS = [
  'id',
  'fileName',
  'originalFileName',
  'fileSizeBytes',
  'contentType',
  'createdTime',
  'description',
];

async function census(service: TestService) {
  const [counts] = await service.rows<{ prompts: number; recordings: number; blobs: number }>(
    `select (select count(*)::int from prompts) as prompts,
      (select count(*)::int from recordings) as recordings, (select count(*)::int from blobs) as blobs`,
  );
  return { ...counts, ...(await service.files()) };
}

describe('the documented upload', () => {
  test('answers 201 with the plain object in its order, and where it is', async ({ service }) => {
    const { status, headers, body } = await uploadMedia(service, [
      audio({ content: fixture('tone.mp3'), filename: 'greeting.mp3', type: 'audio/mpeg' }),
      text('Description', 'Recorded in the spring'),
    ]);
    expect(status).toBe(201);
    expect(headers.get('content-type')).toMatch(/^application\/json\b/);
    expect(headers.get('location')).toBe(`${MEDIA}/${body.id}`);
    expect(Object.keys(body)).toEqual(MEMBERS);
    expect(body).toEqual({
      id: expect.stringMatching(UUID),
      fileName: expect.stringMatching(/^file-\d{13}-\d{39}\.mp3$/),
      originalFileName: 'greeting.mp3',
      fileSizeBytes: fixture('tone.mp3').byteLength,
      contentType: 'audio/mpeg',
      createdTime: expect.stringMatching(ISO),
      description: 'Recorded in the spring',
    });
  });

  test('takes part names in any case, and parts in any order', async ({ service }) => {
    for (const [file, description] of [
      ['File', 'Description'],
      ['file', 'description'],
      ['FILE', 'DESCRIPTION'],
      ['fIlE', 'dESCRIPTIOn'],
    ] as const) {
      const parts = [audio({ name: file, filename: `${file}.wav` }), text(description, 'In any case')];
      for (const ordered of [parts, parts.toReversed()]) {
        const { status, body } = await uploadMedia(service, ordered);
        expect(status).toBe(201);
        expect(body.description).toBe('In any case');
      }
    }
  });

  test('ignores text parts that it does not know', async ({ service }) => {
    const { status, body } = await uploadMedia(service, [
      text('name', 'x'.repeat(20_000)),
      audio(),
      text('message_type', 'nonsense'),
    ]);
    expect(status).toBe(201);
    expect(body.originalFileName).toBe('welcome.wav');
  });
});

describe('the declared Content-Type of the file', () => {
  for (const type of ['audio/wav', 'AUDIO/WAV', 'audio/mpeg', 'audio/x-anything', 'audio/ogg; codecs=opus']) {
    test(`may be ${type}, and the bytes decide all the same`, async ({ service }) => {
      const { status, body } = await uploadMedia(service, [
        audio({ content: fixture('tone.flac'), filename: 'lies.exe', type }),
      ]);
      expect(status).toBe(201);
      expect(body).toMatchObject({ contentType: 'audio/flac', originalFileName: 'lies.exe' });
      expect(body.fileName).toMatch(/\.flac$/);
    });
  }

  for (const type of [
    'application/octet-stream',
    'video/mp4',
    'text/plain',
    'audio',
    'xaudio/wav',
    undefined,
  ]) {
    test(`may not be ${type ?? 'absent'}, whatever the bytes`, async ({ service }) => {
      const before = await census(service);
      const { type: _, ...bare } = audio();
      expectProblem(await uploadMedia(service, [type === undefined ? bare : { ...bare, type }]), {
        status: 400,
        fields: ['File'],
      });
      expect(await census(service)).toEqual(before);
    });
  }
});

describe('what is refused', () => {
  const cases: readonly (readonly [string, readonly Part[], readonly string[]])[] = [
    ['no file', [text('Description', 'x')], ['File']],
    ['nothing at all', [], ['File']],
    ['the file as a text', [text('File', 'hello')], ['File']],
    ['a file under another name', [audio({ name: 'audio' })], ['File', 'audio']],
    ['a second file', [audio(), audio({ name: 'file' })], ['file']],
    ['an empty file', [audio({ content: '' })], ['File']],
    ['text declared as audio', [audio({ content: 'I am text\n'.repeat(50) })], ['File']],
    ['a picture declared as audio', [audio({ content: fixture('picture.png') })], ['File']],
    ['a video without sound', [audio({ content: fixture('silent-film.mp4'), type: 'audio/mp4' })], ['File']],
    ['a file cut off in its header', [audio({ content: fixture('tone.wav').subarray(0, 44) })], ['File']],
    ['1001 characters of Description', [audio(), text('Description', 'é'.repeat(1001))], ['Description']],
    ['20 kB of Description', [audio(), text('Description', 'x'.repeat(20_000))], ['Description']],
    ['a Description with NUL', [audio(), text('Description', 'a\0b')], ['Description']],
    [
      'a Description that comes twice, in whatever case',
      [audio(), text('Description', 'a'), text('description', 'b')],
      ['Description'],
    ],
    [
      'everything wrong at once',
      [audio({ type: 'text/html' }), text('Description', 'x'.repeat(1001))],
      ['File', 'Description'],
    ],
  ];
  for (const [what, parts, fields] of cases) {
    test(`is a 400 that names ${fields.join(' and ')}, and leaves nothing: ${what}`, async ({ service }) => {
      const before = await census(service);
      expectProblem(await uploadMedia(service, parts), { status: 400, fields });
      expect(await census(service)).toEqual(before);
    });
  }
});

describe('the Description', () => {
  test('has at most 1000 characters, counted as people count', async ({ service }) => {
    for (const longest of ['x'.repeat(1000), '😀'.repeat(1000)]) {
      const { status, body } = await uploadMedia(service, [audio(), text('Description', longest)]);
      expect(status).toBe(201);
      expect(body.description).toBe(longest);
    }
  });

  test('is null when it is absent or empty', async ({ service }) => {
    for (const parts of [[audio()], [audio(), text('Description', '')]]) {
      expect((await uploadMedia(service, parts)).body.description).toBeNull();
    }
  });
});

describe('the name of the file', () => {
  const cases = [
    ['Unicode', 'Begrüßung 😀.wav', 'Begrüßung 😀.wav'],
    ['a quote', 'say \\"hello\\".wav', 'say "hello".wav'],
    ['a path', '../../etc/passwd.wav', 'passwd.wav'],
    ['a path of Windows', 'C:\\\\temp\\\\greeting.wav', 'greeting.wav'],
    ['decomposed letters', 'Cafe\u0301.wav', 'Café.wav'],
    ['white space around it', '  padded.wav ', 'padded.wav'],
    ['more than 255 characters', `${'é'.repeat(300)}.wav`, 'é'.repeat(255)],
    ['white space where it is cut', `${'y'.repeat(254)} z.wav`, 'y'.repeat(254)],
  ] as const;
  for (const [what, given, kept] of cases) {
    test(`is kept as what a person would call it: ${what}`, async ({ service }) => {
      expect((await addMedia(service, given)).originalFileName).toBe(kept);
    });
  }

  test('is audio where there is none', async ({ service }) => {
    for (const nameless of ['', '   ', '..', '/']) {
      expect((await addMedia(service, nameless)).originalFileName).toMatch(/^audio( \(\d\))?$/);
    }
  });
});

describe('the limit', () => {
  const LIMIT = 20_000;
  const padded = (bytes: number) => {
    const tone = fixture('tone.wav');
    return audio({ content: Buffer.concat([tone, Buffer.alloc(bytes - tone.byteLength)]) });
  };

  test('is inclusive: one byte more is a 413 and nothing of it stays', async () => {
    const service = await startService({ MAX_UPLOAD_BYTES: String(LIMIT) });
    onTestFinished(() => service.close());
    const empty = await census(service);
    expectProblem(await uploadMedia(service, [padded(LIMIT + 1)]), { status: 413, fields: ['File'] });
    expectProblem(await uploadMedia(service, [padded(2_000_000)]), { status: 413, fields: ['File'] });
    expect(await census(service)).toEqual(empty);
    for (const bytes of [LIMIT - 1, LIMIT]) {
      const { status, body } = await uploadMedia(service, [padded(bytes)]);
      expect(status).toBe(201);
      expect(body.fileSizeBytes).toBe(bytes);
    }
  });
});

describe('a body that is no form', () => {
  const NO_FORM = { status: 415, fields: ['File'] };
  const MALFORMED = { status: 400, fields: ['File'] };
  const cases = [
    ['JSON', 'application/json', '{"File":"x"}', NO_FORM],
    ['JSON that is nothing', 'application/json', '', NO_FORM],
    ['a plain text', 'text/plain', 'hello', { status: 415 }],
    ['the audio itself', 'audio/wav', fixture('tone.wav'), { status: 415 }],
    ['a form of another kind', 'application/x-www-form-urlencoded', 'File=x', { status: 415 }],
    ['a form without a boundary parameter', 'multipart/form-data', '--b\r\n\r\n--b--', MALFORMED],
    ['a form without its boundary', 'multipart/form-data; boundary=b', 'hello', MALFORMED],
    ['an empty form', 'multipart/form-data; boundary=b', '', MALFORMED],
    [
      'a file without its end',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="File"; filename="x"\r\nContent-Type: audio/wav\r\n\r\nx',
      MALFORMED,
    ],
    [
      'a thousand fields',
      'multipart/form-data; boundary=b',
      `${'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n'.repeat(1000)}--b--`,
      MALFORMED,
    ],
  ] as const;
  for (const [what, contentType, body, expected] of cases) {
    test(`is a ${expected.status}: ${what}`, async ({ service }) => {
      const before = await census(service);
      const answer = await callV1(service, 'POST', MEDIA, { body, headers: { 'content-type': contentType } });
      expectProblem(answer, expected);
      expect(await census(service)).toEqual(before);
    });
  }

  test('is a 415 too when there is no body at all', async ({ service }) => {
    expectProblem(await callV1(service, 'POST', MEDIA), NO_FORM);
  });
});
