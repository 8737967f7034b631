import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { createInspector } from './audio/inspector.ts';
import { BlobSettingsError, type BlobStore } from './blobs/blob-store.ts';
import { openBlobStore } from './blobs/open-blob-store.ts';
import { type Catalogue, openCatalogue } from './catalogue/open-catalogue.ts';
import { openReader } from './catalogue/open-reader.ts';
import { countHit, sweepRateCounters } from './catalogue/rate-counters.ts';
import { type Reader, readPrimary } from './catalogue/reader.ts';
import { type Config, ConfigError, type TokenKey } from './config.ts';
import { createConsoleCodes } from './console-codes.ts';
import {
  type ChosenConverter,
  ConverterMissingError,
  chooseConverter,
} from './conversion/choose-converter.ts';
import { assertWhole } from './data-folder.ts';
import { affordableConnections } from './descriptors.ts';
import { buildApp } from './http/app.ts';
import { publicKeyFrom, type VerificationKey } from './http/authentication.ts';
import { closeApp } from './http/closing.ts';
import { BUILT_PAGE, type ConsoleOptions } from './http/console.ts';
import type { SharedMetrics } from './http/metrics.ts';
import type { CountHit } from './http/rate-limits.ts';
import { loadOrCreateSecret } from './jwt-secret.ts';
import { createLibrary, type Library } from './library/library.ts';
import type { TellOthers } from './library/shelf.ts';
import { scheduleSweeps } from './library/sweeper.ts';

/** Everything that runs, ready to listen. */
export interface Service {
  readonly app: FastifyInstance;
  readonly library: Library;
  /** The secret that tokens are signed with; undefined when only a public key is known. */
  readonly secret: string | undefined;
  /**
   * Takes no new connection, lets running requests finish for at most `graceMs`, then refuses uploads and cuts off
   * what is left, and stops everything that was started here. Idempotent.
   */
  close(graceMs: number): Promise<void>;
}

/** What one of several processes leaves to all together. */
export interface Team {
  /** Whether this is the one that sweeps for all; more would do no harm. */
  readonly sweeps: boolean;
  /** Counts for all, where the database does not. */
  readonly countHit: CountHit;
  readonly tellOthers: TellOthers;
  /** Has the others know that a caller of this key wrote something. */
  readonly tellOfWrite: (writer: string) => Promise<unknown>;
  readonly metrics: SharedMetrics;
}

/** What the caller may bring itself instead of having it made. */
export interface Overrides {
  readonly catalogue?: Catalogue;
  readonly blobs?: BlobStore;
  /** Where the built page of the console lies. */
  readonly consoleFolder?: string;
  readonly observe?: (app: FastifyInstance) => void;
  readonly team?: Team;
}

/** The one place where back ends are chosen. What was started is stopped again when a later part fails. */
export async function compose(config: Config, log: Logger, overrides: Overrides = {}): Promise<Service> {
  const { team } = overrides;
  await assertWhole(config.dataDir);
  const closers: (() => Promise<unknown> | unknown)[] = [];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const key = await verificationKeyFrom(config.tokens.key);
    const catalogue =
      overrides.catalogue ??
      (await openCatalogue({
        choice: config.database,
        poolSize: config.databasePoolSize,
        keepsPlans: config.databasePreparedStatements,
        log,
      }));
    closers.push(() => catalogue.close());
    const reader = readerOf(config, catalogue, team, log);
    closers.push(() => reader.close());
    const blobs = overrides.blobs ?? (await openBlobs(config));
    const inspector = createInspector(team === undefined ? {} : { workers: 1 });
    closers.push(() => inspector.close());

    const choosing = findConverter(config, log);
    // What was asked for by name has to be there; of `auto` the service hears when it is found.
    if (config.renditions.engine !== 'auto') await choosing;
    const library = createLibrary({
      db: catalogue.db,
      blobs,
      inspector,
      maxUploadBytes: config.maxUploadBytes,
      uploadLeaseMs: config.uploadLeaseMs,
      storageQuotaBytes: config.storageQuotaBytes,
      playbackCacheBytes: config.playback.cacheBytes,
      tellOthers: team?.tellOthers,
      reader,
      renditions: {
        choosing,
        loudnessLufs: config.renditions.loudnessLufs,
        atOnce: config.renditions.atOnce,
        onFault: (err, { recordingName, attempts }) =>
          log.warn({ err, recordingName, attempts }, 'renditions could not be made'),
      },
      onLeftBehind: (err) => log.warn({ err }, 'bytes were left for the sweeper'),
      onSetBack: (uploads) =>
        log.warn({ uploads }, 'the database is older than the files, or not the only one: uploads forgotten'),
    });
    closers.push(() => library.close());
    const countsAreShared = config.rateLimitStore === 'database';
    const sweepAll = async () => {
      const swept = await library.sweep();
      if (countsAreShared) await sweepRateCounters(catalogue.db);
      return swept;
    };
    if (team?.sweeps !== false) {
      void library.fillIn((err) => log.warn({ err }, 'recordings from before were not looked at'));
      const sweeps = scheduleSweeps(sweepAll, config.uploadLeaseMs, log);
      closers.push(() => sweeps.stop());
    }

    const endOfUploads = new AbortController();
    const app = await buildApp({
      library,
      logger: log,
      tokens: { key, issuer: config.tokens.issuer, audience: config.tokens.audience },
      uploads: config.uploads,
      uploadBody: {
        maxBytes: config.maxUploadBytes,
        pace: {
          windowMs: config.uploadLeaseMs,
          leastBytesPerSecond: config.uploads.leastBytesPerSecond,
          mostMs: config.uploads.mostMs,
        },
      },
      endOfUploads: endOfUploads.signal,
      maxJsonBytes: config.maxJsonBytes,
      maxConnections: affordableConnections(config, log),
      trustedProxies: config.trustedProxies,
      playback: config.playback,
      publicBaseUrl: config.publicBaseUrl,
      loudnessLufs: config.renditions.loudnessLufs,
      console: config.hasConsole ? consoleOf(config, key, overrides.consoleFolder) : undefined,
      rateLimits: {
        perToken: config.rateLimitPerMinute,
        perAddress: config.rateLimitPerMinutePerAddress,
        countHit: countsAreShared ? (key, windowMs) => countHit(catalogue.db, key, windowMs) : team?.countHit,
        onCountLost: (err) => log.warn({ err }, 'requests are counted by this process alone for a while'),
      },
      load: config.load,
      corsOrigins: config.corsOrigins,
      hstsMaxAgeSeconds: config.hstsMaxAgeSeconds,
      metrics: team?.metrics,
      observe: overrides.observe,
    });
    let closing: Promise<void> | undefined;
    const close = async (graceMs: number) => {
      // Requests may need what is left of the grace for themselves, and a restart begins with what is given back now.
      const given = library.endRendering();
      await closeApp(app, () => endOfUploads.abort(), graceMs);
      await given;
      await closeAll();
    };
    return {
      app,
      library,
      secret: key.kind === 'secret' ? key.secret : undefined,
      close: (graceMs) => {
        closing ??= close(graceMs);
        return closing;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function readerOf(config: Config, catalogue: Catalogue, team: Team | undefined, log: Logger): Reader {
  const { replica } = config;
  if (replica === undefined) return readPrimary(catalogue.db);
  return openReader({
    catalogue,
    replica: { connectionString: replica.url },
    maxLagMs: replica.maxLagMs,
    poolSize: config.databasePoolSize,
    keepsPlans: config.databasePreparedStatements,
    tellOthers: team?.tellOfWrite,
    onIdleError: ({ message }) => log.warn({ reason: message }, 'an idle connection of reading was lost'),
    onChange: (state) => {
      if (state === 'used') log.info('lists are read from the replica');
      else log.warn({ state }, 'the replica is not read');
    },
  });
}

async function openBlobs({ blobs, uploadLeaseMs }: Config): Promise<BlobStore> {
  return await openBlobStore(blobs, uploadLeaseMs).catch((cause: unknown) => {
    throw cause instanceof BlobSettingsError ? new ConfigError(cause.message, { cause }) : cause;
  });
}

async function findConverter({ renditions }: Config, log: Logger): Promise<ChosenConverter> {
  const choice = await chooseConverter(renditions.engine).catch((cause: unknown) => {
    if (!(cause instanceof ConverterMissingError)) throw cause;
    throw new ConfigError(`RENDITION_ENGINE=${renditions.engine} cannot be used: ${cause.message}`, {
      cause,
    });
  });
  if (choice.converter === undefined) log.warn({ reason: choice.reason }, 'no renditions are made');
  else log.info({ converter: choice.converter.version }, 'renditions are made');
  const { fenceLacks = [] } = choice;
  if (fenceLacks.length > 0) log.warn({ fenceLacks }, 'the converter is held in less than it could be');
  return choice;
}

/** Where only a public key is known nobody here can make a token, and there are no codes. */
function consoleOf({ dataDir, tokens }: Config, key: VerificationKey, folder = BUILT_PAGE): ConsoleOptions {
  if (key.kind !== 'secret') return { folder, tokenFor: () => Promise.resolve(undefined) };
  const { issuer, audience } = tokens;
  return { folder, tokenFor: createConsoleCodes({ dataDir, secret: key.secret, issuer, audience }).exchange };
}

async function verificationKeyFrom(key: TokenKey): Promise<VerificationKey> {
  if (key.kind === 'secret-file') return { kind: 'secret', secret: await loadOrCreateSecret(key.path) };
  if (key.kind === 'public-key') assertUsable(key.pem);
  return key;
}

function assertUsable(pem: string): void {
  try {
    publicKeyFrom(pem);
  } catch (cause) {
    throw new ConfigError(
      'The configuration cannot be used.\n✖ must be an RSA, a P-256 or an Ed25519 public key\n  → at JWT_PUBLIC_KEY',
      { cause },
    );
  }
}
