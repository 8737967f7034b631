import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { passed } from '../steps.ts';
import {
  BlobError,
  type BlobPart,
  BlobSettingsError,
  type BlobStore,
  type LinkHeaders,
  type OpenBlob,
  type StagedBlob,
} from './blob-store.ts';
import { blobErrorFrom, faultOfSettings, wasAnswered } from './s3-faults.ts';
import { openAt, openWhole } from './s3-open.ts';
import { putFile, type WholeFile } from './s3-put.ts';
import { createClients, type S3Place, within, withinByItsClock } from './s3-requests.ts';
import { openSpool } from './spool.ts';

export interface S3Options extends S3Place {
  /** Where bytes are until the store has them. */
  readonly spool: { readonly directory: string; readonly maxBytes: number };
  /** What sending one blob may take, ms. */
  readonly sendingMs: number;
  /** Whether clients may be sent to the store for the bytes. */
  readonly givesLinks: boolean;
}

/** Published blobs, below the prefix, and beside them the mark: as `DATA_DIR/uploads` has them, so that one can be copied to the other. */
const PUBLISHED = 'call-flow-recordings/';
const MARK = '.ledger-clock';

/** For requests that are small, with all that are sent together and however often each is tried, ms. */
const PATIENCE = 5_000;
/** For the question whether the store is there, which somebody waits for who asks again, ms. */
const LOOKING = 3_000;
/** How long an answer to it is believed, ms: nobody needs a token to ask. */
const BELIEVED_FOR = 1_000;
const REMOVED_AT_ONCE = 8;
/** How long a link is good for, s: players follow it at once, and may ask for more of it a little later. */
const LINK_SECONDS = 300;

/**
 * Blobs as objects of a bucket. What arrives is spooled to the local disk, inspected there, and sent as one object with
 * its length and its MD5 when it is published; the store's answer makes it durable. Only what every engine does the same
 * way is used: no conditional write, no multiple delete, no ETag.
 */
export async function createS3BlobStore(options: S3Options): Promise<BlobStore> {
  const { bucket: Bucket, prefix, sendingMs } = options;
  const { quick, reading, writing } = createClients(options);
  const spool = await openSpool(options.spool.directory, options.spool.maxBytes);
  const files = new WeakMap<StagedBlob, WholeFile>();
  const at = (key: string) => ({ Bucket, Key: prefix + PUBLISHED + key });

  async function publish(staged: StagedBlob, key: string, signal?: AbortSignal): Promise<void> {
    const file = files.get(staged);
    if (file === undefined) throw new Error('the bytes were staged by another store');
    try {
      await putFile(writing, at(key), file, sendingMs, signal);
      passed('published');
    } catch (error) {
      // Whoever gave it up knows why.
      throw signal?.aborted ? signal.reason : blobErrorFrom(error);
    } finally {
      // What has not come to the store is not tried again, and must not fill the spool.
      await spool.drop(staged.name);
    }
  }

  async function assertListed(): Promise<void> {
    await asked((abortSignal) => quick.send(listing({ MaxKeys: 1 }), { abortSignal }), LOOKING);
  }

  const listing = (page: { readonly MaxKeys?: number; readonly ContinuationToken?: string | undefined }) =>
    new ListObjectsV2Command({ Bucket, Prefix: prefix + PUBLISHED, ...page });

  let lastLook: { readonly at: number; readonly answer: Promise<void> } | undefined;
  function isThere(): Promise<void> {
    if (lastLook === undefined || performance.now() - lastLook.at > BELIEVED_FOR) {
      lastLook = { at: performance.now(), answer: assertListed() };
    }
    return lastLook.answer;
  }

  return {
    landsLate: true,

    async stage(
      name: string,
      source: Readable,
      signal: AbortSignal,
      look: (chunk: Uint8Array) => void = () => undefined,
    ): Promise<StagedBlob> {
      const hash = createHash('md5');
      let size = 0;
      const path = await spool.take(name, source, signal, (chunk) => {
        look(chunk);
        hash.update(chunk);
        size += chunk.byteLength;
      });
      const staged = { name, path };
      files.set(staged, { path, size, md5: hash.digest('base64') });
      return staged;
    },

    publish,
    place: publish,
    // Each was acknowledged by itself.
    settle: () => Promise.resolve(),
    unstage: (name) => spool.drop(name),

    async open(key: string, first?: BlobPart): Promise<OpenBlob> {
      if (first !== undefined) return await openAt(reading, at(key), first);
      const head = (abortSignal: AbortSignal) => quick.send(new HeadObjectCommand(at(key)), { abortSignal });
      const { ContentLength } = await within(PATIENCE, head).catch(async (error: unknown) => {
        const fault = blobErrorFrom(error);
        if (!wasAnswered(error)) throw fault;
        // The answer to a HEAD does not say what is wrong: the object, the bucket, the rights or our clock. This one does.
        await assertListed();
        if (fault.code === 'not-found') throw fault;
        return await asked(head);
      });
      return openWhole(reading, at(key), ContentLength ?? 0);
    },

    ...(options.givesLinks && {
      async link(key: string, headers: LinkHeaders): Promise<string> {
        const command = new GetObjectCommand({
          ...at(key),
          ResponseContentType: headers.contentType,
          ResponseCacheControl: headers.cacheControl,
          ...(headers.contentDisposition !== undefined && {
            ResponseContentDisposition: headers.contentDisposition,
          }),
        });
        return await getSignedUrl(reading, command, { expiresIn: LINK_SECONDS }).catch((error: unknown) => {
          throw blobErrorFrom(error);
        });
      },
    }),

    async remove(keys: readonly string[]): Promise<void> {
      for (let i = 0; i < keys.length; i += REMOVED_AT_ONCE) {
        const some = keys.slice(i, i + REMOVED_AT_ONCE);
        await asked((abortSignal) =>
          Promise.all(
            some.map((key) =>
              quick.send(new DeleteObjectCommand(at(key)), { abortSignal }).catch(unlessMissing),
            ),
          ),
        );
      }
      if (keys.length > 0) passed('bytes-removed');
    },

    async *list() {
      const folder = prefix + PUBLISHED;
      let token: string | undefined;
      do {
        const page = await asked((abortSignal) =>
          quick.send(listing({ ContinuationToken: token }), { abortSignal }),
        );
        for (const { Key = '', Size: size = 0 } of page.Contents ?? []) {
          const key = Key.slice(folder.length);
          // What consoles call a folder is an object, too; and what lies deeper is none of ours.
          if (key !== '' && !key.includes('/')) yield { key, size };
        }
        token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
    },

    listStaged: () => spool.list(),

    async mark(): Promise<number> {
      try {
        return await asked(async (abortSignal) => {
          const { Body } = await quick.send(new GetObjectCommand({ Bucket, Key: prefix + MARK }), {
            abortSignal,
          });
          const text = (await Body?.transformToString()) ?? '';
          return /^\d{1,15}$/.test(text) ? Number(text) : 0;
        });
      } catch (error) {
        if (error instanceof BlobError && error.code === 'not-found') return 0;
        throw error;
      }
    },

    async setMark(mark: number): Promise<void> {
      const command = new PutObjectCommand({ Bucket, Key: prefix + MARK, Body: String(mark) });
      await asked((abortSignal) => quick.send(command, { abortSignal }));
    },

    async check(): Promise<void> {
      await Promise.all([isThere(), spool.check()]);
    },

    checkReading: isThere,
  };
}

/**
 * Asks the store whether these settings reach a bucket that can be listed. Resolves also when the store is away: that
 * may pass.
 *
 * @throws BlobSettingsError
 */
export async function assertSettings(place: S3Place): Promise<void> {
  const { quick } = createClients(place);
  const command = new ListObjectsV2Command({ Bucket: place.bucket, Prefix: place.prefix, MaxKeys: 1 });
  try {
    await withinByItsClock(PATIENCE, (abortSignal) => quick.send(command, { abortSignal }));
  } catch (cause) {
    const fault = faultOfSettings(cause);
    if (fault === undefined) return;
    throw new BlobSettingsError(`BLOB_STORE=s3 cannot be used: ${fault}.`, { cause: blobErrorFrom(cause) });
  } finally {
    quick.destroy();
  }
}

/** Work of small requests, with a bound on its time, and its failure said as a BlobError. */
async function asked<T>(work: (signal: AbortSignal) => Promise<T>, ms = PATIENCE): Promise<T> {
  try {
    return await withinByItsClock(ms, work);
  } catch (error) {
    throw blobErrorFrom(error);
  }
}

function unlessMissing(error: unknown): void {
  if (blobErrorFrom(error).code !== 'not-found') throw error;
}
