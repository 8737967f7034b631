import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { multipart, promptForm } from '../support/multipart.ts';
import type { ServiceProcess } from './service-process.ts';

/** An upload that has sent all but its last byte. */
export function almostDone(service: ServiceProcess, token: string) {
  const { body, contentType } = multipart(promptForm(randomUUID()));
  const { hostname, port } = new URL(service.base);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text;
  });
  const closed = new Promise<string>((resolve) => {
    socket.on('error', () => undefined).on('close', () => resolve(answer));
  });
  socket.write(
    `POST /v3/media-prompts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Type: ${contentType}\r\nContent-Length: ${body.byteLength}\r\n\r\n`,
  );
  socket.write(body.subarray(0, -1));
  // Its ledger row and its file are there once the service took the upload in hand.
  return { finish: () => socket.write(body.subarray(-1)), closed };
}
