import { setTimeout as delay } from 'node:timers/promises';
import { noise } from '../support/wav.ts';
import type { Book, Dialect } from './book.ts';
import { type Answer, type Ask, createAsk, formOf, V1, V3 } from './http.ts';
import type { Chance } from './scale.ts';
import type { Service } from './service.ts';
import { cutUpload } from './sockets.ts';

/** What was asked, when, and what came back. */
export interface Asked {
  readonly what: 'upload' | 'bad upload' | 'delete' | 'list' | 'get';
  readonly path: string;
  /** `performance.now()` at the call. */
  readonly at: number;
  /** Undefined when no answer came. */
  readonly answer: Answer | undefined;
}

export interface LoadOptions {
  readonly clients: number;
  readonly chance: Chance;
  /** Goes on when no answer comes; else a client ends with the first, since the service is gone. */
  readonly isPersistent?: boolean;
  /**
   * Asks once more where no answer came or one of a balancer that has nobody behind it, as clients of many services do.
   * What is lost twice is a contradiction.
   */
  readonly isRetrying?: boolean;
  readonly onAsked?: (asked: Asked) => void;
}

/** Less than a block, some, and several blocks of what the service writes at once. */
const SIZES = [1_000, 2_000, 4_000, 6_000, 8_000, 20_000, 40_000, 300_000, 700_000].map((size) =>
  noise(size, size),
);
const HEADER = 44;
const TEXT = Buffer.from('This is no audio, whatever it is called. '.repeat(50));
/** Far less than a Retry-After asks for, so that whatever answers is asked much; ms. */
const PAUSE_WHEN_REFUSED = 100;
const PAUSE_BEFORE_RETRY = 100;

const isLost = (answer: Answer | undefined) =>
  answer === undefined || [502, 503, 504].includes(answer.status);

let uploads = 0;

function newName(): string {
  uploads += 1;
  return `load ${uploads}`;
}

/** A recording like no other. */
export function freshAudio(chance: Chance): Buffer {
  // Most prompts are small; the large ones are for the paths that take several writes.
  const wav = Buffer.from(SIZES[Math.floor(chance.next() ** 2 * SIZES.length)] ?? '');
  for (let i = 0; i < 16; i += 4) wav.writeUInt32LE(chance.whole(0, 0xffff_ffff), HEADER + i);
  return wav;
}

/** Clients that upload, delete and read through both dialects until told to stop, each one call at a time. */
export function startLoad(service: Service, book: Book, options: LoadOptions) {
  const { chance, isPersistent = false, isRetrying = false, onAsked } = options;
  const ask = createAsk(service.base);
  let isStopped = false;

  async function answerTo(
    what: Asked['what'],
    path: string,
    call: () => Promise<Answer>,
  ): Promise<Answer | undefined> {
    const at = performance.now();
    const answer = await call().catch(() => undefined);
    onAsked?.({ what, path, at, answer });
    if (isPersistent && (answer === undefined || answer.status >= 500)) await delay(PAUSE_WHEN_REFUSED);
    return answer;
  }

  /** Whether the service is still there. */
  async function withRetry(what: string, work: (isRetry: boolean) => Promise<Answer | undefined>) {
    const answer = await work(false);
    if (!isRetrying || !isLost(answer)) return answer !== undefined;
    await delay(PAUSE_BEFORE_RETRY);
    const again = await work(true);
    if (isLost(again)) book.contradictions.push(`${what}: ${again?.status ?? 'no answer'} twice`);
    return again !== undefined;
  }

  async function upload(own: string[]): Promise<Answer | undefined> {
    const dialect: Dialect = chance.isOneIn(4) ? 'v1' : 'v3';
    const isBad = chance.isOneIn(10);
    const content = isBad ? TEXT : freshAudio(chance);
    const name = newName();
    book.uploading(name, dialect, content);
    const path = dialect === 'v1' ? V1 : V3;
    const answer = await answerTo(isBad ? 'bad upload' : 'upload', path, () =>
      ask.upload(path, formOf(dialect, name, content)),
    );
    book.uploaded(name, answer, !isBad);
    if (answer?.status === 201) own.push(name);
    return answer;
  }

  async function cut(): Promise<boolean> {
    const content = freshAudio(chance);
    const name = newName();
    book.uploading(name, 'v3', content);
    await cutUpload(service.base, formOf('v3', name, content), chance.next());
    book.cutOff(name);
    return true;
  }

  async function remove(own: string[]): Promise<boolean> {
    const [name = ''] = own.splice(chance.whole(0, own.length - 1), 1);
    const entry = book.get(name);
    if (entry === undefined) return true;
    const path = `${entry.dialect === 'v1' ? V1 : V3}/${entry.id}`;
    book.deleting(name);
    const isThere = await withRetry(`delete of ${name}`, async (isRetry) => {
      const answer = await answerTo('delete', path, () => ask('DELETE', path));
      book.deleted(name, isRetry ? 'either' : entry.fate, answer);
      return answer;
    });
    // Whatever was refused for now is asked again.
    if (isThere && book.get(name)?.fate !== 'gone') own.push(name);
    return isThere;
  }

  async function read(own: readonly string[]): Promise<boolean> {
    const entry = book.get(own[0] ?? '');
    const isList = entry === undefined || chance.isOneIn(2);
    const base = entry?.dialect === 'v1' ? V1 : V3;
    const path = isList ? `${V3}?limit=5` : `${base}/${entry.id}`;
    return await withRetry(path, async () => {
      const answer = await answerTo(isList ? 'list' : 'get', path, () => ask('GET', path));
      book.count(isList ? 'list' : 'get', answer);
      if (!isList && answer?.status === 404 && book.get(entry.name)?.fate === 'there') {
        book.contradictions.push(`${entry.name} was acknowledged, and a GET of it is a 404`);
      }
      return answer;
    });
  }

  /** What is there already is theirs to read and delete as well, each thing one client's. */
  const inherited = [...book.entries.values()].filter(({ fate }) => fate === 'there');

  async function client(_: unknown, number: number): Promise<void> {
    const own = inherited.filter((_entry, i) => i % options.clients === number).map(({ name }) => name);
    let isThere = true;
    while (!isStopped && (isThere || isPersistent)) {
      const turn = chance.next();
      // Under a new name: the first may be taken by the very upload whose answer was lost.
      if (turn < 0.62) isThere = await withRetry('upload', () => upload(own));
      else if (turn < 0.66) isThere = await cut().catch(() => false);
      else if (turn < 0.9 && own.length > 0) isThere = await remove(own);
      else isThere = await read(own);
    }
  }

  const running = Promise.all(Array.from({ length: options.clients }, client));
  return {
    /** Resolves when every client has its last answer. */
    async stop(): Promise<void> {
      isStopped = true;
      await running;
      ask.close();
    },
    ended: running,
  };
}

/** Uploads one good recording. */
export async function uploadOne(
  ask: Ask,
  book: Book,
  chance: Chance,
  dialect: Dialect = 'v3',
): Promise<{ readonly name: string; readonly answer: Answer | undefined }> {
  const name = newName();
  const content = freshAudio(chance);
  book.uploading(name, dialect, content);
  const answer = await ask
    .upload(dialect === 'v1' ? V1 : V3, formOf(dialect, name, content))
    .catch(() => undefined);
  book.uploaded(name, answer);
  return { name, answer };
}
