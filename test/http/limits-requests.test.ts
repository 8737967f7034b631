import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { describe, expect, onTestFinished } from 'vitest';
import { jsonOf, openConnection, statusOf } from '../support/raw-upload.ts';
import { startService, test, token } from '../support/service.ts';

const ID = '0190b6a0-0000-7000-8000-000000000000';

const head = (line: string, ...headers: readonly string[]) =>
  [`${line} HTTP/1.1`, 'Host: prompts.example', 'Connection: close', ...headers, '', ''].join('\r\n');

const manyHeaders = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: a`);

describe('a request with too many headers', () => {
  for (const [path, type] of [
    ['/v3/media-prompts', 'application/json; charset=utf-8'],
    ['/api/v1/media', 'application/problem+json'],
  ] as const) {
    test(`is a 431 in the shape of its dialect: ${path}`, async ({ service }) => {
      const ask = async (count: number) => {
        const socket = await openConnection(service);
        const answer = textOf(socket);
        socket.write(head(`GET ${path}`, `Authorization: Bearer ${token()}`, ...manyHeaders(count)));
        return await answer;
      };
      expect(statusOf(await ask(190))).toBe(200);
      const refused = await ask(300);
      expect(statusOf(refused)).toBe(431);
      expect(refused).toContain(`content-type: ${type}\r\n`);
    });

    test(`is a 431 there when they have too many bytes: ${path}`, async ({ service }) => {
      const socket = await openConnection(service);
      const answer = textOf(socket);
      socket.write(head(`GET ${path}?x=1`, `X-Long: ${'a'.repeat(20_000)}`));
      const refused = await answer;
      expect(statusOf(refused)).toBe(431);
      expect(refused).toContain(`Content-Type: ${type}\r\n`);
      const about = type.includes('problem') ? { status: 431, instance: path } : { code: 431 };
      expect(jsonOf(refused)).toMatchObject(about);
    });
  }
});

describe('a JSON body', () => {
  test('may have as many bytes as MAX_JSON_BYTES says, and not one more', async () => {
    const service = await startService({ MAX_JSON_BYTES: '1000' });
    onTestFinished(() => service.close());
    const patch = (bytes: number) =>
      service.call('PATCH', `/api/v1/media/${ID}`, {
        body: JSON.stringify({ description: 'x' }).padEnd(bytes, ' '),
        headers: { 'content-type': 'application/json' },
      });
    expect((await patch(1000)).status).toBe(404);
    const { status, body } = await patch(1001);
    expect(status).toBe(413);
    expect(body).toMatchObject({ status: 413, instance: `/api/v1/media/${ID}` });
  });

  test('is bounded by what comes, too, when it does not say how much that is', async ({ service }) => {
    const socket = await openConnection(service);
    const answer = textOf(socket);
    socket.write(
      head(
        `PATCH /api/v1/media/${ID}`,
        `Authorization: Bearer ${token()}`,
        'Content-Type: application/json',
        'Transfer-Encoding: chunked',
      ),
    );
    socket.write(`11170\r\n${' '.repeat(0x11170)}\r\n0\r\n\r\n`);
    expect(statusOf(await answer)).toBe(413);
  });
});

test('a connection beyond MAX_CONNECTIONS is closed unheard, and the others are served', async () => {
  const service = await startService({ MAX_CONNECTIONS: '3' });
  onTestFinished(() => service.close());
  const served: Socket[] = [];
  for (let i = 0; i < 3; i += 1) served.push(await openConnection(service));
  const beyond = await openConnection(service);
  expect(await textOf(beyond).catch(() => '')).toBe('');
  for (const socket of served) {
    const answer = textOf(socket);
    socket.write(head('GET /healthz'));
    expect(statusOf(await answer)).toBe(200);
  }
  const freed = await openConnection(service);
  freed.write(head('GET /healthz'));
  const [answer] = (await once(freed, 'data')) as [Buffer];
  expect(statusOf(answer.toString())).toBe(200);
});

test('connections that are idle give way to those that come', async () => {
  const service = await startService({ MAX_CONNECTIONS: '3' });
  onTestFinished(() => service.close());
  const ask = async () => {
    const socket = await openConnection(service);
    const heard = once(socket, 'data').catch(() => []) as Promise<Buffer[]>;
    socket.write('GET /healthz HTTP/1.1\r\nHost: prompts.example\r\n\r\n');
    const [answer] = await Promise.race([heard, once(socket, 'close').then(() => [])]);
    return answer === undefined ? undefined : statusOf(answer.toString());
  };
  for (let i = 0; i < 3; i += 1) expect(await ask()).toBe(200);
  await expect.poll(ask).toBe(200);
});

test('a client that is still sending a refused body can send on and read why, on the last request of a connection', async ({
  service,
}) => {
  const { hostname, port } = new URL(service.base);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  const body = Buffer.alloc(100_000_000);
  socket.write(
    head(
      'POST /v3/media-prompts',
      `Authorization: Bearer ${token()}`,
      'Content-Type: multipart/form-data; boundary=b',
      `Content-Length: ${body.byteLength}`,
    ),
  );
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(statusOf(answer.toString())).toBe(400);
  await once(socket.resume(), 'end');
  // More than all buffers between the two take in: a connection that was reset fails to send it.
  await once(socket.end(body), 'finish');
});
