import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished } from 'vitest';
import { cli } from '../e2e/service-process.ts';
import { promptForm } from '../support/multipart.ts';
import { SECRET, startService, type TestService, test, token } from '../support/service.ts';

const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;
const CLAIMS = { sub: '7', org_unit_id: 1, role: 'admin' };

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');

/** A token of any header and payload, signed by whatever `signer` makes of it. */
function craft(
  header: object,
  payload: object,
  signer: (input: string) => Buffer | string,
  respell: (json: string) => string = (json) => json,
): string {
  const input = `${encode(header)}.${Buffer.from(respell(JSON.stringify(payload))).toString('base64url')}`;
  return `${input}.${Buffer.from(signer(input)).toString('base64url')}`;
}

const hmac =
  (secret: string, hash = 'sha256') =>
  (input: string) =>
    createHmac(hash, secret).update(input).digest();
const hs256 = (payload: object, header: object = {}, secret = SECRET) =>
  craft({ alg: 'HS256', typ: 'JWT', ...header }, { exp: inAnHour(), ...payload }, hmac(secret));

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed25519 = generateKeyPairSync('ed25519');
const KEYS = { RS256: rsa, ES256: p256, EdDSA: ed25519 } as const;
type Algorithm = keyof typeof KEYS;

function signed(algorithm: Algorithm, payload: object = CLAIMS, header: object = {}): string {
  const { privateKey } = KEYS[algorithm];
  return craft({ alg: algorithm, typ: 'JWT', ...header }, { exp: inAnHour(), ...payload }, (input) =>
    sign(algorithm === 'EdDSA' ? null : 'sha256', Buffer.from(input), {
      key: privateKey,
      dsaEncoding: 'ieee-p1363',
    }),
  );
}

const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();

async function statusFor(service: TestService, authorization: string | undefined): Promise<number> {
  const { status, headers, body } = await service.get('/v3/media-prompts?limit=1', {
    token: null,
    ...(authorization !== undefined && { headers: { authorization } }),
  });
  if (status === 401) {
    expect(headers.get('www-authenticate')).toBe('Bearer');
    expect(body).toMatchObject({ code: 401, data: null });
  }
  return status;
}

describe('a shared secret', () => {
  test('is met by a bearer token, the scheme in any case', async ({ service }) => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      expect(await statusFor(service, `${scheme} ${hs256(CLAIMS)}`)).toBe(200);
    }
  });

  const good = hs256(CLAIMS);
  const [head = '', payload = '', signature = ''] = good.split('.');
  const endless = craft(
    { alg: 'HS256', typ: 'JWT' },
    { ...CLAIMS, exp: 'forever' },
    hmac(SECRET),
    (payload) => payload.replace('"forever"', '1e999'),
  );
  const refused: Readonly<Record<string, string | undefined>> = {
    'no header': undefined,
    'an empty header': '',
    'another scheme': `Basic ${good}`,
    'no token': 'Bearer ',
    'two tokens': `Bearer ${good} ${good}`,
    garbage: 'Bearer x.y.z',
    'two segments': `Bearer ${head}.${payload}`,
    'no signature': `Bearer ${head}.${payload}.`,
    'a changed payload': `Bearer ${head}.${encode({ ...CLAIMS, exp: inAnHour(), org_unit_id: 2 })}.${signature}`,
    'another secret': `Bearer ${hs256(CLAIMS, {}, 'another secret that is long enough')}`,
    'alg none': `Bearer ${craft({ alg: 'none' }, { ...CLAIMS, exp: inAnHour() }, () => '')}`,
    'alg None': `Bearer ${craft({ alg: 'None' }, { ...CLAIMS, exp: inAnHour() }, hmac(SECRET))}`,
    'alg HS512': `Bearer ${craft({ alg: 'HS512' }, { ...CLAIMS, exp: inAnHour() }, hmac(SECRET, 'sha512'))}`,
    'no alg': `Bearer ${craft({}, { ...CLAIMS, exp: inAnHour() }, hmac(SECRET))}`,
    'an unknown crit': `Bearer ${hs256(CLAIMS, { crit: ['x'], x: 1 })}`,
    'a payload that is no object': `Bearer ${craft({ alg: 'HS256' }, [], hmac(SECRET))}`,
    expired: `Bearer ${hs256({ ...CLAIMS, exp: inAnHour() - 7200 })}`,
    'no expiry': `Bearer ${hs256({ ...CLAIMS, exp: undefined })}`,
    'an expiry that is text': `Bearer ${hs256({ ...CLAIMS, exp: 'never' })}`,
    'a start that is text': `Bearer ${hs256({ ...CLAIMS, nbf: 'now' })}`,
    'an expiry without end': `Bearer ${endless}`,
    'an ID token': `Bearer ${hs256(CLAIMS, { typ: 'id_token+jwt' })}`,
    'a token that logs out': `Bearer ${hs256(CLAIMS, { typ: 'logout+jwt' })}`,
    'a type that is no text': `Bearer ${hs256(CLAIMS, { typ: 1 })}`,
    'not valid yet': `Bearer ${hs256({ ...CLAIMS, nbf: inAnHour() })}`,
    'no org unit': `Bearer ${hs256({ ...CLAIMS, org_unit_id: undefined })}`,
    'an org unit that is text': `Bearer ${hs256({ ...CLAIMS, org_unit_id: '1' })}`,
    'half an org unit': `Bearer ${hs256({ ...CLAIMS, org_unit_id: 1.5 })}`,
    'a negative org unit': `Bearer ${hs256({ ...CLAIMS, org_unit_id: -1 })}`,
    'an org unit past 2^53': `Bearer ${hs256({ ...CLAIMS, org_unit_id: 2 ** 53 })}`,
    'a token of 10 kB': `Bearer ${hs256({ ...CLAIMS, padding: 'x'.repeat(10_000) })}`,
  };
  for (const [what, authorization] of Object.entries(refused)) {
    test(`is not met by ${what}: 401`, async ({ service }) => {
      expect(await statusFor(service, authorization)).toBe(401);
    });
  }

  for (const typ of ['JWT', 'jwt', 'at+jwt', 'application/at+jwt', undefined]) {
    test(`is met by a token of type ${typ}`, async ({ service }) => {
      expect(await statusFor(service, `Bearer ${hs256(CLAIMS, { typ })}`)).toBe(200);
    });
  }

  test('is met by a token as long as it is valid, and by the same one not a moment after', async ({
    service,
  }) => {
    const bearer = `Bearer ${hs256({ ...CLAIMS, exp: Math.ceil(Date.now() / 1000) + 1 })}`;
    expect(await statusFor(service, bearer)).toBe(200);
    await expect.poll(() => statusFor(service, bearer), { timeout: 10_000 }).toBe(401);
  });

  test('says the user by user_id, else by sub, and a sub that is no number is nobody', async ({
    service,
  }) => {
    const cases = [
      [{ user_id: 42, sub: '7' }, 42],
      [{ sub: '7' }, 7],
      [{ sub: 7 }, 7],
      [{ sub: 'auth0|abc' }, null],
      [{}, null],
    ] as const;
    for (const [claims, expected] of cases) {
      const { body } = await service.upload(promptForm(`User ${randomUUID()}`), {
        token: hs256({ org_unit_id: 1, role: 'standard', ...claims }),
      });
      expect(body.data['recording_created_by']).toBe(expected);
    }
  });
});

describe('roles', () => {
  const cases = [
    [{ role: 'admin' }, 201],
    [{ role: 'standard' }, 201],
    [{ role: 'read_only' }, 403],
    [{ role_id: 1 }, 201],
    [{ role_id: 2 }, 201],
    [{ role_id: 3 }, 403],
    [{ role_id: 4 }, 403],
    [{ role: 'root' }, 403],
    [{ role: 'read_only', role_id: 1 }, 403],
    [{}, 403],
  ] as const;
  for (const [claims, expected] of cases) {
    test(`${JSON.stringify(claims)} may list, and its upload is a ${expected}`, async ({ service }) => {
      const bearer = hs256({ sub: '7', org_unit_id: 1, ...claims });
      expect(await statusFor(service, `Bearer ${bearer}`)).toBe(200);
      const { status, body } = await service.upload(promptForm(`Role ${randomUUID()}`), { token: bearer });
      expect(status).toBe(expected);
      expect(body.code).toBe(expected === 201 ? 200 : expected);
    });
  }

  test('read_only may not delete', async ({ service }) => {
    const reader = token({ role: 'read_only' });
    expect((await service.call('DELETE', '/v3/media-prompts/1', { token: reader })).status).toBe(403);
  });
});

describe('issuer and audience', () => {
  test('are demanded where configured, and a token without them is refused', async () => {
    const service = await startService({ JWT_ISSUER: 'https://issuer', JWT_AUDIENCE: 'prompts' });
    try {
      const right = { ...CLAIMS, iss: 'https://issuer', aud: 'prompts' };
      expect(await statusFor(service, `Bearer ${hs256(right)}`)).toBe(200);
      expect(await statusFor(service, `Bearer ${hs256({ ...right, aud: ['x', 'prompts'] })}`)).toBe(200);
      for (const wrong of [
        { iss: 'https://other' },
        { aud: 'other' },
        { iss: undefined },
        { aud: undefined },
      ]) {
        expect(await statusFor(service, `Bearer ${hs256({ ...right, ...wrong })}`)).toBe(401);
      }
    } finally {
      await service.close();
    }
  });
});

describe('a key that a token brings along', () => {
  test('is neither used nor fetched, whatever key is configured', async () => {
    let fetches = 0;
    const attacker = createServer((_request, response) => {
      fetches += 1;
      const key = rsa.publicKey.export({ format: 'jwk' });
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ keys: [{ ...key, kid: 'mine', alg: 'RS256', use: 'sig' }] }));
    });
    await new Promise<void>((resolve) => attacker.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void attacker.close());
    const { port } = attacker.address() as AddressInfo;
    const jwks = createServer((_request, response) => {
      response.setHeader('content-type', 'application/json');
      const key = ed25519.publicKey.export({ format: 'jwk' });
      response.end(JSON.stringify({ keys: [{ ...key, kid: 'ours', alg: 'EdDSA', use: 'sig' }] }));
    });
    await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void jwks.close());
    const url = `http://127.0.0.1:${port}/keys`;
    const jwk = rsa.publicKey.export({ format: 'jwk' });
    const x5c = [rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')];
    const ours = `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/keys`;
    for (const env of [
      {},
      { JWT_SECRET: '', JWT_PUBLIC_KEY: pem(ed25519.publicKey) },
      { JWT_SECRET: '', JWT_JWKS_URL: ours },
    ]) {
      const service = await startService(env);
      try {
        for (const header of [
          { jwk },
          { jku: url, kid: 'mine' },
          { x5u: url },
          { x5c },
          { kid: url },
          { kid: '../../../dev/null' },
          { kid: "' or 1=1 --" },
        ]) {
          expect(await statusFor(service, `Bearer ${signed('RS256', CLAIMS, header)}`)).toBe(401);
          expect(await statusFor(service, `Bearer ${hs256(CLAIMS, header, '')}`)).toBe(401);
        }
      } finally {
        await service.close();
      }
    }
    expect(fetches).toBe(0);
  });
});

describe('a public key', () => {
  for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const) {
    test(`of ${algorithm} checks tokens of that algorithm alone`, async () => {
      const key = pem(KEYS[algorithm].publicKey);
      const service = await startService({ JWT_SECRET: '', JWT_PUBLIC_KEY: key });
      try {
        expect(await statusFor(service, `Bearer ${signed(algorithm)}`)).toBe(200);
        for (const other of ['RS256', 'ES256', 'EdDSA'] as const) {
          if (other !== algorithm) expect(await statusFor(service, `Bearer ${signed(other)}`)).toBe(401);
        }
        // The public key as the secret of an HMAC: the oldest trick there is.
        for (const secret of [key, key.trim(), ` ${key}`]) {
          expect(await statusFor(service, `Bearer ${hs256(CLAIMS, {}, secret)}`)).toBe(401);
        }
        expect(await statusFor(service, `Bearer ${hs256(CLAIMS)}`)).toBe(401);
      } finally {
        await service.close();
      }
    });
  }
});

describe('a JWKS url', () => {
  test('checks tokens by key ID, fetches keys once, and is a 503 while it is away', async () => {
    let fetches = 0;
    const server = createServer((_request, response) => {
      fetches += 1;
      response.setHeader('content-type', 'application/json');
      const keys = (Object.keys(KEYS) as Algorithm[]).map((algorithm) => ({
        ...KEYS[algorithm].publicKey.export({ format: 'jwk' }),
        kid: algorithm,
        alg: algorithm,
        use: 'sig',
      }));
      response.end(JSON.stringify({ keys }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const env = { JWT_SECRET: '', JWT_JWKS_URL: `http://127.0.0.1:${port}/jwks.json` };
    const service = await startService(env);
    try {
      for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const) {
        expect(await statusFor(service, `Bearer ${signed(algorithm, CLAIMS, { kid: algorithm })}`)).toBe(200);
      }
      expect(await statusFor(service, `Bearer ${signed('RS256', CLAIMS, { kid: 'ES256' })}`)).toBe(401);
      expect(await statusFor(service, `Bearer ${hs256(CLAIMS, { kid: 'RS256' }, pem(rsa.publicKey))}`)).toBe(
        401,
      );
      for (let i = 0; i < 20; i += 1) {
        expect(await statusFor(service, `Bearer ${signed('RS256', CLAIMS, { kid: `unknown ${i}` })}`)).toBe(
          401,
        );
      }
      expect(fetches).toBe(1);
    } finally {
      await service.close();
      server.close();
      server.closeAllConnections();
    }
    const lonely = await startService(env);
    try {
      const { status, headers } = await lonely.get('/v3/media-prompts', {
        token: signed('RS256', CLAIMS, { kid: 'RS256' }),
      });
      expect(status).toBe(503);
      expect(headers.get('retry-after')).toBe('2');
    } finally {
      await lonely.close();
    }
  });
});

describe('what a token says', () => {
  const right = { ...CLAIMS, iss: 'https://issuer', aud: 'prompts' };
  const wrong: Readonly<Record<string, object>> = {
    expired: { ...right, exp: inAnHour() - 7200 },
    'without an expiry': { ...right, exp: undefined },
    'not valid yet': { ...right, nbf: inAnHour() },
    'of another issuer': { ...right, iss: 'https://other' },
    'of no issuer': { ...right, iss: undefined },
    'for another audience': { ...right, aud: 'other' },
    'for no audience': { ...right, aud: undefined },
    'of no org unit': { ...right, org_unit_id: undefined },
  };

  test('is weighed the same with a public key and with a JWKS url', async () => {
    const server = createServer((_request, response) => {
      response.setHeader('content-type', 'application/json');
      const key = rsa.publicKey.export({ format: 'jwk' });
      response.end(JSON.stringify({ keys: [{ ...key, kid: 'RS256', alg: 'RS256', use: 'sig' }] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const checks = { JWT_SECRET: '', JWT_ISSUER: 'https://issuer', JWT_AUDIENCE: 'prompts' };
    const kid = 'RS256';
    for (const key of [
      { JWT_PUBLIC_KEY: pem(rsa.publicKey) },
      { JWT_JWKS_URL: `http://127.0.0.1:${port}/jwks.json` },
    ]) {
      const service = await startService({ ...checks, ...key });
      try {
        expect(await statusFor(service, `Bearer ${signed('RS256', right, { kid })}`)).toBe(200);
        for (const [what, claims] of Object.entries(wrong)) {
          const status = await statusFor(service, `Bearer ${signed('RS256', claims, { kid })}`);
          expect([what, status]).toEqual([what, 401]);
        }
        for (const header of [{ crit: ['x'], x: 1 }, { typ: 'logout+jwt' }, { alg: 'none' }]) {
          const status = await statusFor(service, `Bearer ${signed('RS256', right, { kid, ...header })}`);
          expect([header, status]).toEqual([header, 401]);
        }
      } finally {
        await service.close();
      }
    }
  });

  test('is, in those that the command line signs, what the service demands', async () => {
    const demands = { JWT_ISSUER: 'https://issuer', JWT_AUDIENCE: 'prompts' };
    const service = await startService(demands);
    try {
      const { stdout } = await cli(service.dataDir, ['token'], { JWT_SECRET: SECRET, ...demands });
      expect(await statusFor(service, `Bearer ${stdout.trim()}`)).toBe(200);
      expect(await statusFor(service, `Bearer ${token()}`)).toBe(401);
    } finally {
      await service.close();
    }
  });
});

describe('the rate limit', () => {
  test('is counted per token, answers 429 with Retry-After, and leaves playback alone', async () => {
    const service = await startService({ RATE_LIMIT_PER_MINUTE: '3' });
    try {
      const { body } = await service.upload(promptForm('Limited'), { token: token({ userId: 1 }) });
      const bearer = token({ userId: 2 });
      const statuses: number[] = [];
      for (let i = 0; i < 4; i += 1) {
        const answer = await service.get('/v3/media-prompts', { token: bearer });
        statuses.push(answer.status);
        if (answer.status === 429) {
          expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
          expect(answer.body).toMatchObject({ code: 429, data: null });
        }
      }
      expect(statuses).toEqual([200, 200, 200, 429]);
      expect((await service.get('/v3/media-prompts', { token: token({ userId: 3 }) })).status).toBe(200);
      for (let i = 0; i < 10; i += 1) {
        expect((await fetch(service.base + body.data.url)).status).toBe(200);
      }
    } finally {
      await service.close();
    }
  });
});
