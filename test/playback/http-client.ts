import { once } from 'node:events';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** As they came, `Name: value`. */
  readonly lines: readonly string[];
  readonly body: Buffer;
}

export type Client = ReturnType<typeof createClient>;

/**
 * Asks as engines do: kept-alive connections, the headers that are given and no others, no redirect followed,
 * nothing decoded. It rejects when the body is not as long as was said.
 */
export function createClient(base: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  return {
    base,
    ask: (method: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> =>
      new Promise((resolve, reject) => {
        const asking = request(base + path, { method, agent, headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const { rawHeaders } = response;
            const lines = rawHeaders.flatMap((name, i) =>
              i % 2 === 0 ? [`${name}: ${rawHeaders[i + 1]}`] : [],
            );
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              lines,
              body: Buffer.concat(chunks),
            });
          });
        });
        asking.on('error', reject);
        asking.end();
      }),
    close: () => agent.destroy(),
  };
}

/** A connection on which a GET of `path` was sent; what comes back is left to the caller. */
export async function sendGet(base: string, path: string, headers: readonly string[] = []): Promise<Socket> {
  const { hostname, port } = new URL(base);
  const socket = connect(Number(port), hostname);
  // Nothing is read from the kernel until somebody wants it.
  socket.pause();
  await once(socket, 'connect');
  socket.write([`GET ${path} HTTP/1.1`, `Host: ${hostname}:${port}`, ...headers, '', ''].join('\r\n'));
  return socket;
}

/** Every byte that answers one request, up to the end of the connection. */
export async function wire(base: string, lines: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(base);
  const socket = connect(Number(port), hostname);
  const [first, ...others] = lines;
  socket.write([first, `Host: ${hostname}:${port}`, ...others, 'Connection: close', '', ''].join('\r\n'));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

/** Headers that tell of the recording and not of this one answer. */
export function lasting(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const {
    date: _date,
    connection: _connection,
    'keep-alive': _keepAlive,
    'x-request-id': _id,
    ...others
  } = headers;
  return others;
}
