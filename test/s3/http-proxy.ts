import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** What becomes of a request to the store. */
export type Fate =
  | 'pass'
  /** Answered by nobody, and kept from the store. */
  | 'hold'
  /** The connection is cut before anything comes to the store. */
  | 'cut'
  /** The store gets half of the body; then both connections are cut. */
  | 'cut-body'
  /** The store carries it out; the connection is cut instead of its answer. */
  | 'lose-answer'
  /** The client gets half of what the answer holds; then both connections are cut. */
  | 'cut-answer'
  /** It waits until `land`, and is carried out then, whether or not anybody still waits for the answer. */
  | 'late'
  /** The store says that it is too busy. */
  | 'slow-down'
  /** The store says that the quota is used up, as Ceph does. */
  | 'over-quota';

/** A request on its way. */
export interface Passing {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
}

/** Between the service and its object store: decides about every request. */
export interface HttpProxy {
  readonly endpoint: string;
  /** Every request that came, in order. */
  readonly seen: readonly Passing[];
  /** Answers that are being handed on now. */
  answering(): number;
  /** From now on each request meets the fate that this tells; by default all pass. */
  decide(fate: (request: Passing) => Fate): void;
  /** Lets go of what is late, and resolves when the store has carried it out. */
  land(): Promise<void>;
}

const REFUSALS = {
  'slow-down': { status: 503, code: 'SlowDown' },
  'over-quota': { status: 403, code: 'QuotaExceeded' },
} as const;

function refuse(response: ServerResponse, fate: keyof typeof REFUSALS): void {
  const { status, code } = REFUSALS[fate];
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
}

/** Starts a proxy before the store at `target`; it ends with the test. */
export async function startHttpProxy(target: string): Promise<HttpProxy> {
  const { hostname, port } = new URL(target);
  const seen: Passing[] = [];
  const late: (() => Promise<void>)[] = [];
  let decide: (request: Passing) => Fate = () => 'pass';
  let answering = 0;

  /** Sends a request on as it came; its signature is over the host that the client named. */
  function forward({ method = '', url = '', headers }: IncomingMessage) {
    const { expect: _expect, ...lines } = headers;
    return request({ host: hostname, port, method, path: url, headers: lines, agent: false });
  }

  function pass(incoming: IncomingMessage, response: ServerResponse, fate: Fate): void {
    const outgoing = forward(incoming);
    const sever = () => {
      outgoing.destroy();
      incoming.socket.destroy();
    };
    outgoing.on('error', sever);
    response.on('close', () => outgoing.destroy());
    const half = Number(incoming.headers['content-length'] ?? 0) / 2;
    let sent = 0;
    incoming.on('data', (chunk: Buffer) => {
      if (fate === 'cut-body' && sent + chunk.byteLength > half) {
        outgoing.write(chunk.subarray(0, Math.max(half - sent, 0)), sever);
        incoming.removeAllListeners('data').resume();
        return;
      }
      sent += chunk.byteLength;
      if (outgoing.write(chunk)) return;
      incoming.pause();
      outgoing.once('drain', () => incoming.resume());
    });
    incoming.on('end', () => outgoing.end());
    outgoing.on('response', (answer) => {
      if (fate === 'lose-answer') {
        answer.resume().on('end', sever);
        return;
      }
      answering += 1;
      response.on('close', () => {
        answering -= 1;
      });
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      if (fate === 'cut-answer') handOnHalf(answer, response, sever);
      else answer.pipe(response);
    });
  }

  async function keep(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(incoming, 'end');
    late.push(async () => {
      const outgoing = forward(incoming);
      outgoing.end(Buffer.concat(chunks));
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
      answer.resume();
      await once(answer, 'end');
      response.destroy();
    });
  }

  const server = createServer((incoming, response) => {
    const { method = '', url: path = '', headers } = incoming;
    const passing = { method, path, range: headers.range };
    seen.push(passing);
    const fate = decide(passing);
    incoming.on('error', () => undefined);
    switch (fate) {
      case 'hold':
        incoming.resume();
        break;
      case 'cut':
        incoming.socket.destroy();
        break;
      case 'slow-down':
      case 'over-quota':
        incoming.resume();
        refuse(response, fate);
        break;
      case 'late':
        void keep(incoming, response);
        break;
      default:
        pass(incoming, response, fate);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });

  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    answering: () => answering,
    decide(fate) {
      decide = fate;
    },
    async land() {
      for (const finish of late.splice(0)) await finish();
    },
  };
}

function handOnHalf(answer: IncomingMessage, response: ServerResponse, sever: () => void): void {
  const half = Math.floor(Number(answer.headers['content-length'] ?? 0) / 2);
  let sent = 0;
  answer.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(0, half - sent);
    sent += part.byteLength;
    if (sent < half) response.write(part);
    else response.write(part, sever);
  });
  answer.on('end', () => {
    if (sent < half) sever();
  });
}

/** Is it about a recording, and not about the mark or the list? */
export const isOfAudio = ({ path }: Passing): boolean => /\/call-flow-recordings\/[^?]/.test(path);

/** Meets so many requests of a method that are about audio with a fate, then lets all pass. */
export function first(times: number, method: string, fate: Fate): (request: Passing) => Fate {
  let left = times;
  return (request) => {
    if (request.method !== method || !isOfAudio(request) || left === 0) return 'pass';
    left -= 1;
    return fate;
  };
}
