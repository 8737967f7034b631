import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';

/** One answer, read from the bytes of the connection and not by an HTTP library. */
export interface WireAnswer {
  readonly status: number;
  /** Names in lower case; of a name that comes twice, the last. */
  readonly headers: Readonly<Record<string, string>>;
  /** The header lines as they came. */
  readonly lines: readonly string[];
  readonly body: Buffer;
}

/** No answer takes longer than this, ms; one that does is a hang. */
export const DEADLINE = 10_000;

/** A connection that says what it is told, byte for byte. */
export interface Connection {
  readonly send: (bytes: Uint8Array | string) => void;
  /** Sends as fast as the other side reads; ends early when it closes. */
  readonly stream: (chunks: Iterable<Uint8Array>) => Promise<void>;
  /** The next answer; undefined when the connection ended before one was whole. Rejects after the deadline. */
  readonly answer: (method?: string) => Promise<WireAnswer | undefined>;
  /** What came and was not taken as an answer. */
  readonly leftover: () => Buffer;
  /** Resolves when the other side has closed. Rejects after the deadline. */
  readonly closed: () => Promise<void>;
  readonly isOpen: () => boolean;
  /** Says that nothing more will be sent, and goes on reading. */
  readonly finish: () => void;
  /** Cuts the connection off with RST. */
  readonly reset: () => void;
  readonly close: () => void;
}

export async function open(base: string): Promise<Connection> {
  const { hostname, port } = new URL(base);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true });
  let received: Buffer = Buffer.alloc(0);
  let isOpen = true;
  let news = Promise.withResolvers<void>();
  const tell = () => {
    news.resolve();
    news = Promise.withResolvers();
  };
  const ended = () => {
    isOpen = false;
    tell();
  };
  socket.on('data', (chunk: Buffer) => {
    received = received.byteLength === 0 ? chunk : Buffer.concat([received, chunk]);
    tell();
  });
  socket.on('drain', tell).on('error', ended).on('end', ended).on('close', ended);
  await once(socket, 'connect');

  /** Waits until `found` finds something or the other side has ended. */
  async function until<T>(found: () => T | undefined): Promise<T | undefined> {
    const deadline = new AbortController();
    const hang = after(DEADLINE, 'hang', { signal: deadline.signal }).catch(() => 'off');
    try {
      for (;;) {
        const next = news.promise;
        const what = found();
        if (what !== undefined || !isOpen) return what;
        if ((await Promise.race([next, hang])) === 'hang') throw new Error(`silent for ${DEADLINE} ms`);
      }
    } finally {
      deadline.abort();
    }
  }

  return {
    send: (bytes) => void (socket.writable && socket.write(bytes)),
    async stream(chunks) {
      for (const chunk of chunks) {
        if (!socket.writable || !isOpen) return;
        if (!socket.write(chunk)) {
          await until(() => (socket.writableNeedDrain ? undefined : true));
        }
      }
    },
    answer: (method = 'GET') =>
      until(() => {
        const taken = takeAnswer(received, method, isOpen);
        if (taken !== undefined) received = taken.rest;
        return taken?.answer;
      }),
    leftover: () => received,
    async closed() {
      await until(() => undefined);
    },
    isOpen: () => isOpen && !socket.destroyed,
    finish: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
    close: () => void socket.destroy(),
  };
}

const HEAD_END = Buffer.from('\r\n\r\n');

function takeAnswer(
  received: Buffer,
  method: string,
  isOpen: boolean,
): { readonly answer: WireAnswer; readonly rest: Buffer } | undefined {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const [start = '', ...lines] = received.subarray(0, headEnd).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(start)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw new Error(`no answer begins so: ${JSON.stringify(start.slice(0, 200))}`);
  const headers = Object.fromEntries(lines.map(headerOf));
  const isBodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304;
  const length = isBodiless ? 0 : Number(headers['content-length'] ?? Number.NaN);
  const end = headEnd + HEAD_END.byteLength + (Number.isNaN(length) ? 0 : length);
  const isWhole = Number.isNaN(length) ? !isOpen : received.byteLength >= end;
  if (!isWhole) return undefined;
  const body = received.subarray(headEnd + HEAD_END.byteLength, Number.isNaN(length) ? undefined : end);
  return {
    answer: { status, headers, lines, body },
    rest: Number.isNaN(length) ? Buffer.alloc(0) : received.subarray(end),
  };
}

function headerOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw new Error(`no header: ${JSON.stringify(line.slice(0, 200))}`);
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

/** A request of which nothing is escaped or corrected. Strings are written as UTF-8. */
export interface WireRequest {
  readonly method: string;
  /** Everything between the method and the protocol. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** The bytes of a request with a Host and the length of its body. */
export function bytesOf({ method, target, headers = {}, body }: WireRequest): Buffer {
  const content = Buffer.from(body ?? '');
  const lines = [
    `${method} ${target} HTTP/1.1`,
    'Host: prompts.example',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`Content-Length: ${content.byteLength}`]),
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), content]);
}
