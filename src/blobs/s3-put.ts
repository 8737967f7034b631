import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { BLOCK } from './block-pool.ts';
import { guarded } from './files.ts';
import { isPassing } from './s3-faults.ts';
import { within } from './s3-requests.ts';

/** A whole file, and what is known of its bytes. */
export interface WholeFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Base64. */
  readonly md5: string;
}

const ATTEMPTS = 3;
/** Before the second try, ms; twice as long before the third, each a little more or less. */
const PAUSE = 200;

/**
 * Sends a file as one object. The store holds what it got against the MD5 and acknowledges when it is durable; then this
 * resolves. Nothing is sent after `ms`, or once the signal fires.
 *
 * @throws BlobError `not-found` when the file is gone; else what the request fails with: what the store did with the
 *   bytes is unknown then
 */
export async function putFile(
  client: S3Client,
  target: { readonly Bucket: string; readonly Key: string },
  file: WholeFile,
  ms: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const until = performance.now() + ms;
  const handle = await guarded(() => open(file.path));
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await within(
          until - performance.now(),
          (stop) => send(client, target, file, handle, until, stop),
          signal,
        );
        return;
      } catch (error) {
        const pause = PAUSE * 2 ** (attempt - 1) * (0.5 + Math.random());
        const isLate = performance.now() + pause >= until;
        if (attempt === ATTEMPTS || isLate || signal?.aborted || !isPassing(error)) throw error;
        await delay(pause);
      }
    }
  } finally {
    await handle.close();
  }
}

async function send(
  client: S3Client,
  target: { readonly Bucket: string; readonly Key: string },
  { size, md5 }: WholeFile,
  handle: FileHandle,
  until: number,
  stop: AbortSignal,
): Promise<void> {
  const broken = new AbortController();
  const body = Readable.from(piecesOf(handle, size, until), { objectMode: false });
  // Nobody else hears it: the request would wait for the rest.
  body.on('error', (error) => broken.abort(error));
  try {
    await client.send(new PutObjectCommand({ ...target, Body: body, ContentLength: size, ContentMD5: md5 }), {
      abortSignal: AbortSignal.any([stop, broken.signal]),
    });
  } catch (error) {
    throw broken.signal.aborted ? broken.signal.reason : error;
  } finally {
    body.destroy();
  }
}

/** A block is the socket's once it is handed over, so each is a new one. */
async function* piecesOf(handle: FileHandle, size: number, until: number): AsyncGenerator<Buffer> {
  for (let position = 0; position < size; ) {
    const block = Buffer.allocUnsafeSlow(Math.min(BLOCK, size - position));
    const { bytesRead } = await handle.read(block, 0, block.byteLength, position);
    if (bytesRead === 0) throw new Error('the file is shorter than it was');
    // A process that was halted must not go on where it stopped: its place may be another's by now.
    if (performance.now() >= until) throw new Error('the time for sending is over');
    yield block.subarray(0, bytesRead);
    position += bytesRead;
  }
}
