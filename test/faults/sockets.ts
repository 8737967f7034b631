import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { multipart, type Part } from '../support/multipart.ts';
import { V3 } from './http.ts';
import { TOKEN } from './service.ts';

/** An upload of which the test sends as much as it likes, when it likes. */
export interface SlowUpload {
  readonly socket: Socket;
  readonly body: Buffer;
  /** All that came back, once the connection is closed. */
  readonly answer: Promise<string>;
}

/** Connects and sends the head of an upload, and nothing of its body yet. */
export async function beginUpload(base: string, parts: readonly Part[]): Promise<SlowUpload> {
  const { hostname, port } = new URL(base);
  const { body, contentType } = multipart(parts);
  const socket = connect(Number(port), hostname);
  let received = '';
  const answer = new Promise<string>((resolve) => {
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
    });
    socket.on('error', () => undefined).on('close', () => resolve(received));
  });
  await once(socket, 'connect');
  socket.write(
    [
      `POST ${V3} HTTP/1.1`,
      `Host: ${hostname}:${port}`,
      `Authorization: Bearer ${TOKEN}`,
      `Content-Type: ${contentType}`,
      `Content-Length: ${body.byteLength}`,
      'Connection: close',
      '',
      '',
    ].join('\r\n'),
  );
  return { socket, body, answer };
}

/** Sends a part of an upload, never all of it, and resets the connection. Rejects when nobody listens. */
export async function cutUpload(base: string, parts: readonly Part[], part: number): Promise<void> {
  const { socket, body } = await beginUpload(base, parts);
  const length = Math.floor((body.byteLength - 1) * part);
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.write(body.subarray(0, length), () => socket.resetAndDestroy());
  });
}

export const statusIn = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0);
