import { describe, expect } from 'vitest';
import { startService, type TestService } from '../support/service.ts';
import { noise } from '../support/wav.ts';
import { type Client, createClient } from './http-client.ts';
import { addSound, type Sound } from './recordings.ts';
import { SMALL_MEMORY, test } from './small-memory.ts';

/** The longest that another process may play what was deleted, ms. */
const PROMISED = 1000;

/** Every way to ask for a recording, with what it is answered while the prompt is there. */
const WAYS = [
  { method: 'GET', headers: () => ({}), status: 200 },
  { method: 'HEAD', headers: () => ({}), status: 200 },
  { method: 'GET', headers: () => ({ Range: 'bytes=0-1' }), status: 206 },
  { method: 'GET', headers: () => ({ Range: 'bytes=0-1,5-6' }), status: 206 },
  { method: 'GET', headers: ({ etag }: Sound) => ({ 'If-None-Match': etag }), status: 304 },
  { method: 'HEAD', headers: ({ etag }: Sound) => ({ 'If-None-Match': etag }), status: 304 },
  { method: 'GET', headers: () => ({ 'If-Match': '"another"' }), status: 412 },
  { method: 'GET', headers: () => ({ Range: 'bytes=9999999-' }), status: 416 },
] as const;

async function statuses(client: Client, sound: Sound): Promise<readonly number[]> {
  const replies = WAYS.map(({ method, headers }) => client.ask(method, sound.path, headers(sound)));
  return (await Promise.all(replies)).map(({ status }) => status);
}

const THERE = WAYS.map(({ status }) => status);
const GONE = WAYS.map(() => 404);

/** Asks until an answer came from memory. */
async function heat(service: TestService, client: Client, sound: Sound): Promise<void> {
  const { hits } = service.library.shelf();
  while (service.library.shelf().hits === hits) await client.ask('GET', sound.path);
}

async function remove(service: TestService, { id }: Sound): Promise<void> {
  expect((await service.call('DELETE', `/v3/media-prompts/${id}`)).status).toBe(200);
}

describe('once a delete was acknowledged', () => {
  for (const [name, size] of [
    ['kept in memory', 20_000],
    ['too large for memory', 1_500_000],
  ] as const) {
    test(`the process that deleted serves nothing more of a recording ${name}`, async ({ service }) => {
      const client = createClient(service.base);
      const sound = await addSound(service, name, noise(size, size), 'wav');
      if (size < 1_000_000) await heat(service, client, sound);
      expect(await statuses(client, sound)).toEqual(THERE);
      await remove(service, sound);
      expect(await statuses(client, sound)).toEqual(GONE);
      expect(await statuses(client, sound)).toEqual(GONE);
      client.close();
    });
  }

  test('the process that deleted serves nothing more, though many play while it deletes', async ({
    service,
  }) => {
    const client = createClient(service.base);
    for (let round = 0; round < 20; round += 1) {
      const sound = await addSound(service, `Round ${round}`, noise(2000, round), 'wav');
      let acknowledgedAt = Number.POSITIVE_INFINITY;
      const players = Array.from({ length: 6 }, () => firstAfter(client, sound, () => acknowledgedAt));
      await client.ask('HEAD', sound.path);
      await remove(service, sound);
      acknowledgedAt = performance.now();
      expect(await Promise.all(players)).toEqual([404, 404, 404, 404, 404, 404]);
    }
    client.close();
  });

  for (const [name, size] of [
    ['kept in memory', 20_000],
    ['too large for memory', 1_500_000],
  ] as const) {
    test(`another process of the database plays a recording ${name} for less than a second`, async ({
      service: deleting,
    }) => {
      const { dataDir, databaseUrl } = deleting;
      const playing = await startService(SMALL_MEMORY, { dataDir, databaseUrl });
      const client = createClient(playing.base);
      try {
        const sound = await addSound(deleting, `Elsewhere ${name}`, noise(size, size + 1), 'wav');
        if (size < 1_000_000) await heat(playing, client, sound);
        expect(await statuses(client, sound)).toEqual(THERE);
        await remove(deleting, sound);
        const acknowledgedAt = performance.now();
        const begun = await Promise.all(WAYS.map((way) => lastPlayed(client, sound, way, acknowledgedAt)));
        for (const at of begun) expect(at - acknowledgedAt).toBeLessThan(PROMISED);
        expect(await statuses(client, sound)).toEqual(GONE);
      } finally {
        client.close();
        await playing.close({ data: true });
      }
    });
  }

  test('a process that never played it does not begin to', async ({ service: deleting }) => {
    const { dataDir, databaseUrl } = deleting;
    const playing = await startService(SMALL_MEMORY, { dataDir, databaseUrl });
    const client = createClient(playing.base);
    try {
      const sound = await addSound(deleting, 'Never played there', noise(5000, 9), 'wav');
      await remove(deleting, sound);
      expect(await statuses(client, sound)).toEqual(GONE);
    } finally {
      client.close();
      await playing.close({ data: true });
    }
  });
});

describe('another process', () => {
  test('plays a new prompt at once, also when it was just asked for another', async ({ service: adding }) => {
    const { dataDir, databaseUrl } = adding;
    const playing = await startService(SMALL_MEMORY, { dataDir, databaseUrl });
    const client = createClient(playing.base);
    try {
      for (let round = 0; round < 5; round += 1) {
        const sound = await addSound(adding, `New ${round}`, noise(3000, 50 + round), 'wav');
        expect(await statuses(client, sound)).toEqual(THERE);
      }
    } finally {
      client.close();
      await playing.close({ data: true });
    }
  });
});

/** Asks until twice the promised time is over; when the last request that was not a 404 was begun. */
async function lastPlayed(
  client: Client,
  sound: Sound,
  { method, headers, status: usual }: (typeof WAYS)[number],
  acknowledgedAt: number,
): Promise<number> {
  let last = acknowledgedAt;
  for (;;) {
    const begunAt = performance.now();
    if (begunAt - acknowledgedAt > 2 * PROMISED) return last;
    const { status } = await client.ask(method, sound.path, headers(sound));
    if (status === 404) continue;
    expect(status).toBe(usual);
    last = begunAt;
  }
}

/** Plays on and on, which must be answered with 200 or 404; the answer to the first request after that time. */
async function firstAfter(client: Client, sound: Sound, time: () => number): Promise<number> {
  for (;;) {
    const begunAt = performance.now();
    const { status } = await client.ask('GET', sound.path);
    if (begunAt > time()) return status;
    expect([200, 404]).toContain(status);
  }
}
