import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { multipart, type Part } from '../support/multipart.ts';
import { TOKEN } from './service.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** From the call to the end of the answer, ms. */
  readonly ms: number;
}

export type Ask = ReturnType<typeof createAsk>;

/** Longer than any answer may take, so that a late one is seen as late and a lost one ends, ms. */
const PATIENCE = 60_000;

/** Asks a service over kept-alive connections. Rejects when no whole answer comes. */
export function createAsk(base: string) {
  const agent = new Agent({ keepAlive: true });
  const ask = (
    method: string,
    path: string,
    options: { readonly headers?: Readonly<Record<string, string>>; readonly body?: Buffer } = {},
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const since = performance.now();
      const headers = {
        authorization: `Bearer ${TOKEN}`,
        ...(options.body !== undefined && { 'content-length': String(options.body.byteLength) }),
        ...options.headers,
      };
      const asking = request(base + path, { method, agent, headers, timeout: PATIENCE }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
            ms: Math.round(performance.now() - since),
          }),
        );
      });
      asking.on('timeout', () => asking.destroy(new Error('no answer')));
      asking.on('error', reject);
      asking.end(options.body);
    });
  return Object.assign(ask, {
    upload: (path: string, parts: readonly Part[]) => {
      const { body, contentType } = multipart(parts);
      return ask('POST', path, { body, headers: { 'content-type': contentType } });
    },
    close: () => agent.destroy(),
  });
}

export const V3 = '/v3/media-prompts';
export const V1 = '/api/v1/media';

/** A form as the dialect wants it. In v1 a prompt takes the name of its file. */
export function formOf(dialect: 'v3' | 'v1', name: string, content: Buffer): Part[] {
  const type = 'audio/wav';
  if (dialect === 'v1') return [{ name: 'File', filename: name, type, content }];
  return [
    { name: 'file', filename: 'a.wav', type, content },
    { name: 'name', content: name },
    { name: 'message_type', content: 'prompt' },
  ];
}

/** What is wrong with a refusal for want of database or disk: its shape, its words, its headers. */
export function faultsOfRefusal(path: string, { status, headers, body }: Answer): string[] {
  const isV1 = path.startsWith(V1);
  const faults: string[] = [];
  const type = isV1 ? 'application/problem+json' : 'application/json';
  if (!(headers['content-type'] ?? '').startsWith(type)) faults.push(`type ${headers['content-type']}`);
  if (status === 503 && !/^\d+$/.test(headers['retry-after'] ?? '')) faults.push('no Retry-After');
  if (headers['x-request-id'] === undefined) faults.push('no x-request-id');
  const said = parse(body);
  const told = isV1 ? said['status'] : said['code'];
  if (told !== status) faults.push(`says ${String(told)}`);
  const message = String(isV1 ? said['detail'] : said['message']);
  if (!/^[A-Z].*\.$/.test(message)) faults.push(`message ${message}`);
  if (/\/|select |insert |update |delete from|ECONN|ENO|postgres|\bat /i.test(message)) {
    faults.push(`tells of our insides: ${message}`);
  }
  return faults.map((fault) => `${status} at ${path}: ${fault}`);
}

/** A JSON body; an empty object when it is none. */
export function parse(body: Buffer): Record<string, unknown> {
  try {
    return JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  } catch {
    return {};
  }
}
