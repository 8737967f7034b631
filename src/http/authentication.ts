import { createPublicKey, hash } from 'node:crypto';
import fastifyJwt from '@fastify/jwt';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { RequestError } from './failure.ts';

/** The key that checks tokens, ready for use. */
export type VerificationKey =
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'public-key'; readonly pem: string }
  | { readonly kind: 'jwks'; readonly url: string };

export interface AuthenticationOptions {
  readonly key: VerificationKey;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

export type Role = 'admin' | 'standard' | 'read_only';

/** Who a token speaks for. */
export interface Principal {
  readonly userId: number | null;
  readonly orgUnitId: number;
  readonly role: Role;
  /** Tells its token from every other: a hash of what was signed, which cannot be spelled in two ways. */
  readonly tokenKey: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `authenticate`; reading it on a route without that hook is a fault in the program. */
    principal: Principal;
  }
}

const PUBLIC_KEY_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const;
const ROLE_IDS: Readonly<Record<number, Role>> = { 1: 'admin', 2: 'standard', 3: 'read_only' };
/** RFC 6750, 2.1; the scheme in any case (RFC 9110, 11.1). */
const BEARER = /^bearer +([\w.~+/-]+=*)$/i;
/** Longer tokens are not worth the work of checking them, characters. */
const MAX_TOKEN_LENGTH = 8192;
/** Tokens that need not be checked again until they expire; together a few MB at most. */
const MAX_REMEMBERED = 1000;
const MAX_REMEMBERED_LENGTH = 4_000_000;

const id = z.number().int().nonnegative();
const claims = z.object({
  org_unit_id: id.positive(),
  // The verifier compares it with now, which JSON's 1e999 would be after for ever; zod takes only what is finite.
  exp: z.number(),
  user_id: z.unknown().optional(),
  sub: z.unknown().optional(),
  role: z.unknown().optional(),
  role_id: z.unknown().optional(),
});

type Verify = (token: string) => unknown;

/**
 * What `typ` may say (RFC 8725, 3.11): nothing, any JWT, or an access token (RFC 9068). The same issuer signs tokens
 * for other purposes, such as logging somebody out, with the same key.
 */
const TOKEN_TYPES: ReadonlySet<unknown> = new Set([undefined, 'jwt', 'at+jwt']);

/**
 * Decorates `app` with `request.principal` and returns the hook that fills it in. The hook refuses with 401
 * whatever is not a bearer token signed by the configured key with that key's own algorithm, with an expiry
 * in the future and, where configured, the right issuer and audience.
 */
export async function createAuthentication(
  app: FastifyInstance,
  options: AuthenticationOptions,
): Promise<(request: FastifyRequest) => Promise<void>> {
  const verify =
    options.key.kind === 'jwks'
      ? verifyByJwks(options, options.key.url)
      : await verifyByStaticKey(app, options, options.key);
  app.decorateRequest('principal');
  const remembered = new LRUCache<string, { readonly principal: Principal; readonly expiresAt: number }>({
    max: MAX_REMEMBERED,
    maxSize: MAX_REMEMBERED_LENGTH,
    sizeCalculation: (_, token) => token.length,
  });
  return async (request) => {
    const token = BEARER.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined || token.length > MAX_TOKEN_LENGTH) throw unauthorized();
    const known = remembered.get(token);
    if (known !== undefined && Date.now() < known.expiresAt) {
      request.principal = known.principal;
      return;
    }
    const claim = await claimsOf(verify, token);
    const principal = principalFrom(claim, token);
    request.principal = principal;
    // A key set may drop a key at any time, and its tokens with it.
    if (options.key.kind !== 'jwks') remembered.set(token, { principal, expiresAt: claim.exp * 1000 });
  };
}

/** Refuses with 403 whoever may only list, get and play. A hook for the routes that change something. */
export function requireWriter(request: FastifyRequest): Promise<void> {
  return request.principal.role === 'read_only'
    ? Promise.reject(
        new RequestError(403, 'Your role may only read; ask for a token with the role standard or admin.'),
      )
    : Promise.resolve();
}

async function verifyByStaticKey(
  app: FastifyInstance,
  { issuer, audience }: AuthenticationOptions,
  key: Exclude<VerificationKey, { kind: 'jwks' }>,
): Promise<Verify> {
  const requiredClaims = ['exp', ...(issuer ? ['iss'] : []), ...(audience ? ['aud'] : [])];
  const checks = {
    // An allowed issuer alone lets a token pass that names none.
    requiredClaims,
    ...(issuer && { allowedIss: issuer }),
    ...(audience && { allowedAud: audience }),
  };
  if (key.kind === 'secret') {
    await app.register(fastifyJwt, {
      secret: key.secret,
      verify: { ...checks, algorithms: ['HS256'] },
    });
  } else {
    const { pem, algorithm } = publicKeyFrom(key.pem);
    await app.register(fastifyJwt, {
      secret: { public: pem, private: '' },
      verify: { ...checks, algorithms: [algorithm] },
    });
  }
  return (token) => app.jwt.verify(token);
}

function verifyByJwks({ issuer, audience }: AuthenticationOptions, url: string): Verify {
  const keys = createRemoteJWKSet(new URL(url));
  return async (token) => {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: [...PUBLIC_KEY_ALGORITHMS],
      requiredClaims: ['exp'],
      ...(issuer && { issuer }),
      ...(audience && { audience }),
    });
    return payload;
  };
}

/** @throws Error when the PEM holds no key that we can check a token with. */
export function publicKeyFrom(given: string): {
  readonly pem: string;
  readonly algorithm: (typeof PUBLIC_KEY_ALGORITHMS)[number];
} {
  const key = createPublicKey(given);
  const pem = key.export({ type: 'spki', format: 'pem' }).toString();
  if (key.asymmetricKeyType === 'rsa') return { pem, algorithm: 'RS256' };
  if (key.asymmetricKeyType === 'ed25519') return { pem, algorithm: 'EdDSA' };
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') {
    return { pem, algorithm: 'ES256' };
  }
  throw new Error('JWT_PUBLIC_KEY must be an RSA, a P-256 or an Ed25519 key');
}

async function claimsOf(verify: Verify, token: string): Promise<z.output<typeof claims>> {
  let payload: unknown;
  try {
    payload = await verify(token);
    if (!TOKEN_TYPES.has(typeOf(token))) throw new Error('The token is of a type for another purpose.');
  } catch (cause) {
    if (isKeySetAway(cause)) {
      throw new RequestError(503, 'Tokens cannot be checked right now; try again in a moment.', {
        headers: { 'retry-after': '2' },
        cause,
      });
    }
    throw unauthorized(cause);
  }
  const parsed = claims.safeParse(payload);
  if (!parsed.success) throw unauthorized(parsed.error);
  return parsed.data;
}

/** In lower case and without its prefix, which RFC 7515, 4.1.9 lets be left out. Only for a token that was verified. */
function typeOf(token: string): unknown {
  const header: unknown = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
  const type: unknown = typeof header === 'object' && header !== null && Reflect.get(header, 'typ');
  return typeof type === 'string' ? type.toLowerCase().replace(/^application\//, '') : type;
}

/** jose's own errors speak of the token, except these; anything else is the network's. */
function isKeySetAway(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return true;
  if (error instanceof errors.JOSEError) return error.code === 'ERR_JOSE_GENERIC';
  return error instanceof TypeError && error.message === 'fetch failed';
}

function principalFrom({ org_unit_id, ...claim }: z.output<typeof claims>, token: string): Principal {
  return {
    orgUnitId: org_unit_id,
    userId: userIdFrom(claim.user_id) ?? userIdFrom(claim.sub) ?? null,
    role: roleFrom(claim.role, claim.role_id),
    tokenKey: hash('sha256', token.slice(0, token.lastIndexOf('.')), 'base64url'),
  };
}

/** `sub` is a string by RFC 7519, so an integer user id stands in it as digits. */
function userIdFrom(claim: unknown): number | undefined {
  const value = typeof claim === 'string' && /^\d{1,16}$/.test(claim) ? Number(claim) : claim;
  return id.safeParse(value).data;
}

/** What we do not know grants the least. */
function roleFrom(role: unknown, roleId: unknown): Role {
  if (role === 'admin' || role === 'standard' || role === 'read_only') return role;
  if (role === undefined && typeof roleId === 'number') return ROLE_IDS[roleId] ?? 'read_only';
  return 'read_only';
}

function unauthorized(cause?: unknown): RequestError {
  return new RequestError(401, 'Send a valid token: Authorization: Bearer <token>.', {
    headers: { 'www-authenticate': 'Bearer' },
    cause,
  });
}
