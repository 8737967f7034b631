import { describe, expect, onTestFinished, test } from 'vitest';
import { promptForm } from '../support/multipart.ts';
import { createDatabase, startService, type TestService, token } from '../support/service.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const LIST = '/v3/media-prompts';

async function serviceWith(
  env: Readonly<Record<string, string>>,
  overrides: Parameters<typeof startService>[1] = {},
): Promise<TestService> {
  const service = await startService(env, overrides);
  onTestFinished(() => service.close());
  return service;
}

async function statuses(count: number, call: () => Promise<{ readonly status: number }>): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i += 1) all.push((await call()).status);
  return all;
}

describe('the limit of an address', () => {
  test('counts requests that are refused for their token, and says how long to wait', async () => {
    const service = await serviceWith({ RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '3' });
    const guess = () => service.get(LIST, { token: 'a.guessed.token' });
    expect(await statuses(4, guess)).toEqual([401, 401, 401, 429]);
    const { status, headers, body } = await service.get(LIST);
    expect(status).toBe(429);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(body).toMatchObject({ code: 429, message: expect.stringContaining('from this address') });
    const v1 = await service.get<never>('/api/v1/media', { token: 'a.guessed.token' });
    expect([v1.status, v1.headers.get('content-type')]).toEqual([429, 'application/problem+json']);
    expect((await service.get('/v3/nothing/here')).status).toBe(429);
  });

  test('counts neither playback nor health nor metrics', async () => {
    const service = await serviceWith({ RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '2' });
    const { body } = await service.upload(promptForm('Played'));
    for (const path of [body.data.url, '/healthz', '/readyz', '/metrics']) {
      expect(await statuses(4, () => fetch(service.base + path))).toEqual([200, 200, 200, 200]);
    }
    expect((await service.get(LIST)).status).toBe(200);
    expect((await service.get(LIST)).status).toBe(429);
  });

  test('is off at 0', async () => {
    const service = await serviceWith({ RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '0' });
    expect(new Set(await statuses(30, () => service.get(LIST)))).toEqual(new Set([200]));
  });
});

describe('X-Forwarded-For', () => {
  test('is pointed out once where no proxy is named, and not where one is', async () => {
    for (const [env, warnings] of [
      [{}, 1],
      [{ TRUST_PROXY: '127.0.0.1' }, 0],
    ] as const) {
      const service = await startService(env);
      onTestFinished(() => service.close());
      for (let time = 0; time < 3; time += 1) {
        await service.get('/v3/media-prompts', { headers: { 'x-forwarded-for': '203.0.113.7' } });
      }
      expect(service.logLines.filter((line) => line.includes('TRUST_PROXY'))).toHaveLength(warnings);
    }
  });

  const from = (service: TestService, address: string) => () =>
    service.get(LIST, { headers: { 'x-forwarded-for': address } });

  test('is believed of a proxy that is trusted', async () => {
    const service = await serviceWith({
      RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '2',
      TRUST_PROXY: '10.0.0.0/8, 127.0.0.1',
    });
    expect(await statuses(3, from(service, '192.0.2.1'))).toEqual([200, 200, 429]);
    expect(await statuses(2, from(service, '192.0.2.2'))).toEqual([200, 200]);
    // What stands left of the first that is not trusted is hearsay.
    expect((await from(service, '198.51.100.7, 192.0.2.1, 10.1.2.3')()).status).toBe(429);
  });

  test('is not believed of anybody else', async () => {
    const service = await serviceWith({ RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '2', TRUST_PROXY: '10.0.0.0/8' });
    expect(await statuses(2, from(service, '192.0.2.1'))).toEqual([200, 200]);
    expect((await from(service, '192.0.2.2')()).status).toBe(429);
  });
});

describe('the limit of a token', () => {
  test('cannot be spent by a token that is forged or spelled another way', async () => {
    const service = await serviceWith({ RATE_LIMIT_PER_MINUTE: '2' });
    const bearer = token({ userId: 1 });
    const [header, payload] = bearer.split('.');
    const forged = `${header}.${payload}.${'A'.repeat(43)}`;
    expect(await statuses(5, () => service.get(LIST, { token: forged }))).toEqual([401, 401, 401, 401, 401]);
    expect((await service.get(LIST, { token: bearer })).status).toBe(200);
    expect(await statuses(2, () => service.get(LIST, { token: bearer }))).toEqual([200, 429]);
    const another = token({ userId: 1, expiresIn: '2h' });
    expect((await service.get(LIST, { token: another })).status).toBe(200);
    // The last character of a signature holds two bits that say nothing.
    const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = DIGITS.indexOf(bearer.at(-1) ?? '');
    for (const bits of [0, 1, 2, 3]) {
      const respelled = `${bearer.slice(0, -1)}${DIGITS[(last & ~3) | bits]}`;
      expect([401, 429]).toContain((await service.get(LIST, { token: respelled })).status);
    }
  });
});

describe('counts in the database', () => {
  /** One token, since one made in the next second is another. */
  const mine = { token: token() };
  const SHARED = { RATE_LIMIT_STORE: 'database', RATE_LIMIT_PER_MINUTE: '4' } as const;

  test('hold for all processes together', async () => {
    const one = await serviceWith(SHARED);
    const two = await serviceWith(SHARED, { databaseUrl: one.databaseUrl });
    const taken = [];
    for (const service of [one, two, one, two, one, two]) taken.push((await service.get(LIST, mine)).status);
    expect(taken).toEqual([200, 200, 200, 200, 429, 429]);
    expect((await two.get(LIST, { token: token({ userId: 8 }) })).status).toBe(200);
    expect((await one.rows('select hits from rate_counters')).length).toBeGreaterThan(0);
  });

  test('let through exactly as many as the limit says, however many come at once', async () => {
    const one = await serviceWith(SHARED);
    const two = await serviceWith(SHARED, { databaseUrl: one.databaseUrl });
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 ? one : two).get(LIST, mine)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(4);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(36);
  });

  test('begin anew with the next window, and what is over is swept', async () => {
    const service = await serviceWith({ ...SHARED, UPLOAD_LEASE_SECONDS: '1' });
    expect(await statuses(5, () => service.get(LIST, mine))).toEqual([200, 200, 200, 200, 429]);
    const other = await serviceWith(SHARED, { databaseUrl: service.databaseUrl });
    expect((await other.get(LIST, mine)).status).toBe(429);
    await service.rows("update rate_counters set ends_at = now() - interval '1 second'");
    const third = await serviceWith(SHARED, { databaseUrl: service.databaseUrl });
    expect((await third.get(LIST, mine)).status).toBe(200);
    await service.rows("update rate_counters set ends_at = now() - interval '1 second'");
    await expect.poll(() => service.rows('select key from rate_counters'), { timeout: 20_000 }).toEqual([]);
  });

  test('are replaced by those of the process while the database does not answer', async () => {
    const database = await createDatabase();
    const proxy = await startTcpProxy(database.url);
    const service = await startService(SHARED, { databaseUrl: proxy.url });
    onTestFinished(async () => {
      proxy.restore();
      await service.close();
      await proxy.close();
      await database.drop();
    });
    proxy.cut();
    expect(await statuses(6, () => service.get(LIST, mine))).toEqual([503, 503, 503, 503, 429, 429]);
    proxy.restore();
    const other = () => service.get(LIST, { token: token({ userId: 8 }) });
    await expect.poll(async () => (await other()).status, { timeout: 20_000 }).toBe(200);
  });
});
