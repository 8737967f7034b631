import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { fixture, multipart, promptForm } from './multipart.ts';
import { type TestService, token } from './service.ts';

/** An upload on a connection of its own, to be sent piece by piece. */
export interface RawUpload {
  readonly socket: Socket;
  /** What is to be sent after the header. */
  readonly body: Buffer;
  /** All that the service says until it closes the connection. */
  readonly answer: Promise<string>;
}

/** Connects and sends the header alone. */
export async function openUpload(
  service: Pick<TestService, 'base'>,
  name: string,
  options: {
    readonly token?: string;
    readonly headers?: readonly string[];
    /** Bytes of silence behind the audio. */
    readonly padding?: number;
    readonly path?: string;
    /** Instead of the form's own. */
    readonly contentType?: string;
  } = {},
): Promise<RawUpload> {
  const audio = Buffer.concat([fixture('tone.wav'), Buffer.alloc(options.padding ?? 0)]);
  const [first, ...fields] = promptForm(name);
  const { body, contentType } = multipart([{ ...first, name: 'file', content: audio }, ...fields]);
  const socket = await openConnection(service);
  const answer = textOf(socket).catch((error: unknown) => String(error));
  socket.write(
    [
      `POST ${options.path ?? '/v3/media-prompts'} HTTP/1.1`,
      'Host: prompts.example',
      `Authorization: Bearer ${options.token ?? token()}`,
      `Content-Type: ${options.contentType ?? contentType}`,
      `Content-Length: ${body.byteLength}`,
      'Connection: close',
      ...(options.headers ?? []),
      '',
      '',
    ].join('\r\n'),
  );
  return { socket, body, answer };
}

/** A connection that is destroyed with the test. */
export async function openConnection(service: Pick<TestService, 'base'>): Promise<Socket> {
  const { hostname, port } = new URL(service.base);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** The status of the last answer on a connection; what came before it were interim ones. */
export const statusOf = (answer: string): number =>
  Number(
    answer
      .match(/HTTP\/1\.1 (\d{3})/g)
      ?.at(-1)
      ?.slice(-3),
  );

export const jsonOf = (answer: string): Record<string, unknown> =>
  JSON.parse(answer.slice(answer.lastIndexOf('\r\n\r\n') + 4)) as Record<string, unknown>;

/** A figure of /metrics by its whole name, labels included. */
export async function figure(service: Pick<TestService, 'base'>, name: string): Promise<number> {
  const text = await (await fetch(`${service.base}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1),
  );
}

/** How many uploads run, run aside for being slow, and wait, as /metrics tells. */
export async function uploadsOf(service: Pick<TestService, 'base'>) {
  return {
    running: await figure(service, 'media_prompts_uploads{state="running"}'),
    slow: await figure(service, 'media_prompts_uploads{state="slow"}'),
    waiting: await figure(service, 'media_prompts_uploads{state="waiting"}'),
  };
}
