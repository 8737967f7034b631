import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';

/** Where the key that checks tokens comes from; it fixes the algorithms, a token never does. */
export type TokenKey =
  /** HS256 with a secret of at least 32 bytes. */
  | { readonly kind: 'secret'; readonly secret: string }
  /** HS256 with a secret that is made once and kept in this file, mode 0600. */
  | { readonly kind: 'secret-file'; readonly path: string }
  /** RS256, ES256 or EdDSA, as the PEM's key type says. */
  | { readonly kind: 'public-key'; readonly pem: string }
  /** RS256, ES256 or EdDSA, with the keys that this URL lists. */
  | { readonly kind: 'jwks'; readonly url: string };

/** Which database holds the rows. */
export type DatabaseChoice =
  | { readonly kind: 'embedded'; readonly directory: string }
  | { readonly kind: 'server'; readonly url: string };

/** Everything the service can be told, read once at start. Durations in ms, sizes in bytes. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly database: DatabaseChoice;
  readonly databasePoolSize: number;
  readonly tokens: {
    readonly key: TokenKey;
    readonly issuer: string | undefined;
    readonly audience: string | undefined;
  };
  readonly maxUploadBytes: number;
  readonly uploadLeaseMs: number;
  readonly playback: {
    readonly access: 'link' | 'token';
    readonly maxAgeSeconds: number;
    readonly cacheBytes: number;
  };
  readonly rateLimitPerMinute: number;
  readonly shutdownGraceMs: number;
  readonly logLevel: string;
}

/** Thrown for an environment the service cannot run with; the message names every variable at fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(least).max(most));

const environment = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: whole(0, 65_535).default(3000),
  DATA_DIR: z.string().default('./data'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must start with postgres://')
    .optional(),
  DATABASE_POOL_SIZE: whole(1, 500).default(10),
  JWT_SECRET: z
    .string()
    .refine((secret) => Buffer.byteLength(secret) >= 32, 'must be at least 32 bytes long')
    .optional(),
  JWT_PUBLIC_KEY: z.string().transform(pemFrom).optional(),
  JWT_JWKS_URL: z.url({ protocol: /^https?$/ }).optional(),
  JWT_ISSUER: z.string().optional(),
  JWT_AUDIENCE: z.string().optional(),
  MAX_UPLOAD_BYTES: whole(1, 10_737_418_240).default(52_428_800),
  UPLOAD_LEASE_SECONDS: whole(1, 86_400).default(60),
  PLAYBACK_ACCESS: z.enum(['link', 'token']).default('link'),
  PLAYBACK_MAX_AGE_SECONDS: whole(0, 31_536_000).default(86_400),
  PLAYBACK_CACHE_BYTES: whole(0, 68_719_476_736).default(33_554_432),
  RATE_LIMIT_PER_MINUTE: whole(0, 1_000_000_000).default(6000),
  SHUTDOWN_GRACE_SECONDS: whole(0, 3600).default(10),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

const KEY_VARIABLES = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'] as const;

type Environment = z.output<typeof environment>;

/**
 * Reads the environment into a frozen Config. A variable set to the empty string counts as not set.
 *
 * @throws ConfigError that lists every bad variable and every contradiction at once.
 */
export function configFrom(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment
    .refine(() => KEY_VARIABLES.filter((variable) => given[variable] !== undefined).length <= 1, {
      message: 'set only one of JWT_SECRET, JWT_PUBLIC_KEY and JWT_JWKS_URL',
      path: ['JWT_SECRET'],
      // Also when other variables are at fault: all are named at once.
      when: () => true,
    })
    .safeParse(given);
  if (!parsed.success) {
    throw new ConfigError(`The configuration cannot be used.\n${z.prettifyError(parsed.error)}`);
  }
  const e = parsed.data;
  const dataDir = resolve(e.DATA_DIR);
  return deepFrozen({
    host: e.HOST,
    port: e.PORT,
    dataDir,
    database:
      e.DATABASE_URL === undefined
        ? { kind: 'embedded', directory: resolve(dataDir, 'database') }
        : { kind: 'server', url: e.DATABASE_URL },
    databasePoolSize: e.DATABASE_POOL_SIZE,
    tokens: { key: tokenKeyFrom(e, dataDir), issuer: e.JWT_ISSUER, audience: e.JWT_AUDIENCE },
    maxUploadBytes: e.MAX_UPLOAD_BYTES,
    uploadLeaseMs: e.UPLOAD_LEASE_SECONDS * 1000,
    playback: {
      access: e.PLAYBACK_ACCESS,
      maxAgeSeconds: e.PLAYBACK_MAX_AGE_SECONDS,
      cacheBytes: e.PLAYBACK_CACHE_BYTES,
    },
    rateLimitPerMinute: e.RATE_LIMIT_PER_MINUTE,
    shutdownGraceMs: e.SHUTDOWN_GRACE_SECONDS * 1000,
    logLevel: e.LOG_LEVEL,
  } satisfies Config);
}

function tokenKeyFrom(e: Environment, dataDir: string): TokenKey {
  if (e.JWT_SECRET !== undefined) return { kind: 'secret', secret: e.JWT_SECRET };
  if (e.JWT_JWKS_URL !== undefined) return { kind: 'jwks', url: e.JWT_JWKS_URL };
  if (e.JWT_PUBLIC_KEY !== undefined) return { kind: 'public-key', pem: e.JWT_PUBLIC_KEY };
  return { kind: 'secret-file', path: resolve(dataDir, 'jwt-secret') };
}

/** A PEM may be given as itself, with `\n` written out (as env files need it), or as a path. */
function pemFrom(value: string, context: z.RefinementCtx): string {
  if (value.includes('-----BEGIN')) return value.replaceAll('\\n', '\n').trim();
  try {
    return readFileSync(value, 'utf8').trim();
  } catch {
    context.addIssue('must be a PEM or the path of a file that can be read');
    return z.NEVER;
  }
}

function deepFrozen<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object') deepFrozen(member);
  return Object.freeze(value);
}
