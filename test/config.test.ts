import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ConfigError, configFrom } from '../src/config.ts';

const SECRET = 'a secret of thirty-two bytes ....';
const PEM = generateKeyPairSync('ed25519')
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString()
  .trim();

type Environment = Parameters<typeof configFrom>[0];

function faultOf(env: Environment): ConfigError {
  try {
    configFrom(env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the environment was taken');
}

test('an empty environment is enough', () => {
  expect(configFrom({})).toEqual({
    host: '127.0.0.1',
    port: 3000,
    workers: 1,
    dataDir: resolve('data'),
    database: { kind: 'embedded', directory: resolve('data/database') },
    databasePoolSize: 10,
    databasePreparedStatements: true,
    blobs: { kind: 'disk', directory: resolve('data/uploads') },
    stores: { disk: { kind: 'disk', directory: resolve('data/uploads') }, s3: undefined },
    tokens: {
      key: { kind: 'secret-file', path: resolve('data/jwt-secret') },
      issuer: undefined,
      audience: undefined,
    },
    maxUploadBytes: 52_428_800,
    uploadLeaseMs: 60_000,
    uploads: {
      atOnce: 16,
      atOncePerToken: 12,
      slowAtOnce: 128,
      slowAtOncePerToken: 64,
      waiting: 1000,
      waitMs: 50_000,
      leastBytesPerSecond: 1024,
      mostMs: 14_400_000,
    },
    maxJsonBytes: 65_536,
    maxConnections: 10_000,
    storageQuotaBytes: 0,
    playback: { access: 'link', maxAgeSeconds: 86_400, cacheBytes: 33_554_432 },
    rateLimitPerMinute: 6000,
    rateLimitPerMinutePerAddress: 12_000,
    rateLimitStore: 'memory',
    trustedProxies: [],
    load: {
      maxEventLoopDelayMs: 1000,
      maxDatabaseQueue: 200,
      maxRssBytes: 768 * 1024 * 1024 + 33_554_432,
    },
    publicBaseUrl: undefined,
    renditions: { engine: 'auto', loudnessLufs: -19, atOnce: availableParallelism() },
    corsOrigins: [],
    hstsMaxAgeSeconds: 0,
    hasConsole: true,
    shutdownGraceMs: 10_000,
    logLevel: 'info',
  });
});

/** What is understood of a bucket alone. */
const S3 = {
  kind: 's3',
  bucket: 'prompts',
  endpoint: undefined,
  region: undefined,
  prefix: '',
  serve: 'proxy',
  spool: { directory: '/srv/prompts/spool', maxBytes: 2_147_483_648 },
} as const;

const s3 = (env: Environment) =>
  configFrom({ DATA_DIR: '/srv/prompts', BLOB_STORE: 's3', S3_BUCKET: 'prompts', ...env }).blobs;

describe('each variable', () => {
  const key = (env: Environment) => configFrom(env).tokens.key;
  const taken: readonly (readonly [string, unknown, unknown])[] = [
    ['HOST', configFrom({ HOST: '0.0.0.0' }).host, '0.0.0.0'],
    ['PORT', configFrom({ PORT: '0' }).port, 0],
    ['DATA_DIR', configFrom({ DATA_DIR: '/srv/prompts' }).dataDir, '/srv/prompts'],
    [
      'DATA_DIR, for what is embedded',
      configFrom({ DATA_DIR: '/srv/prompts' }).database,
      { kind: 'embedded', directory: '/srv/prompts/database' },
    ],
    [
      'DATABASE_URL',
      configFrom({ DATABASE_URL: 'postgres://me@db/prompts' }).database,
      { kind: 'server', url: 'postgres://me@db/prompts' },
    ],
    [
      'DATABASE_URL in its other spelling',
      configFrom({ DATABASE_URL: 'postgresql:///prompts?host=/run' }).database,
      { kind: 'server', url: 'postgresql:///prompts?host=/run' },
    ],
    ['BLOB_STORE, S3_BUCKET', s3({}), S3],
    [
      'S3_ENDPOINT, without its slash and with any region',
      s3({ S3_ENDPOINT: 'http://127.0.0.1:9000/' }),
      { ...S3, endpoint: 'http://127.0.0.1:9000', region: 'us-east-1' },
    ],
    ['S3_REGION', s3({ S3_REGION: 'eu-central-1' }), { ...S3, region: 'eu-central-1' }],
    ['S3_PREFIX, with its slash', s3({ S3_PREFIX: 'phone/prompts' }), { ...S3, prefix: 'phone/prompts/' }],
    ['S3_SERVE', s3({ S3_SERVE: 'redirect' }), { ...S3, serve: 'redirect' }],
    [
      'S3_SPOOL_BYTES',
      s3({ S3_SPOOL_BYTES: '52428800' }),
      { ...S3, spool: { ...S3.spool, maxBytes: 52_428_800 } },
    ],
    [
      'S3_BUCKET, beside the disk, for copying',
      configFrom({ DATA_DIR: '/srv/prompts', S3_BUCKET: 'prompts' }).stores,
      { disk: { kind: 'disk', directory: '/srv/prompts/uploads' }, s3: S3 },
    ],
    ['RENDITION_ENGINE', configFrom({ RENDITION_ENGINE: 'wasm' }).renditions.engine, 'wasm'],
    [
      'RENDITION_LOUDNESS_LUFS',
      configFrom({ RENDITION_LOUDNESS_LUFS: '-16.5' }).renditions.loudnessLufs,
      -16.5,
    ],
    [
      'RENDITION_LOUDNESS_LUFS, as it is',
      configFrom({ RENDITION_LOUDNESS_LUFS: 'off' }).renditions.loudnessLufs,
      'off',
    ],
    ['RENDITIONS_AT_ONCE', configFrom({ RENDITIONS_AT_ONCE: '3' }).renditions.atOnce, 3],
    [
      'PUBLIC_BASE_URL, without its last slash',
      configFrom({ PUBLIC_BASE_URL: 'https://prompts.example/media/' }).publicBaseUrl,
      'https://prompts.example/media',
    ],
    ['WORKERS', configFrom({ WORKERS: '3' }).workers, 3],
    ['WORKERS, by cores', configFrom({ WORKERS: 'auto' }).workers, availableParallelism()],
    ['DATABASE_POOL_SIZE', configFrom({ DATABASE_POOL_SIZE: '3' }).databasePoolSize, 3],
    [
      'DATABASE_READ_URL',
      configFrom({ DATABASE_URL: 'postgres://db/prompts', DATABASE_READ_URL: 'postgres://near/prompts' })
        .replica,
      { url: 'postgres://near/prompts', maxLagMs: 500 },
    ],
    [
      'DATABASE_READ_MAX_LAG_MS',
      configFrom({
        DATABASE_URL: 'postgres://db/prompts',
        DATABASE_READ_URL: 'postgres://near/prompts',
        DATABASE_READ_MAX_LAG_MS: '900',
      }).replica?.maxLagMs,
      900,
    ],
    [
      'DATABASE_URL, which may name a pooler',
      configFrom({ DATABASE_URL: 'postgres://db/prompts' }).databasePreparedStatements,
      false,
    ],
    [
      'DATABASE_PREPARED_STATEMENTS',
      configFrom({ DATABASE_URL: 'postgres://db/prompts', DATABASE_PREPARED_STATEMENTS: 'on' })
        .databasePreparedStatements,
      true,
    ],
    ['JWT_SECRET', key({ JWT_SECRET: SECRET }), { kind: 'secret', secret: SECRET }],
    ['JWT_SECRET, counted in bytes', key({ JWT_SECRET: 'é'.repeat(16) }), expect.anything()],
    [
      'JWT_JWKS_URL',
      key({ JWT_JWKS_URL: 'https://id.example/keys' }),
      { kind: 'jwks', url: 'https://id.example/keys' },
    ],
    ['JWT_ISSUER', configFrom({ JWT_ISSUER: 'me' }).tokens.issuer, 'me'],
    ['JWT_AUDIENCE', configFrom({ JWT_AUDIENCE: 'you' }).tokens.audience, 'you'],
    ['MAX_UPLOAD_BYTES', configFrom({ MAX_UPLOAD_BYTES: '1' }).maxUploadBytes, 1],
    ['UPLOAD_LEASE_SECONDS', configFrom({ UPLOAD_LEASE_SECONDS: '5' }).uploadLeaseMs, 5000],
    ['STORAGE_QUOTA_BYTES', configFrom({ STORAGE_QUOTA_BYTES: '1000' }).storageQuotaBytes, 1000],
    ['UPLOADS_AT_ONCE', configFrom({ UPLOADS_AT_ONCE: '3' }).uploads.atOnce, 3],
    ['UPLOADS_AT_ONCE_PER_TOKEN', configFrom({ UPLOADS_AT_ONCE_PER_TOKEN: '2' }).uploads.atOncePerToken, 2],
    ['SLOW_UPLOADS_AT_ONCE', configFrom({ SLOW_UPLOADS_AT_ONCE: '0' }).uploads.slowAtOnce, 0],
    [
      'SLOW_UPLOADS_AT_ONCE_PER_TOKEN',
      configFrom({ SLOW_UPLOADS_AT_ONCE_PER_TOKEN: '5' }).uploads.slowAtOncePerToken,
      5,
    ],
    ['MAX_WAITING_UPLOADS', configFrom({ MAX_WAITING_UPLOADS: '0' }).uploads.waiting, 0],
    ['UPLOAD_QUEUE_SECONDS', configFrom({ UPLOAD_QUEUE_SECONDS: '9' }).uploads.waitMs, 9000],
    [
      'UPLOAD_MIN_BYTES_PER_SECOND',
      configFrom({ UPLOAD_MIN_BYTES_PER_SECOND: '0' }).uploads.leastBytesPerSecond,
      0,
    ],
    ['UPLOAD_MAX_SECONDS', configFrom({ UPLOAD_MAX_SECONDS: '60' }).uploads.mostMs, 60_000],
    ['MAX_JSON_BYTES', configFrom({ MAX_JSON_BYTES: '1000' }).maxJsonBytes, 1000],
    ['MAX_CONNECTIONS', configFrom({ MAX_CONNECTIONS: '5' }).maxConnections, 5],
    [
      'RATE_LIMIT_PER_MINUTE_PER_ADDRESS',
      configFrom({ RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '0' }).rateLimitPerMinutePerAddress,
      0,
    ],
    ['RATE_LIMIT_STORE', configFrom({ RATE_LIMIT_STORE: 'database' }).rateLimitStore, 'database'],
    [
      'TRUST_PROXY',
      configFrom({ TRUST_PROXY: '10.0.0.0/8, 127.0.0.1,fd00::/8' }).trustedProxies,
      ['10.0.0.0/8', '127.0.0.1', 'fd00::/8'],
    ],
    ['PLAYBACK_ACCESS', configFrom({ PLAYBACK_ACCESS: 'token' }).playback.access, 'token'],
    ['PLAYBACK_MAX_AGE_SECONDS', configFrom({ PLAYBACK_MAX_AGE_SECONDS: '0' }).playback.maxAgeSeconds, 0],
    ['RATE_LIMIT_PER_MINUTE', configFrom({ RATE_LIMIT_PER_MINUTE: '0' }).rateLimitPerMinute, 0],
    ['MAX_EVENT_LOOP_DELAY_MS', configFrom({ MAX_EVENT_LOOP_DELAY_MS: '250' }).load.maxEventLoopDelayMs, 250],
    ['MAX_DATABASE_QUEUE', configFrom({ MAX_DATABASE_QUEUE: '0' }).load.maxDatabaseQueue, 0],
    ['MAX_RSS_BYTES', configFrom({ MAX_RSS_BYTES: '0' }).load.maxRssBytes, 0],
    [
      'PLAYBACK_CACHE_BYTES, for memory as a whole',
      configFrom({ PLAYBACK_CACHE_BYTES: '1000' }).load.maxRssBytes,
      768 * 1024 * 1024 + 1000,
    ],
    [
      'CORS_ORIGINS',
      configFrom({ CORS_ORIGINS: 'https://app.example, http://localhost:5173' }).corsOrigins,
      ['https://app.example', 'http://localhost:5173'],
    ],
    ['HSTS_MAX_AGE_SECONDS', configFrom({ HSTS_MAX_AGE_SECONDS: '31536000' }).hstsMaxAgeSeconds, 31_536_000],
    ['SHUTDOWN_GRACE_SECONDS', configFrom({ SHUTDOWN_GRACE_SECONDS: '0' }).shutdownGraceMs, 0],
    ['LOG_LEVEL', configFrom({ LOG_LEVEL: 'silent' }).logLevel, 'silent'],
  ];
  for (const [variable, told, expected] of taken) {
    test(`is heeded: ${variable}`, () => {
      expect(told).toEqual(expected);
    });
  }

  const refused: readonly (readonly [string, string])[] = [
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '3000.5'],
    ['PORT', '0x50'],
    ['PORT', ' 80'],
    ['BLOB_STORE', 'ftp'],
    ['S3_BUCKET', 'two words'],
    ['S3_BUCKET', 'a/b'],
    ['S3_ENDPOINT', '127.0.0.1:9000'],
    ['S3_ENDPOINT', 'http://me:word@127.0.0.1'],
    ['S3_ENDPOINT', 'http://127.0.0.1/bucket'],
    ['S3_REGION', 'eu central'],
    ['S3_PREFIX', '/prompts'],
    ['S3_PREFIX', 'a//b'],
    ['S3_PREFIX', 'a/../b'],
    ['S3_PREFIX', 'a b'],
    ['S3_SERVE', 'Redirect'],
    ['S3_SPOOL_BYTES', '0'],
    ['RENDITION_ENGINE', 'sox'],
    ['RENDITION_LOUDNESS_LUFS', '19'],
    ['RENDITION_LOUDNESS_LUFS', '-4'],
    ['RENDITION_LOUDNESS_LUFS', '-1e1'],
    ['RENDITIONS_AT_ONCE', '0'],
    ['PUBLIC_BASE_URL', 'ftp://prompts.example'],
    ['PUBLIC_BASE_URL', 'https://prompts.example/?a=b'],
    ['PUBLIC_BASE_URL', 'https://me:word@prompts.example'],
    ['PUBLIC_BASE_URL', 'https://prompts.example/a,b'],
    ['WORKERS', '0'],
    ['WORKERS', '257'],
    ['WORKERS', '2.5'],
    ['WORKERS', 'Auto'],
    ['DATABASE_URL', 'mysql://db'],
    ['DATABASE_POOL_SIZE', '0'],
    ['DATABASE_READ_URL', 'mysql://db'],
    ['DATABASE_READ_MAX_LAG_MS', '49'],
    ['DATABASE_READ_MAX_LAG_MS', '901'],
    ['DATABASE_PREPARED_STATEMENTS', 'yes'],
    ['JWT_SECRET', 'too short'],
    ['JWT_PUBLIC_KEY', '/nowhere/key.pem'],
    ['JWT_JWKS_URL', 'file:///etc/passwd'],
    ['MAX_UPLOAD_BYTES', '0'],
    ['MAX_UPLOAD_BYTES', '50MB'],
    ['MAX_UPLOAD_BYTES', '1e6'],
    ['UPLOAD_LEASE_SECONDS', '0'],
    ['UPLOADS_AT_ONCE', '0'],
    ['UPLOADS_AT_ONCE_PER_TOKEN', '0'],
    ['SLOW_UPLOADS_AT_ONCE', '-1'],
    ['SLOW_UPLOADS_AT_ONCE_PER_TOKEN', '0'],
    ['MAX_WAITING_UPLOADS', '-1'],
    ['UPLOAD_QUEUE_SECONDS', '3601'],
    ['UPLOAD_MIN_BYTES_PER_SECOND', '1k'],
    ['UPLOAD_MAX_SECONDS', '0'],
    ['MAX_JSON_BYTES', '0'],
    ['MAX_CONNECTIONS', '0'],
    ['RATE_LIMIT_PER_MINUTE_PER_ADDRESS', 'off'],
    ['RATE_LIMIT_STORE', 'redis'],
    ['TRUST_PROXY', 'true'],
    ['TRUST_PROXY', '1'],
    ['TRUST_PROXY', '0.0.0.0/0'],
    ['TRUST_PROXY', '::/0'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', '10.0.0.0/8/8'],
    ['TRUST_PROXY', '10.0.0.0/08'],
    ['TRUST_PROXY', '127.0.0.1,'],
    ['TRUST_PROXY', 'proxy.example'],
    ['TRUST_PROXY', 'loopback'],
    ['PLAYBACK_ACCESS', 'Link'],
    ['PLAYBACK_MAX_AGE_SECONDS', '-1'],
    ['RATE_LIMIT_PER_MINUTE', 'off'],
    ['MAX_EVENT_LOOP_DELAY_MS', '600001'],
    ['MAX_DATABASE_QUEUE', '-1'],
    ['MAX_RSS_BYTES', '1GB'],
    ['CORS_ORIGINS', '*'],
    ['CORS_ORIGINS', 'null'],
    ['CORS_ORIGINS', 'https://app.example/'],
    ['CORS_ORIGINS', 'https://APP.example'],
    ['CORS_ORIGINS', 'https://*.example'],
    ['CORS_ORIGINS', 'https://app.example,'],
    ['CORS_ORIGINS', 'app.example'],
    ['CORS_ORIGINS', 'file:///app'],
    ['HSTS_MAX_AGE_SECONDS', '-1'],
    ['SHUTDOWN_GRACE_SECONDS', '3601'],
    ['LOG_LEVEL', 'loud'],
  ];
  for (const [variable, value] of refused) {
    test(`is named when it is at fault: ${variable}=${value}`, () => {
      expect(faultOf({ [variable]: value }).message).toContain(variable);
    });
  }

  test('set to the empty string counts as not set', () => {
    const variables = [...refused.map(([variable]) => variable), 'HOST', 'DATA_DIR', 'JWT_ISSUER'];
    const empty = Object.fromEntries(variables.map((variable) => [variable, '']));
    expect(configFrom(empty)).toEqual(configFrom({}));
  });
});

test('all faults and contradictions are named at once, and no secret is repeated', () => {
  const { message } = faultOf({
    PORT: 'x',
    DATABASE_URL: 'mysql://root:hunter2@db',
    JWT_SECRET: 'hunter2',
    JWT_PUBLIC_KEY: '/nowhere/key.pem',
    MAX_UPLOAD_BYTES: '-1',
    PLAYBACK_ACCESS: 'nobody',
    LOG_LEVEL: 'loud',
  });
  for (const part of [
    'PORT',
    'DATABASE_URL',
    'JWT_SECRET',
    'at least 32 bytes',
    'JWT_PUBLIC_KEY',
    'MAX_UPLOAD_BYTES',
    'PLAYBACK_ACCESS',
    'LOG_LEVEL',
    'set only one of JWT_SECRET, JWT_PUBLIC_KEY and JWT_JWKS_URL',
  ]) {
    expect(message).toContain(part);
  }
  expect(message).not.toContain('hunter2');
});

test('a replica of the embedded database is refused', () => {
  expect(faultOf({ DATABASE_READ_URL: 'postgres://near/prompts' }).message).toContain(
    'set DATABASE_URL, too',
  );
});

describe('a bucket for the audio', () => {
  test('must be named, also when other variables are at fault', () => {
    const { message } = faultOf({ BLOB_STORE: 's3', PORT: 'x' });
    expect(message).toMatch(/must be set with BLOB_STORE=s3\n.*S3_BUCKET/);
    expect(message).toContain('PORT');
  });

  test('must be able to take the largest upload', () => {
    const bucket = { BLOB_STORE: 's3', S3_BUCKET: 'prompts' };
    expect(faultOf({ ...bucket, S3_SPOOL_BYTES: '52428799' }).message).toContain('S3_SPOOL_BYTES');
    const huge = { MAX_UPLOAD_BYTES: '5368709121', S3_SPOOL_BYTES: '10000000000' };
    expect(faultOf({ ...bucket, ...huge }).message).toContain('MAX_UPLOAD_BYTES');
    expect(configFrom(huge).maxUploadBytes).toBe(5_368_709_121);
  });
});

describe('two keys for tokens', () => {
  const keys = { JWT_SECRET: SECRET, JWT_PUBLIC_KEY: PEM, JWT_JWKS_URL: 'https://id.example/keys' };
  const { JWT_SECRET, JWT_PUBLIC_KEY, JWT_JWKS_URL } = keys;
  for (const pair of [
    { JWT_SECRET, JWT_PUBLIC_KEY },
    { JWT_SECRET, JWT_JWKS_URL },
    { JWT_PUBLIC_KEY, JWT_JWKS_URL },
    keys,
  ]) {
    test(`are refused: ${Object.keys(pair).join(' and ')}`, () => {
      expect(faultOf(pair).message).toContain('set only one of');
    });
  }
});

describe('a public key', () => {
  const expected = { kind: 'public-key', pem: PEM };

  test('is taken as itself', () => {
    expect(configFrom({ JWT_PUBLIC_KEY: `\n${PEM}\n` }).tokens.key).toEqual(expected);
  });

  test('is taken with its line breaks written out', () => {
    expect(configFrom({ JWT_PUBLIC_KEY: PEM.replaceAll('\n', '\\n') }).tokens.key).toEqual(expected);
  });

  test('is taken from the file at a path', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'media-prompts-test-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, 'key.pem');
    await writeFile(path, `${PEM}\n`);
    expect(configFrom({ JWT_PUBLIC_KEY: path }).tokens.key).toEqual(expected);
  });
});

test('a configuration cannot be changed, at any depth', () => {
  const config = configFrom({});
  for (const part of [config, config.database, config.tokens, config.tokens.key, config.playback]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
});

test('variables of others are ignored', () => {
  expect(configFrom({ PATH: '/bin', constructor: 'x', LANG: undefined })).toEqual(configFrom({}));
});
