import { Readable } from 'node:stream';
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { BlobError, type BlobPart, type ByteSink, type OpenBlob } from './blob-store.ts';
import { blobErrorFrom } from './s3-faults.ts';
import { withinByItsClock } from './s3-requests.ts';

/** For the head of the answer, and then for each next piece, ms. */
const ANSWERING = 5_000;
/** How often a reading that broke off is taken up again where it was. */
const MOST_RESUMPTIONS = 2;

interface Target {
  readonly Bucket: string;
  readonly Key: string;
}

/** Bytes of an object that are on their way. */
interface Coming extends BlobPart {
  readonly body: Readable;
  /** Of the whole object. */
  readonly size: number;
}

/** An object of this size as an open blob: one request for each transfer, none before. */
export const openWhole = (client: S3Client, target: Target, size: number): OpenBlob =>
  openObject(client, target, size);

/**
 * An object as an open blob of which these bytes are on their way already: they take no request but this.
 *
 * @throws BlobError `not-found`; and `unavailable` also when the object has no such bytes
 */
export async function openAt(client: S3Client, target: Target, first: BlobPart): Promise<OpenBlob> {
  const coming = await ask(client, target, first);
  return openObject(client, target, coming.size, coming);
}

function openObject(client: S3Client, target: Target, size: number, first?: Coming): OpenBlob {
  let unread = first;
  const open = new Set<Readable>(first && [first.body]);
  let isClosed = false;

  /** Hands on the bytes from `start` until the end or until they break off; rejects with what the sink rejects with. */
  async function pour(start: number, end: number, sink: ByteSink): Promise<number> {
    const body = await bodyOf(start, end);
    open.add(body);
    let position = start;
    try {
      for (;;) {
        const piece = await nextOf(body);
        if (piece === undefined) return position;
        await sink(piece);
        position += piece.byteLength;
      }
    } finally {
      open.delete(body);
      body.destroy();
    }
  }

  async function bodyOf(start: number, end: number): Promise<Readable> {
    const coming = unread;
    unread = undefined;
    if (coming?.start === start && coming.end === end) return coming.body;
    if (coming !== undefined) {
      open.delete(coming.body);
      coming.body.destroy();
    }
    return (await ask(client, target, { start, end })).body;
  }

  return {
    size,
    async transfer(start, end, sink) {
      let position = start;
      for (let tries = 0; position < end; tries += 1) {
        if (isClosed) throw new Error('the blob is closed');
        if (tries > MOST_RESUMPTIONS) throw new BlobError('unavailable', 'The blob ends before its end.');
        position = await pour(position, end, sink);
      }
    },
    close() {
      isClosed = true;
      for (const body of open) body.destroy();
      return Promise.resolve();
    },
  };
}

async function ask(client: S3Client, target: Target, { start, end }: BlobPart): Promise<Coming> {
  const Range = `bytes=${start}-${end - 1}`;
  const answer = await withinByItsClock(ANSWERING, (abortSignal) =>
    client.send(new GetObjectCommand({ ...target, Range }), { abortSignal }),
  ).catch((error: unknown) => {
    throw blobErrorFrom(error);
  });
  const body = answer.Body;
  if (!(body instanceof Readable)) throw new Error('the SDK hands over no stream');
  // What breaks it off is heard by who waits for the next piece, if anybody does.
  body.on('error', () => undefined);
  const [, size] = /\/(\d+)$/.exec(answer.ContentRange ?? '') ?? [];
  if (answer.ContentLength === end - start && size !== undefined) {
    return { body, start, end, size: Number(size) };
  }
  body.destroy();
  throw new BlobError('unavailable', 'The object store answers with another part than it was asked for.');
}

/** The next piece, in whatever size the connection brings it; undefined at the end, or where the answer breaks off. */
async function nextOf(body: Readable): Promise<Buffer | undefined> {
  const piece: unknown = body.read();
  if (piece !== null) return piece as Buffer;
  if (body.readableEnded || body.destroyed) return undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  const stalled = setTimeout(() => body.destroy(), ANSWERING);
  const news = () => resolve();
  for (const event of ['readable', 'end', 'close'] as const) body.once(event, news);
  await promise;
  clearTimeout(stalled);
  for (const event of ['readable', 'end', 'close'] as const) body.off(event, news);
  return await nextOf(body);
}
