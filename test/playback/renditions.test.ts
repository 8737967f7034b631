import { describe, expect, onTestFinished } from 'vitest';
import { RENDITIONS } from '../../src/audio/renditions.ts';
import { promptForm } from '../support/multipart.ts';
import {
  test as base,
  failRendition,
  KINDS,
  type Made,
  pathOf,
  putRendition,
  WITHOUT_CONVERTER,
} from '../support/renditions.ts';
import { startService, type TestService, token, type WirePrompt } from '../support/service.ts';
import {
  createAsterisk,
  createFreeSwitchHttpCache,
  faultsOfPlaying,
  playByCloud,
  playByHttapi,
  playBySafari,
  playByTwilio,
} from './engines.ts';
import { type Client, createClient, lasting, type Reply } from './http-client.ts';

const test = base.extend<{ client: Client }>({
  client: async ({ service }, use) => {
    const client = createClient(service.base);
    await use(client);
    client.close();
  },
});

const DAY = 86_400;

async function addPrompt(service: TestService, name: string): Promise<WirePrompt> {
  return (await service.upload(promptForm(name))).body.data;
}

async function addRendition(service: TestService, name: string, kind: Made['kind']): Promise<Made> {
  return await putRendition(service, await addPrompt(service, `${name} ${kind}`), kind);
}

/** Answers with a recording that came by the express lane, whatever their status. */
async function answeredAtOnce(service: TestService): Promise<number> {
  const text = await (await fetch(`${service.base}/metrics`)).text();
  const counts = [...text.matchAll(/^media_prompts_playback_at_once_total\{[^}]*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Every way to ask for it that is answered with what there is of it. */
const WAYS = [
  ['GET', () => ({}), 200],
  ['HEAD', () => ({}), 200],
  ['GET', () => ({ Range: 'bytes=100-199' }), 206],
  ['GET', () => ({ Range: 'bytes=0-1,5-6' }), 206],
  ['GET', ({ etag }: Made) => ({ 'If-None-Match': etag }), 304],
  ['HEAD', ({ etag }: Made) => ({ 'If-None-Match': etag }), 304],
] as const;

const askAll = (client: Client, made: Made): Promise<readonly Reply[]> =>
  Promise.all(WAYS.map(([method, headers]) => client.ask(method, made.path, headers(made))));

/** What tells of the rendition and not of the one answer: each body of several parts has a boundary of its own. */
const essence = ({ status, headers, body }: Reply) => {
  const boundary = /boundary=(.+)$/.exec(headers['content-type'] ?? '')?.[1];
  const plain = (text: string) => (boundary === undefined ? text : text.replaceAll(boundary, 'BOUNDARY'));
  return { status, headers: plain(JSON.stringify(lasting(headers))), body: plain(body.toString('latin1')) };
};

describe.each(KINDS)('the rendition %s', (kind) => {
  test('is told by the headers of its own bytes, whole, in part and not at all', async ({
    service,
    client,
  }) => {
    const made = await addRendition(service, 'Told', kind);
    const { path, bytes, etag, type } = made;
    const replies = await askAll(client, made);
    expect(replies.map(({ status }) => status)).toEqual(WAYS.map(([, , status]) => status));
    const common = {
      etag,
      'last-modified': expect.stringMatching(/ GMT$/),
      'cache-control': `public, max-age=${DAY}`,
    };
    const full = {
      ...common,
      'content-type': type,
      'content-length': String(bytes.byteLength),
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
    };
    const [get, head, part, , kept] = replies;
    expect(get && lasting(get.headers)).toEqual(full);
    expect(get?.body.equals(bytes)).toBe(true);
    expect(head && lasting(head.headers)).toEqual(full);
    expect(part && lasting(part.headers)).toEqual({
      ...full,
      'content-length': '100',
      'content-range': `bytes 100-199/${bytes.byteLength}`,
    });
    expect(part?.body.equals(bytes.subarray(100, 200))).toBe(true);
    expect(kept && lasting(kept.headers)).toEqual(common);
    expect(path).toMatch(new RegExp(String.raw`^/[A-Za-z0-9/_-]+\.${RENDITIONS[kind].extension}$`));
  });

  test('plays from memory what it plays from the disk, past everything else', async ({ service, client }) => {
    const made = await addRendition(service, 'Hot', kind);
    const cold = await askAll(client, made);
    const hotAnswers = async () => {
      const before = await answeredAtOnce(service);
      const hot = await askAll(client, made);
      expect(hot.map(essence)).toEqual(cold.map(essence));
      return (await answeredAtOnce(service)) - before;
    };
    await expect.poll(hotAnswers, { timeout: 10_000 }).toBe(WAYS.length);
  });

  test('plays in Asterisk, FreeSWITCH and whatever else fetches it', async ({ service, client }) => {
    const { path, bytes } = await addRendition(service, 'Played', kind);
    const { extension, contentType } = RENDITIONS[kind];
    const freeSwitch = createFreeSwitchHttpCache(client);
    expect(faultsOfPlaying(await freeSwitch.play(path, 0, extension), bytes)).toEqual([]);
    expect(faultsOfPlaying(await playByHttapi(client, path, extension), bytes)).toEqual([]);
    expect(faultsOfPlaying(await playBySafari(client, path), bytes)).toEqual([]);
    if (contentType.startsWith('audio/')) {
      expect(faultsOfPlaying(await playByTwilio(client, path), bytes)).toEqual([]);
      expect(faultsOfPlaying(await playByCloud(client, path), bytes)).toEqual([]);
    }
    // It takes .ulaw from audio/basic as .pcm, which is the same format under another name.
    if (kind === 'ulaw') return;
    const asterisk = createAsterisk(client);
    for (const now of [0, 1, DAY]) {
      expect(faultsOfPlaying(await asterisk.play(path, now), bytes)).toEqual([]);
    }
    expect(asterisk.requests).toEqual(['GET', 'HEAD']);
  });

  test('that was never made is a 501, and one that cannot be made a 404 with the reason', async ({
    service,
    client,
  }) => {
    const prompt = await addPrompt(service, `Not there ${kind}`);
    const ask = async (method: string) => {
      const { status, headers, body } = await client.ask(method, pathOf(prompt, kind));
      expect(headers['cache-control']).toBe('no-store');
      return { status, body: body.byteLength > 0 ? JSON.parse(body.toString()) : undefined };
    };
    expect(await ask('HEAD')).toEqual({ status: 501, body: undefined });
    expect(await ask('GET')).toMatchObject({
      status: 501,
      body: { code: 501, message: expect.stringMatching(/^This service makes no renditions: ./), data: null },
    });
    await failRendition(service, prompt, kind, 'It holds no sound.');
    const message = 'This rendition cannot be made: It holds no sound.';
    expect(await ask('HEAD')).toEqual({ status: 404, body: undefined });
    expect(await ask('GET')).toMatchObject({ status: 404, body: { code: 404, message, data: null } });
  });
});

describe('a url that is nearly that of a rendition', () => {
  test('is a 404 of a recording that is known, at once', async ({ service, client }) => {
    const prompt = await addPrompt(service, 'Nearly');
    for (const kind of KINDS) await putRendition(service, prompt, kind);
    const name = `/uploads/call-flow-recordings/${prompt.recording_name}`;
    const wrong = KINDS.flatMap((kind) =>
      Object.values(RENDITIONS)
        .filter(({ extension }) => extension !== RENDITIONS[kind].extension)
        .map(({ extension }) => `${name}-${kind}.${extension}`),
    );
    const others = ['-pcm8k', '-pcm8k.', '-pcm8k.wav.wav', '-PCM8K.wav', '-pcm8k.WAV', '-pcm9k.wav', '-.wav'];
    const more = ['--pcm8k.wav', '-pcm8k-pcm8k.wav', '-constructor.wav', '-__proto__.wav', '.wav16', '.ulaw'];
    for (const path of [...wrong, ...[...others, ...more].map((end) => name + end)]) {
      for (let i = 0; i < 2; i += 1) {
        const { status, headers } = await client.ask('GET', path);
        expect({ path, status }).toEqual({ path, status: 404 });
        expect(headers['content-type']).toMatch(/^application\/json/);
      }
    }
  });

  test('is a 404 of a recording that nobody has, with and without a kind', async ({ client }) => {
    const name = `/uploads/call-flow-recordings/file-1768912496789-${'0'.repeat(39)}`;
    for (const kind of KINDS) {
      const { status } = await client.ask('GET', `${name}-${kind}.${RENDITIONS[kind].extension}`);
      expect({ kind, status }).toEqual({ kind, status: 404 });
    }
  });
});

describe('once a delete was acknowledged', () => {
  test('no rendition plays any more, hot or cold, and no bytes of them stay', async ({ service, client }) => {
    const before = await service.files();
    const prompt = await addPrompt(service, 'All gone');
    const made: Made[] = [];
    for (const kind of KINDS) made.push(await putRendition(service, prompt, kind));
    const hot = made.slice(0, 4);
    for (let round = 0; round < 3; round += 1) {
      for (const one of hot) expect((await client.ask('GET', one.path)).status).toBe(200);
    }
    expect((await service.call('DELETE', `/v3/media-prompts/${prompt.media_prompt_id}`)).status).toBe(200);
    for (const one of made) {
      const statuses = (await askAll(client, one)).map(({ status }) => status);
      expect(statuses).toEqual(WAYS.map(() => 404));
    }
    expect(await service.files()).toEqual(before);
  });
});

base('with PLAYBACK_ACCESS=token a rendition needs a token that reaches its prompt', async () => {
  const service = await startService({ ...WITHOUT_CONVERTER, PLAYBACK_ACCESS: 'token' });
  onTestFinished(() => service.close());
  await service.rows(`insert into org_units (id, parent_id, name, path) values (9, 1, 'Beside', '/1/9/')`);
  const { path, bytes } = await addRendition(service, 'Closed', 'g722');
  const ask = (bearer?: string) =>
    fetch(service.base + path, {
      headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    });
  for (let round = 0; round < 3; round += 1) {
    expect((await ask()).status).toBe(401);
    expect((await ask(token({ orgUnitId: 9 }))).status).toBe(404);
    const response = await ask(token({ role: 'read_only' }));
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe(`private, max-age=${DAY}`);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
  }
  // Not even that there is nothing that makes one is told to whom the prompt does not exist.
  const lacking = path.replace(/-g722\.g722$/, '-mp3.mp3');
  const askFor = (bearer: string) =>
    fetch(service.base + lacking, { headers: { authorization: `Bearer ${bearer}` } });
  expect((await askFor(token({ orgUnitId: 9 }))).status).toBe(404);
  expect((await askFor(token())).status).toBe(501);
});
