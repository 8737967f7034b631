import { describe, expect } from 'vitest';
import { addMedia, callV1, MEDIA } from '../support/media.ts';
import { fixture } from '../support/multipart.ts';
import { startService, type TestService, token } from '../support/service.ts';
import { mulberry32, noise } from '../support/wav.ts';
import { type Client, createClient, lasting, wire } from './http-client.ts';
import { expectAnswer, faultsOf, PLAYBACK, type Source } from './judging.ts';
import { addSound, type Sound } from './recordings.ts';
import { type Expected, expectedOf, headerOf, type Wish } from './reference.ts';
import { test as base } from './small-memory.ts';

interface Dated {
  readonly sound: Sound;
  /** Epoch seconds. */
  readonly modified: number;
}

const SIZE = 1000;
const test = base.extend<{ client: Client; dated: Dated }>({
  client: [
    async ({ service }, use) => {
      const client = createClient(service.base);
      await use(client);
      client.close();
    },
    { scope: 'file' },
  ],
  dated: [
    async ({ service, client }, use) => {
      await use(await withDate(client, await addSound(service, 'Conditions', noise(SIZE, 3), 'wav')));
    },
    { scope: 'file' },
  ],
});

async function withDate(client: Client, sound: Sound): Promise<Dated> {
  const { headers } = await client.ask('HEAD', sound.path);
  return { sound, modified: Date.parse(headers['last-modified'] ?? '') / 1000 };
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const LONG_DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The forms in which HTTP writes a time. */
const FORMS = {
  imf: (seconds: number) => new Date(seconds * 1000).toUTCString(),
  rfc850(seconds: number) {
    const date = new Date(seconds * 1000);
    const [, day, month, year, time] = date.toUTCString().split(' ');
    return `${LONG_DAYS[date.getUTCDay()]}, ${day}-${month}-${year?.slice(2)} ${time} GMT`;
  },
  asctime(seconds: number) {
    const date = new Date(seconds * 1000);
    const time = date.toISOString().slice(11, 19);
    const day = String(date.getUTCDate()).padStart(2);
    return `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${day} ${time} ${date.getUTCFullYear()}`;
  },
} as const;

const OTHER = '"00000000000000000000000000000000"';
/** None of them is an HTTP date, though some software would make a time of them. */
const NO_DATES = [
  '',
  'yesterday',
  '0',
  '-1',
  '1768912496',
  '2999-01-01T00:00:00Z',
  '1 Jan 2999',
  'Tue, 01 Jan 2999 00:00:00',
  'Tue, 01 Jan 2999 00:00:00 +0000',
  'Tue, 01 Jan 2999 00:00:00 UTC',
  'Tue, 1 Jan 2999 00:00:00 GMT',
  'Tue, 01 Foo 2999 00:00:00 GMT',
  'Tue, 99 Jan 2999 00:00:00 GMT',
  'Tue, 01 Jan 2999 99:00:00 GMT',
  '"Tue, 01 Jan 2999 00:00:00 GMT"',
];

const WHOLE: Expected = { status: 200, stretches: [[0, SIZE - 1]] };
const PART: Expected = { status: 206, stretches: [[0, 1]] };
const FRESH: Expected = { status: 304, stretches: undefined };
const FAILED: Expected = { status: 412, stretches: undefined };
const BEYOND: Expected = { status: 416, stretches: undefined };

interface Row {
  readonly promise: string;
  readonly headers: (dated: Dated) => Readonly<Record<string, string>>;
  readonly get: Expected;
  /** Where it is not that of GET. */
  readonly head?: Expected;
}

const row = (promise: string, get: Expected, headers: Row['headers'], head?: Expected): Row => ({
  promise,
  headers,
  get,
  ...(head && { head }),
});
const imf = FORMS.imf;

const TABLE: readonly Row[] = [
  // If-None-Match: the weak comparison.
  row('If-None-Match with the ETag is 304', FRESH, ({ sound }) => ({ 'If-None-Match': sound.etag })),
  row('If-None-Match with the ETag made weak, as some proxies do, is 304', FRESH, ({ sound }) => ({
    'If-None-Match': `W/${sound.etag}`,
  })),
  row('If-None-Match: * is 304', FRESH, () => ({ 'If-None-Match': '*' })),
  row('If-None-Match with the ETag in a list is 304', FRESH, ({ sound }) => ({
    'If-None-Match': `"a,b", ${OTHER} ,,W/"x",${sound.etag}, "z"`,
  })),
  row('If-None-Match with another ETag is 200', WHOLE, () => ({ 'If-None-Match': OTHER })),
  row('If-None-Match with a list of others is 200', WHOLE, () => ({
    'If-None-Match': `${OTHER}, "a", W/"b"`,
  })),
  row('If-None-Match with a part of the ETag is 200', WHOLE, ({ sound }) => ({
    'If-None-Match': `${sound.etag.slice(0, 9)}"`,
  })),
  row('If-None-Match without quotes is 200', WHOLE, ({ sound }) => ({
    'If-None-Match': sound.etag.replaceAll('"', ''),
  })),
  row('If-None-Match with an ETag that only holds ours in it is 200', WHOLE, ({ sound }) => ({
    'If-None-Match': `"x${sound.etag.slice(1)}`,
  })),
  row('If-None-Match: "*" is an ETag like any other', WHOLE, () => ({ 'If-None-Match': '"*"' })),
  // If-Modified-Since.
  ...Object.entries(FORMS).flatMap(([form, write]) => [
    row(`If-Modified-Since with Last-Modified is 304 (${form})`, FRESH, ({ modified }) => ({
      'If-Modified-Since': write(modified),
    })),
    row(`If-Modified-Since with a later time is 304 (${form})`, FRESH, ({ modified }) => ({
      'If-Modified-Since': write(modified + 3600),
    })),
    row(`If-Modified-Since a second earlier is 200 (${form})`, WHOLE, ({ modified }) => ({
      'If-Modified-Since': write(modified - 1),
    })),
    row(`If-Unmodified-Since with Last-Modified is 200 (${form})`, WHOLE, ({ modified }) => ({
      'If-Unmodified-Since': write(modified),
    })),
    row(`If-Unmodified-Since a second earlier is 412 (${form})`, FAILED, ({ modified }) => ({
      'If-Unmodified-Since': write(modified - 1),
    })),
    row(
      `If-Range with Last-Modified is 206 (${form})`,
      PART,
      ({ modified }) => ({ Range: 'bytes=0-1', 'If-Range': write(modified) }),
      WHOLE,
    ),
    row(`If-Range with another time, even a later one, is 200 (${form})`, WHOLE, ({ modified }) => ({
      Range: 'bytes=0-1',
      'If-Range': write(modified + 1),
    })),
  ]),
  ...NO_DATES.flatMap((text) => [
    row(`If-Modified-Since: ${text} is no date and means nothing`, WHOLE, () => ({
      'If-Modified-Since': text,
    })),
    row(`If-Unmodified-Since: ${text} is no date and means nothing`, WHOLE, () => ({
      'If-Unmodified-Since': text.replace('2999', '1999'),
    })),
    row(`If-Range: ${text} is nothing that could match`, WHOLE, () => ({
      Range: 'bytes=0-1',
      'If-Range': text,
    })),
  ]),
  // If-Match: the strong comparison.
  row('If-Match with the ETag is 200', WHOLE, ({ sound }) => ({ 'If-Match': sound.etag })),
  row('If-Match: * is 200', WHOLE, () => ({ 'If-Match': '*' })),
  row('If-Match with the ETag in a list is 200', WHOLE, ({ sound }) => ({
    'If-Match': `"a", ${sound.etag}`,
  })),
  row('If-Match with another ETag is 412', FAILED, () => ({ 'If-Match': OTHER })),
  row('If-Match with the ETag made weak is 412', FAILED, ({ sound }) => ({ 'If-Match': `W/${sound.etag}` })),
  // If-Range: the strong comparison.
  row(
    'If-Range with the ETag is 206',
    PART,
    ({ sound }) => ({ Range: 'bytes=0-1', 'If-Range': sound.etag }),
    WHOLE,
  ),
  row('If-Range with the ETag made weak is 200', WHOLE, ({ sound }) => ({
    Range: 'bytes=0-1',
    'If-Range': `W/${sound.etag}`,
  })),
  row('If-Range with another ETag is 200', WHOLE, () => ({ Range: 'bytes=0-1', 'If-Range': OTHER })),
  row('If-Range with a list is 200', WHOLE, ({ sound }) => ({
    Range: 'bytes=0-1',
    'If-Range': `${sound.etag}, ${OTHER}`,
  })),
  row('If-Range: * is 200', WHOLE, () => ({ Range: 'bytes=0-1', 'If-Range': '*' })),
  row('If-Range without Range means nothing', WHOLE, () => ({ 'If-Range': OTHER })),
  row('If-Range that does not match keeps a range beyond the end from failing', WHOLE, () => ({
    Range: 'bytes=5000-',
    'If-Range': OTHER,
  })),
  row(
    'If-Range that matches lets a range beyond the end fail',
    BEYOND,
    ({ sound }) => ({ Range: 'bytes=5000-', 'If-Range': sound.etag }),
    WHOLE,
  ),
  // Which goes first (RFC 9110, 13.2.2).
  row('If-None-Match that does not match overrules If-Modified-Since', WHOLE, ({ modified }) => ({
    'If-None-Match': OTHER,
    'If-Modified-Since': imf(modified),
  })),
  row('If-None-Match that matches overrules If-Modified-Since', FRESH, ({ sound, modified }) => ({
    'If-None-Match': sound.etag,
    'If-Modified-Since': imf(modified - 1000),
  })),
  row('If-Match that matches overrules If-Unmodified-Since', WHOLE, ({ sound, modified }) => ({
    'If-Match': sound.etag,
    'If-Unmodified-Since': imf(modified - 1000),
  })),
  row('If-Match that does not match overrules If-Unmodified-Since', FAILED, ({ modified }) => ({
    'If-Match': OTHER,
    'If-Unmodified-Since': imf(modified),
  })),
  row('If-Match goes before If-None-Match: 412', FAILED, ({ sound }) => ({
    'If-Match': OTHER,
    'If-None-Match': sound.etag,
  })),
  row('If-Match and If-None-Match that both match: 304', FRESH, ({ sound }) => ({
    'If-Match': sound.etag,
    'If-None-Match': sound.etag,
  })),
  row('If-Unmodified-Since goes before If-Modified-Since: 412', FAILED, ({ modified }) => ({
    'If-Unmodified-Since': imf(modified - 1),
    'If-Modified-Since': imf(modified),
  })),
  row('a 304 goes before Range', FRESH, ({ sound }) => ({ 'If-None-Match': sound.etag, Range: 'bytes=0-1' })),
  row('a 304 goes before a range beyond the end', FRESH, ({ sound }) => ({
    'If-None-Match': sound.etag,
    Range: 'bytes=5000-',
  })),
  row('a 412 goes before Range', FAILED, () => ({ 'If-Match': OTHER, Range: 'bytes=0-1' })),
  row(
    'a condition that holds lets Range be',
    PART,
    ({ sound, modified }) => ({
      'If-Match': sound.etag,
      'If-None-Match': OTHER,
      'If-Modified-Since': imf(modified),
      'If-Range': sound.etag,
      Range: 'bytes=0-1',
    }),
    WHOLE,
  ),
];

describe('a condition', () => {
  test.for(TABLE)('$promise', async ({ headers, get, head = get }, { client, dated }) => {
    const { sound } = dated;
    expectAnswer(await client.ask('GET', sound.path, headers(dated)), 'GET', sound, get);
    expectAnswer(await client.ask('HEAD', sound.path, headers(dated)), 'HEAD', sound, head);
  });

  test('sent in several lines is one list', async ({ service, dated: { sound } }) => {
    const answer = await wire(service.base, [
      `GET ${sound.path} HTTP/1.1`,
      `If-None-Match: ${OTHER}`,
      `If-None-Match: ${sound.etag}`,
    ]);
    expect(answer).toMatch(/^HTTP\/1\.1 304 /);
  });

  test('a 304 ends with its head and says no length', async ({ service, dated: { sound } }) => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await wire(service.base, [`${method} ${sound.path} HTTP/1.1`, 'If-None-Match: *']);
      expect(answer).toMatch(/^HTTP\/1\.1 304 Not Modified\r\n/);
      expect(answer.endsWith('\r\n\r\n')).toBe(true);
      expect(answer.split('\r\n\r\n')).toHaveLength(2);
      expect(answer).not.toMatch(/^(content-length|transfer-encoding|content-type):/im);
    }
  });

  test('HEAD says what GET says, and ends with its head', async ({ service, client, dated: { sound } }) => {
    const get = await client.ask('GET', sound.path);
    const head = await client.ask('HEAD', sound.path);
    expect(lasting(head.headers)).toEqual(lasting(get.headers));
    const answer = await wire(service.base, [`HEAD ${sound.path} HTTP/1.1`]);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 200 OK\r\n[^]*content-length: ${SIZE}\r\n`, 'i'));
    expect(answer.indexOf('\r\n\r\n')).toBe(answer.length - 4);
  });

  test('what fails is a small JSON that nobody keeps, and the connection stays of use', async ({
    client,
    dated: { sound },
  }) => {
    for (const headers of [{ 'If-Match': OTHER }, { Range: 'bytes=9999-' }]) {
      const { status, body } = await client.ask('GET', sound.path, headers);
      expect(JSON.parse(body.toString())).toMatchObject({
        code: status,
        data: null,
        message: expect.any(String),
      });
      expectAnswer(await client.ask('GET', sound.path), 'GET', sound, WHOLE);
    }
  });
});

/** A piece of a request and what it means. */
interface Condition {
  readonly headers: Readonly<Record<string, string>>;
  readonly holds: boolean;
}

type Random = () => number;
const pick = <T>(random: Random, values: readonly T[]): T => {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new Error('nothing to pick from');
  return value;
};
const below = (random: Random, limit: number) => Math.floor(random() * limit);
const UNCONDITIONAL: Condition = { headers: {}, holds: true };

function anyDate(random: Random, modified: number): { readonly text: string; readonly seconds: number } {
  const seconds = modified + pick(random, [-86_400, -1, 0, 0, 1, 86_400]);
  return { text: pick(random, Object.values(FORMS))(seconds), seconds };
}

/** `holds`: the recording is the one that is meant. */
function anyPrecondition(random: Random, { sound, modified }: Dated): Condition {
  switch (below(random, 12)) {
    case 0:
      return { headers: { 'If-Match': sound.etag }, holds: true };
    case 1:
      return { headers: { 'If-Match': `${OTHER}, "a"` }, holds: false };
    case 2: {
      const { text, seconds } = anyDate(random, modified);
      return { headers: { 'If-Unmodified-Since': text }, holds: modified <= seconds };
    }
    case 3:
      return { headers: { 'If-Unmodified-Since': pick(random, NO_DATES) }, holds: true };
    default:
      return UNCONDITIONAL;
  }
}

/** `holds`: the client does not have it yet. */
function anyFreshness(random: Random, { sound, modified }: Dated): Condition {
  switch (below(random, 12)) {
    case 0:
      return {
        headers: { 'If-None-Match': pick(random, [sound.etag, `W/${sound.etag}`, '*']) },
        holds: false,
      };
    case 1: {
      const { text } = anyDate(random, modified);
      return { headers: { 'If-None-Match': OTHER, 'If-Modified-Since': text }, holds: true };
    }
    case 2: {
      const { text, seconds } = anyDate(random, modified);
      return { headers: { 'If-Modified-Since': text }, holds: modified > seconds };
    }
    case 3:
      return { headers: { 'If-Modified-Since': pick(random, NO_DATES) }, holds: true };
    default:
      return UNCONDITIONAL;
  }
}

/** `holds`: a range is to be served as one. */
function anyIfRange(random: Random, { sound, modified }: Dated): Condition {
  switch (below(random, 12)) {
    case 0:
      return { headers: { 'If-Range': sound.etag }, holds: true };
    case 1:
      return { headers: { 'If-Range': pick(random, [OTHER, `W/${sound.etag}`, ...NO_DATES]) }, holds: false };
    case 2: {
      const { text, seconds } = anyDate(random, modified);
      return { headers: { 'If-Range': text }, holds: modified === seconds };
    }
    default:
      return UNCONDITIONAL;
  }
}

function anyWish(random: Random, size: number): Wish {
  // Now and then beyond the end; mostly short.
  const first = below(random, random() < 0.1 ? size * 2 : size);
  const length = 1 + below(random, random() < 0.1 ? size : Math.min(size, 5000));
  switch (below(random, 4)) {
    case 0:
      return { kind: 'suffix', length: random() < 0.05 ? 0 : length };
    case 1:
      return { kind: 'from', first: Math.max(first, size - 20_000) };
    default:
      return { kind: 'from-to', first, last: random() < 0.03 ? first - 1 : first + length - 1 };
  }
}

function anyWishes(random: Random, size: number): readonly Wish[] {
  const count = pick(random, [1, 1, 1, 1, 2, 3, 5, 10, 11]);
  const wishes = Array.from({ length: count }, () => anyWish(random, size));
  return wishes.some((wish) => wish.kind === 'from-to' && wish.last < 0)
    ? [{ kind: 'from', first: 0 }]
    : wishes;
}

interface Trial {
  readonly method: 'GET' | 'HEAD';
  readonly dated: Dated;
  readonly headers: Readonly<Record<string, string>>;
  readonly expected: Expected;
}

function anyTrial(random: Random, sounds: readonly Dated[]): Trial {
  const dated = pick(random, sounds);
  const size = dated.sound.bytes.byteLength;
  const method = random() < 0.15 ? 'HEAD' : 'GET';
  const [precondition, freshness, ifRange] = [
    anyPrecondition(random, dated),
    anyFreshness(random, dated),
    anyIfRange(random, dated),
  ];
  // The whole of a large file says little and takes long.
  const isRanged = random() < (size > 100_000 ? 0.98 : 0.8);
  const wishes = isRanged ? anyWishes(random, size) : [];
  const headers = {
    ...precondition.headers,
    ...freshness.headers,
    ...ifRange.headers,
    ...(isRanged && { Range: headerOf(wishes) }),
  };
  const expected = (): Expected => {
    if (!precondition.holds) return FAILED;
    if (!freshness.holds) return FRESH;
    return expectedOf(method === 'GET' && ifRange.holds ? wishes : [], size);
  };
  return { method, dated, headers, expected: expected() };
}

/** Runs trials, several at once, and says which failed. */
async function faultsOfTrials(
  count: number,
  trial: () => Trial,
  run: (trial: Trial) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const faults: string[] = [];
  let left = count;
  const work = async () => {
    while (left > 0 && faults.length < 5) {
      left -= 1;
      const next = trial();
      const found = await run(next);
      if (found.length > 0) {
        const { method, headers, dated } = next;
        faults.push(
          `${method} ${dated.sound.bytes.byteLength} ${JSON.stringify(headers)}: ${found.join('; ')}`,
        );
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  return faults;
}

const SEED = Number(process.env['TEST_SEED'] ?? below(Math.random, 2 ** 31));

async function addSounds(service: TestService, client: Client): Promise<readonly Dated[]> {
  const sizes = [844, SIZE, 16_044, 900_000, 1_500_000];
  const sounds: Dated[] = [];
  for (const size of sizes) {
    const sound = await addSound(service, `Random ${size}`, noise(size, size), 'wav');
    sounds.push(await withDate(client, sound));
  }
  return sounds;
}

describe(`requests chosen at random (TEST_SEED=${SEED})`, () => {
  test('ten thousand agree byte for byte with the uploaded files, most of them answered from memory', {
    timeout: 120_000,
  }, async ({ service, client }) => {
    const random = mulberry32(SEED);
    const sounds = await addSounds(service, client);
    const before = service.library.shelf();
    const faults = await faultsOfTrials(
      10_000,
      () => anyTrial(random, sounds),
      async ({ method, dated: { sound }, headers, expected }) =>
        faultsOf(await client.ask(method, sound.path, headers), method, sound, expected),
    );
    expect(faults).toEqual([]);
    const after = service.library.shelf();
    const [hits, misses] = [after.hits - before.hits, after.misses - before.misses];
    expect(hits).toBeGreaterThan(7000);
    // The large one is never kept.
    expect(misses).toBeGreaterThan(1000);
  });

  test('two thousand agree without any memory for audio', { timeout: 60_000 }, async () => {
    const service = await startService({ PLAYBACK_CACHE_BYTES: '0' });
    const client = createClient(service.base);
    try {
      const random = mulberry32(SEED + 1);
      const sounds = await addSounds(service, client);
      const faults = await faultsOfTrials(
        2000,
        () => anyTrial(random, sounds),
        async ({ method, dated: { sound }, headers, expected }) =>
          faultsOf(await client.ask(method, sound.path, headers), method, sound, expected),
      );
      expect(faults).toEqual([]);
      expect(service.library.shelf()).toMatchObject({ hits: 0, bytes: 0 });
    } finally {
      client.close();
      await service.close();
    }
  });

  test('a thousand agree on the content of v1, which a token guards', { timeout: 60_000 }, async ({
    service,
    client,
  }) => {
    const random = mulberry32(SEED + 2);
    const { id } = await addMedia(service, 'random.wav');
    const path = `${MEDIA}/${id}/content`;
    const authorization = `Bearer ${token()}`;
    const { headers } = await client.ask('HEAD', path, { authorization });
    const sound: Sound = {
      id: 0,
      path,
      bytes: fixture('tone.wav'),
      type: 'audio/wav',
      etag: headers.etag ?? '',
    };
    const dated: Dated = { sound, modified: Date.parse(headers['last-modified'] ?? '') / 1000 };
    const source: Source = {
      cacheControl: 'private, max-age=86400',
      contentDisposition: 'attachment; filename=random.wav',
      errorType: 'application/problem+json',
    };
    const faults = await faultsOfTrials(
      1000,
      () => anyTrial(random, [dated]),
      async (trial) => {
        const reply = await client.ask(trial.method, path, { ...trial.headers, authorization });
        return faultsOf(reply, trial.method, sound, trial.expected, source);
      },
    );
    expect(faults).toEqual([]);
    expect((await callV1(service, 'DELETE', `${MEDIA}/${id}`)).status).toBe(204);
    const gone = await client.ask('GET', path, { authorization, 'If-None-Match': sound.etag });
    expect(gone.status).toBe(404);
    expect(gone.headers['cache-control']).toBe('no-store');
  });
});

test('the ETag of v1 is that of the url, since the bytes are the same', async ({ service, client }) => {
  const authorization = `Bearer ${token()}`;
  const { id } = await addMedia(service, 'etag.wav');
  const twin = await addSound(service, 'Twin', fixture('tone.wav'), 'wav');
  const { headers } = await client.ask('HEAD', `${MEDIA}/${id}/content`, { authorization });
  expect(headers.etag).toBe(twin.etag);
  expect(headers['cache-control']).toBe(PLAYBACK.cacheControl.replace('public', 'private'));
});
