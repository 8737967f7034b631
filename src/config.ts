import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import {
  type BlobChoice,
  blobChoicesFrom,
  blobContradictions,
  blobVariables,
  type DiskChoice,
  type S3Choice,
} from './config-blobs.ts';
import {
  loudnessFrom,
  networksFrom,
  originsFrom,
  pemFrom,
  postgresUrl,
  whole,
  workersFrom,
} from './config-values.ts';
import type { ConverterChoice } from './conversion/choose-converter.ts';

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
  /** Processes that share the port; 1 = the service is one process. */
  readonly workers: number;
  readonly dataDir: string;
  readonly database: DatabaseChoice;
  readonly databasePoolSize: number;
  /** Whether connections keep statements that are asked often. */
  readonly databasePreparedStatements: boolean;
  /** A server that follows the database, for reading; undefined: there is none. */
  readonly replica: { readonly url: string; readonly maxLagMs: number } | undefined;
  /** Where bytes are kept. */
  readonly blobs: BlobChoice;
  /** Every store that is configured, for copying from one to the other. */
  readonly stores: { readonly disk: DiskChoice; readonly s3: S3Choice | undefined };
  readonly tokens: {
    readonly key: TokenKey;
    readonly issuer: string | undefined;
    readonly audience: string | undefined;
  };
  readonly maxUploadBytes: number;
  readonly uploadLeaseMs: number;
  /** Of an org unit without a quota of its own; 0 = none. */
  readonly storageQuotaBytes: number;
  readonly uploads: {
    readonly atOnce: number;
    readonly atOncePerToken: number;
    /** Beside those; 0 = none. */
    readonly slowAtOnce: number;
    readonly slowAtOncePerToken: number;
    /** For their turn. */
    readonly waiting: number;
    readonly waitMs: number;
    /** On average over each lease; 0 = off. */
    readonly leastBytesPerSecond: number;
    readonly mostMs: number;
  };
  readonly maxJsonBytes: number;
  readonly maxConnections: number;
  readonly playback: {
    readonly access: 'link' | 'token';
    readonly maxAgeSeconds: number;
    readonly cacheBytes: number;
  };
  readonly rateLimitPerMinute: number;
  readonly rateLimitPerMinutePerAddress: number;
  /** `database`: one count for all processes. */
  readonly rateLimitStore: 'memory' | 'database';
  /** Addresses and networks whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** Past these, the API refuses work; 0 = that one is not watched. */
  readonly load: {
    readonly maxEventLoopDelayMs: number;
    readonly maxDatabaseQueue: number;
    readonly maxRssBytes: number;
  };
  /** As browsers send them in Origin. */
  readonly corsOrigins: readonly string[];
  readonly renditions: {
    readonly engine: ConverterChoice;
    /** LUFS; `off`: the level stays as it is. */
    readonly loudnessLufs: number | 'off';
    /** Recordings worked at together. */
    readonly atOnce: number;
  };
  /** What urls begin with where they are told in full; undefined: they are paths. */
  readonly publicBaseUrl: string | undefined;
  readonly hstsMaxAgeSeconds: number;
  /** Whether there is a web page for people. */
  readonly hasConsole: boolean;
  readonly shutdownGraceMs: number;
  readonly logLevel: string;
}

/** Thrown for an environment the service cannot run with; the message names every variable at fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const BASE_URL = 'must be an http or https url without a query, a user or any of ? # @ & , ! { }';

const environment = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: whole(0, 65_535).default(3000),
  WORKERS: z.string().transform(workersFrom).default(1),
  DATA_DIR: z.string().default('./data'),
  DATABASE_URL: postgresUrl.optional(),
  DATABASE_READ_URL: postgresUrl.optional(),
  // Beyond, and with what a look and an answer take, a delete would take effect after its second.
  DATABASE_READ_MAX_LAG_MS: whole(50, 900).default(500),
  DATABASE_POOL_SIZE: whole(1, 500).default(10),
  DATABASE_PREPARED_STATEMENTS: z.enum(['on', 'off']).optional(),
  ...blobVariables,
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
  STORAGE_QUOTA_BYTES: whole(0, 999_999_999_999_999).default(0),
  UPLOADS_AT_ONCE: whole(1, 10_000).default(16),
  UPLOADS_AT_ONCE_PER_TOKEN: whole(1, 10_000).default(12),
  SLOW_UPLOADS_AT_ONCE: whole(0, 10_000).default(128),
  SLOW_UPLOADS_AT_ONCE_PER_TOKEN: whole(1, 10_000).default(64),
  MAX_WAITING_UPLOADS: whole(0, 1_000_000).default(1000),
  UPLOAD_QUEUE_SECONDS: whole(0, 3600).default(50),
  UPLOAD_MIN_BYTES_PER_SECOND: whole(0, 1_000_000_000).default(1024),
  UPLOAD_MAX_SECONDS: whole(1, 604_800).default(14_400),
  MAX_JSON_BYTES: whole(1, 104_857_600).default(65_536),
  MAX_CONNECTIONS: whole(1, 1_000_000).default(10_000),
  PLAYBACK_ACCESS: z.enum(['link', 'token']).default('link'),
  PLAYBACK_MAX_AGE_SECONDS: whole(0, 31_536_000).default(86_400),
  PLAYBACK_CACHE_BYTES: whole(0, 68_719_476_736).default(33_554_432),
  RATE_LIMIT_PER_MINUTE: whole(0, 1_000_000_000).default(6000),
  RATE_LIMIT_PER_MINUTE_PER_ADDRESS: whole(0, 1_000_000_000).default(12_000),
  RATE_LIMIT_STORE: z.enum(['memory', 'database']).default('memory'),
  TRUST_PROXY: z.string().transform(networksFrom).default([]),
  MAX_EVENT_LOOP_DELAY_MS: whole(0, 600_000).default(1000),
  MAX_DATABASE_QUEUE: whole(0, 1_000_000).default(200),
  MAX_RSS_BYTES: whole(0, 1_099_511_627_776).optional(),
  CORS_ORIGINS: z.string().transform(originsFrom).default([]),
  RENDITION_ENGINE: z.enum(['auto', 'ffmpeg', 'wasm', 'off']).default('auto'),
  RENDITION_LOUDNESS_LUFS: z.string().transform(loudnessFrom).default(-19),
  RENDITIONS_AT_ONCE: whole(1, 256).optional(),
  PUBLIC_BASE_URL: z
    .url({ protocol: /^https?$/, error: BASE_URL })
    // Engines take what is before an @ for a password, and split at the others.
    .refine((url) => !/[?#@&,!{}\s]/.test(url), BASE_URL)
    .transform((url) => url.replace(/\/+$/, ''))
    .optional(),
  HSTS_MAX_AGE_SECONDS: whole(0, 315_360_000).default(0),
  CONSOLE: z.enum(['on', 'off']).default('on'),
  SHUTDOWN_GRACE_SECONDS: whole(0, 3600).default(10),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** What the process may hold of memory beside the audio it keeps for playing, unless told otherwise, bytes. */
const ROOM_TO_WORK = 768 * 1024 * 1024;

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
    .refine(() => given['DATABASE_READ_URL'] === undefined || given['DATABASE_URL'] !== undefined, {
      message: 'set DATABASE_URL, too: nothing follows the embedded PostgreSQL',
      path: ['DATABASE_READ_URL'],
      when: () => true,
    })
    .refine(() => given['BLOB_STORE'] !== 's3' || given['S3_BUCKET'] !== undefined, {
      message: 'must be set with BLOB_STORE=s3',
      path: ['S3_BUCKET'],
      when: () => true,
    })
    .superRefine((e, context) => {
      for (const [variable, message] of blobContradictions(e)) {
        context.addIssue({ code: 'custom', message, path: [variable] });
      }
    })
    .safeParse(given);
  if (!parsed.success) {
    throw new ConfigError(`The configuration cannot be used.\n${z.prettifyError(parsed.error)}`);
  }
  const e = parsed.data;
  const dataDir = resolve(e.DATA_DIR);
  const stores = blobChoicesFrom(e, dataDir);
  return deepFrozen({
    host: e.HOST,
    port: e.PORT,
    workers: e.WORKERS,
    dataDir,
    database:
      e.DATABASE_URL === undefined
        ? { kind: 'embedded', directory: resolve(dataDir, 'database') }
        : { kind: 'server', url: e.DATABASE_URL },
    databasePoolSize: e.DATABASE_POOL_SIZE,
    databasePreparedStatements:
      (e.DATABASE_PREPARED_STATEMENTS ?? (e.DATABASE_URL === undefined ? 'on' : 'off')) === 'on',
    replica:
      e.DATABASE_READ_URL === undefined
        ? undefined
        : { url: e.DATABASE_READ_URL, maxLagMs: e.DATABASE_READ_MAX_LAG_MS },
    // Without a bucket, S3 was refused above.
    blobs: (e.BLOB_STORE === 's3' ? stores.s3 : undefined) ?? stores.disk,
    stores,
    tokens: { key: tokenKeyFrom(e, dataDir), issuer: e.JWT_ISSUER, audience: e.JWT_AUDIENCE },
    maxUploadBytes: e.MAX_UPLOAD_BYTES,
    uploadLeaseMs: e.UPLOAD_LEASE_SECONDS * 1000,
    storageQuotaBytes: e.STORAGE_QUOTA_BYTES,
    uploads: {
      atOnce: e.UPLOADS_AT_ONCE,
      atOncePerToken: e.UPLOADS_AT_ONCE_PER_TOKEN,
      slowAtOnce: e.SLOW_UPLOADS_AT_ONCE,
      slowAtOncePerToken: e.SLOW_UPLOADS_AT_ONCE_PER_TOKEN,
      waiting: e.MAX_WAITING_UPLOADS,
      waitMs: e.UPLOAD_QUEUE_SECONDS * 1000,
      leastBytesPerSecond: e.UPLOAD_MIN_BYTES_PER_SECOND,
      mostMs: e.UPLOAD_MAX_SECONDS * 1000,
    },
    maxJsonBytes: e.MAX_JSON_BYTES,
    maxConnections: e.MAX_CONNECTIONS,
    playback: {
      access: e.PLAYBACK_ACCESS,
      maxAgeSeconds: e.PLAYBACK_MAX_AGE_SECONDS,
      cacheBytes: e.PLAYBACK_CACHE_BYTES,
    },
    rateLimitPerMinute: e.RATE_LIMIT_PER_MINUTE,
    rateLimitPerMinutePerAddress: e.RATE_LIMIT_PER_MINUTE_PER_ADDRESS,
    rateLimitStore: e.RATE_LIMIT_STORE,
    trustedProxies: e.TRUST_PROXY,
    load: {
      maxEventLoopDelayMs: e.MAX_EVENT_LOOP_DELAY_MS,
      maxDatabaseQueue: e.MAX_DATABASE_QUEUE,
      maxRssBytes: e.MAX_RSS_BYTES ?? ROOM_TO_WORK + e.PLAYBACK_CACHE_BYTES,
    },
    corsOrigins: e.CORS_ORIGINS,
    renditions: {
      engine: e.RENDITION_ENGINE,
      loudnessLufs: e.RENDITION_LOUDNESS_LUFS,
      atOnce: e.RENDITIONS_AT_ONCE ?? availableParallelism(),
    },
    publicBaseUrl: e.PUBLIC_BASE_URL,
    hstsMaxAgeSeconds: e.HSTS_MAX_AGE_SECONDS,
    hasConsole: e.CONSOLE === 'on',
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

function deepFrozen<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object') deepFrozen(member);
  return Object.freeze(value);
}
