import { describe, expect } from 'vitest';
import { test as base } from '../support/service.ts';
import {
  createAsterisk,
  createFreeSwitchHttpCache,
  faultsOfPlaying,
  playByCloud,
  playByHttapi,
  playBySafari,
  playByTwilio,
} from './engines.ts';
import { type Client, createClient, lasting } from './http-client.ts';
import { addTone, EXTENSIONS, TYPES } from './recordings.ts';

const test = base.extend<{ client: Client }>({
  client: async ({ service }, use) => {
    const client = createClient(service.base);
    await use(client);
    client.close();
  },
});

const DAY = 86_400;

describe.each(EXTENSIONS)('a recording in %s', (extension) => {
  test('plays in Asterisk, which asks again after a day and is told to keep what it has', async ({
    service,
    client,
  }) => {
    const { path, bytes } = await addTone(service, 'Asterisk', extension);
    const asterisk = createAsterisk(client);
    for (const now of [0, 1, DAY - 1, DAY, DAY + 1, 2 * DAY]) {
      expect(faultsOfPlaying(await asterisk.play(path, now), bytes)).toEqual([]);
    }
    expect(asterisk.requests).toEqual(['GET', 'HEAD', 'HEAD']);
  });

  test('plays in FreeSWITCH by mod_http_cache, which never asks with a condition', async ({
    service,
    client,
  }) => {
    const { path, bytes } = await addTone(service, 'FreeSWITCH', extension);
    const freeSwitch = createFreeSwitchHttpCache(client);
    for (const now of [0, DAY - 1, DAY]) {
      expect(faultsOfPlaying(await freeSwitch.play(path, now, extension), bytes)).toEqual([]);
    }
    expect(freeSwitch.requests).toEqual(['GET', 'GET']);
  });

  test('plays in FreeSWITCH by mod_httapi and in jambonz, for which HEAD and GET must agree', async ({
    service,
    client,
  }) => {
    const { path, bytes } = await addTone(service, 'httapi', extension);
    expect(faultsOfPlaying(await playByHttapi(client, path, extension), bytes)).toEqual([]);
  });

  test('plays in Twilio, which may ask again with either validator', async ({ service, client }) => {
    const { path, bytes } = await addTone(service, 'Twilio', extension);
    expect(faultsOfPlaying(await playByTwilio(client, path), bytes)).toEqual([]);
  });

  test('plays in Plivo, Vonage, Bandwidth and Sinch, never compressed and never redirected', async ({
    service,
    client,
  }) => {
    const { path, bytes } = await addTone(service, 'Clouds', extension);
    expect(faultsOfPlaying(await playByCloud(client, path), bytes)).toEqual([]);
  });

  test('plays in Safari, which begins with two bytes', async ({ service, client }) => {
    const { path, bytes } = await addTone(service, 'Safari', extension);
    expect(faultsOfPlaying(await playBySafari(client, path), bytes)).toEqual([]);
  });

  test('has one dot in its path, the extension and the type of its format, and no header but these', async ({
    service,
    client,
  }) => {
    const { path, bytes, etag } = await addTone(service, 'Headers', extension);
    expect(path).toMatch(new RegExp(String.raw`^/[A-Za-z0-9/_-]+\.${extension}$`));
    expect(client.base.length + path.length).toBeLessThan(255);
    for (const method of ['GET', 'HEAD']) {
      const { status, headers, body } = await client.ask(method, path);
      expect(status).toBe(200);
      expect(body).toEqual(method === 'GET' ? bytes : Buffer.alloc(0));
      expect(lasting(headers)).toEqual({
        'content-type': TYPES[extension],
        'content-length': String(bytes.byteLength),
        etag,
        'last-modified': expect.stringMatching(
          /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/,
        ),
        'cache-control': `public, max-age=${DAY}`,
        'accept-ranges': 'bytes',
        'x-content-type-options': 'nosniff',
      });
    }
  });
});

describe('a recording that was deleted', () => {
  test('does not play in any engine, not even in one that kept it and asks again', async ({
    service,
    client,
  }) => {
    const { id, path, bytes } = await addTone(service, 'Deleted', 'wav');
    const asterisk = createAsterisk(client);
    const freeSwitch = createFreeSwitchHttpCache(client);
    expect(faultsOfPlaying(await asterisk.play(path, 0), bytes)).toEqual([]);
    expect(faultsOfPlaying(await freeSwitch.play(path, 0, 'wav'), bytes)).toEqual([]);
    expect((await service.call('DELETE', `/v3/media-prompts/${id}`)).status).toBe(200);
    const fails = { sound: undefined, complaints: expect.arrayContaining(['playback fails with 404']) };
    expect(await asterisk.play(path, DAY)).toEqual(fails);
    expect(asterisk.requests).toEqual(['GET', 'HEAD', 'GET']);
    expect(await freeSwitch.play(path, DAY, 'wav')).toEqual(fails);
    expect(await playByHttapi(client, path, 'wav')).toEqual({
      sound: undefined,
      complaints: ['HEAD says 404: unreachable'],
    });
    const { complaints } = await playByCloud(client, path);
    expect(complaints).toContain('playback fails with 404');
  });
});
