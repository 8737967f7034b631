import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, onTestFinished } from 'vitest';
import { file, fixture, multipart, promptForm, text } from '../support/multipart.ts';
import { type Envelope, startService, type TestService, test, token } from '../support/service.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const FAILED = ['code', 'message', 'data', 'request_id', 'timestamp'];

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** A connection that says what it is told, byte for byte, and reads answers one by one. */
async function open(service: TestService) {
  const { hostname, port } = new URL(service.base);
  const socket = connect({ host: hostname, port: Number(port) });
  let received = Buffer.alloc(0);
  let isClosed = false;
  let fault: Error | undefined;
  let arrived = Promise.withResolvers<void>();
  const wake = () => {
    arrived.resolve();
    arrived = Promise.withResolvers();
  };
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  socket.on('error', (error) => {
    fault = error;
  });
  socket.on('close', () => {
    isClosed = true;
    wake();
  });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');

  function take(method: string): RawAnswer | undefined {
    const headEnd = received.indexOf('\r\n\r\n');
    if (headEnd < 0) return undefined;
    const [start = '', ...lines] = received.subarray(0, headEnd).toString('latin1').split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]),
    );
    const status = Number(start.split(' ')[1]);
    const length = method === 'HEAD' || status < 200 ? 0 : Number(headers['content-length']);
    const end = headEnd + 4 + length;
    if (received.byteLength < end) return undefined;
    const answer = { status, headers, text: received.subarray(headEnd + 4, end).toString() };
    received = received.subarray(end);
    return answer;
  }

  return {
    socket,
    send: (data: string | Buffer) => void socket.write(data, 'latin1'),
    async answer(method = 'GET'): Promise<RawAnswer> {
      for (;;) {
        const answer = take(method);
        if (answer !== undefined) return answer;
        if (isClosed) throw new Error('the connection closed without an answer', { cause: fault });
        await arrived.promise;
      }
    },
    /** What came after the last answer, once the connection is closed. */
    async rest(): Promise<string> {
      while (!isClosed) await arrived.promise;
      return received.toString();
    },
  };
}

async function exchange(service: TestService, request: string | Buffer, method = 'GET'): Promise<RawAnswer> {
  const connection = await open(service);
  connection.send(request);
  return await connection.answer(method);
}

const envelopeOf = (answer: RawAnswer) => JSON.parse(answer.text) as Envelope;

function expectFailure(answer: RawAnswer, status: number): Envelope {
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  const body = envelopeOf(answer);
  expect(Object.keys(body).filter((member) => member !== 'errors')).toEqual(FAILED);
  expect(body).toMatchObject({ code: status, data: null });
  expect(body.message).toMatch(/^[A-Z].*\.$/);
  expect(answer.headers['x-request-id']).toMatch(UUID);
  expect(answer.headers['x-request-id']).toBe(body.request_id);
  return body;
}

const request = (line: string, ...headers: readonly string[]) =>
  `${[`${line} HTTP/1.1`, 'Host: prompts.example', ...headers].join('\r\n')}\r\n\r\n`;
const authorized = () => `Authorization: Bearer ${token()}`;

describe('a request that is none', () => {
  const cases: readonly (readonly [string, string | Buffer, number])[] = [
    ['a line without a protocol', 'hello\r\n\r\n', 400],
    ['a line of one space', ' \r\n\r\n', 400],
    ['bytes of TLS', Buffer.from('16030100750100007103035375f1ad', 'hex'), 400],
    ['bytes of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['NUL bytes', Buffer.alloc(100), 400],
    ['an unknown protocol', 'GET / FTP/1.1\r\n\r\n', 400],
    ['a method that nobody knows', 'FROBNICATE / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['no Host', 'GET /v3/media-prompts HTTP/1.1\r\n\r\n', 400],
    ['a header without a colon', request('GET /v3/media-prompts', 'hello'), 400],
    ['a header with a space before its colon', request('GET /v3/media-prompts', 'X-A : b'), 400],
    ['a header of NUL', request('GET /v3/media-prompts', 'X-A: a\0b'), 400],
    ['a folded header', request('GET /v3/media-prompts', 'X-A: a', ' b\x01'), 400],
    ['a Content-Length that is no number', request('POST /v3/media-prompts', 'Content-Length: ten'), 400],
    ['a negative Content-Length', request('POST /v3/media-prompts', 'Content-Length: -1'), 400],
    ['two Content-Lengths', request('POST /v3/media-prompts', 'Content-Length: 1', 'Content-Length: 2'), 400],
    [
      'Content-Length and Transfer-Encoding',
      request('POST /v3/media-prompts', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
      400,
    ],
    ['an unknown Transfer-Encoding', request('POST /v3/media-prompts', 'Transfer-Encoding: rot13'), 400],
    ['a header of 20 kB', request('GET /v3/media-prompts', `X-A: ${'a'.repeat(20_000)}`), 431],
    [
      'headers of 1 MB',
      request('GET /v3/media-prompts', ...Array<string>(10_000).fill(`X-A: ${'a'.repeat(100)}`)),
      431,
    ],
    ['a url of 20 kB', request(`GET /v3/media-prompts?name=${'a'.repeat(20_000)}`), 431],
    ['an Expect that we do not know', request('POST /v3/media-prompts', 'Expect: the-worst'), 417],
  ];
  for (const [what, bytes, status] of cases) {
    test(`is answered ${status} in the envelope: ${what}`, async ({ service }) => {
      expectFailure(await exchange(service, bytes), status);
      expect((await service.get('/healthz')).status).toBe(200);
    });
  }

  test('in the midst of an upload is answered once, and leaves nothing', async ({ service }) => {
    const before = await service.files();
    const connection = await open(service);
    const { body, contentType } = multipart(promptForm('Broken chunk'));
    connection.send(
      request(
        'POST /v3/media-prompts',
        authorized(),
        `Content-Type: ${contentType}`,
        'Transfer-Encoding: chunked',
      ),
    );
    connection.send(`${(1000).toString(16)}\r\n`);
    connection.send(body.subarray(0, 1000));
    connection.send('\r\nnot a length\r\n');
    expectFailure(await connection.answer(), 400);
    expect(await connection.rest()).toBe('');
    await expect.poll(() => service.files()).toEqual(before);
    await expect.poll(() => service.rows("select name from blobs where state <> 'kept'")).toEqual([]);
  });
});

describe('a path', () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ['that does not exist', 'GET /nothing', 404],
    ['that is the root', 'GET /', 404],
    ['that does not exist in the dialect', 'GET /v3/nothing', 404],
    ['that is the dialect itself', 'GET /v3', 404],
    ['below a prompt that is none', 'GET /v3/media-prompts/1/nothing', 404],
    ['that leads up', 'GET /v3/../../etc/passwd', 404],
    ['that leads up, encoded', 'GET /uploads/call-flow-recordings/..%2f..%2fetc%2fpasswd', 404],
    ['that leads up, encoded twice', 'GET /uploads/call-flow-recordings/%252e%252e%252fpasswd', 404],
    ['of a folder', 'GET /uploads/call-flow-recordings/', 404],
    ['with NUL', 'GET /uploads/call-flow-recordings/a%00.wav', 404],
    ['with a broken escape', 'GET /%zz', 400],
    ['with a broken escape in the dialect', 'GET /v3/media-prompts/%zz', 400],
    ['with an escape that is cut off', 'GET /v3/media-prompts/%', 400],
    ['with bytes that are no UTF-8', 'GET /uploads/call-flow-recordings/%ff.wav', 400],
    ['with a file of 10 000 characters', `GET /uploads/call-flow-recordings/${'a'.repeat(10_000)}.wav`, 404],
    ['of 10 000 characters that does not exist', `GET /${'a/'.repeat(5000)}`, 404],
    ['that a known method does not fit', 'PUT /nothing', 404],
  ];
  for (const [what, line, status] of cases) {
    test(`${what} is answered ${status} in the envelope`, async ({ service }) => {
      expectFailure(await exchange(service, request(line, authorized())), status);
      expect((await service.get('/healthz')).status).toBe(200);
    });
  }

  test('in the dialect is unknown only to those with a token', async ({ service }) => {
    const answer = await exchange(service, request('GET /v3/nothing'));
    expectFailure(answer, 401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });
});

describe('a request without a body or its length', () => {
  const targets = [
    ['POST', '/v3/media-prompts', 'multipart/form-data; boundary=b', 400],
    ['POST', '/v3/media-prompts', 'application/json', 400],
    ['DELETE', '/v3/media-prompts/1', 'application/json', 404],
    ['POST', '/api/v1/media', 'multipart/form-data; boundary=b', 400],
    ['POST', '/api/v1/media', 'application/json', 415],
    ['PATCH', '/api/v1/media/0190b6a0-0000-7000-8000-000000000000', 'application/json', 400],
    ['DELETE', '/api/v1/media/0190b6a0-0000-7000-8000-000000000000', 'application/json', 404],
    ['PUT', '/api/v1/media', 'application/json', 405],
  ] as const;
  for (const [method, path, type, status] of targets) {
    test(`is answered ${status} whatever it says of its type: ${method} ${path} ${type}`, async ({
      service,
    }) => {
      const connection = await open(service);
      for (let time = 0; time < 2; time += 1) {
        connection.send(request(`${method} ${path}`, authorized(), `Content-Type: ${type}`));
        expect((await connection.answer(method)).status).toBe(status);
      }
    });
  }
});

describe('an HTTP/1.0 client', () => {
  test('needs no Host, and its connection is closed', async ({ service }) => {
    const connection = await open(service);
    connection.send('GET /nothing HTTP/1.0\r\n\r\n');
    expectFailure(await connection.answer(), 404);
    expect(await connection.rest()).toBe('');
  });

  test('gets its list', async ({ service }) => {
    const answer = await exchange(service, `GET /v3/media-prompts HTTP/1.0\r\n${authorized()}\r\n\r\n`);
    expect(answer.status).toBe(200);
    expect(envelopeOf(answer)).toMatchObject({ code: 200 });
  });
});

describe('a method', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['PUT /v3/media-prompts', 'GET, HEAD, POST'],
    ['DELETE /v3/media-prompts', 'GET, HEAD, POST'],
    ['OPTIONS /v3/media-prompts', 'GET, HEAD, POST'],
    ['TRACE /v3/media-prompts', 'GET, HEAD, POST'],
    ['POST /v3/media-prompts/list', 'GET, HEAD'],
    ['POST /v3/media-prompts/1', 'GET, HEAD, DELETE'],
    ['PATCH /v3/media-prompts/1', 'GET, HEAD, DELETE'],
    ['POST /uploads/call-flow-recordings/a.wav', 'GET, HEAD'],
    ['DELETE /uploads/call-flow-recordings/a.wav', 'GET, HEAD'],
  ];
  for (const [line, allow] of cases) {
    test(`that does not fit is a 405 that names those that do: ${line}`, async ({ service }) => {
      const answer = await exchange(service, request(line, authorized(), 'Content-Length: 0'));
      expectFailure(answer, 405);
      expect(answer.headers['allow']).toBe(allow);
    });
  }

  test('HEAD gives the head of the list and no body', async ({ service }) => {
    const connection = await open(service);
    connection.send(request('HEAD /v3/media-prompts', authorized()));
    const head = await connection.answer('HEAD');
    connection.send(request('GET /v3/media-prompts', authorized()));
    const whole = await connection.answer();
    expect([head.status, whole.status]).toEqual([200, 200]);
    for (const name of ['content-type', 'content-length', 'cache-control']) {
      expect(head.headers[name]).toBe(whole.headers[name]);
    }
  });

  test('HEAD of nothing gives the head of the refusal and no body', async ({ service }) => {
    const connection = await open(service);
    connection.send(request('HEAD /nothing'));
    expect((await connection.answer('HEAD')).status).toBe(404);
    connection.send(request('GET /nothing'));
    expectFailure(await connection.answer(), 404);
  });

  test('behind a request that is being answered does not write into that answer', async () => {
    const service = await startService({ PLAYBACK_CACHE_BYTES: '0', MAX_UPLOAD_BYTES: '30000000' });
    onTestFinished(() => service.close());
    const wav = fixture('tone.wav');
    const long = Buffer.concat([wav, Buffer.alloc(20_000_000)]);
    const { body } = await service.upload([file(long), text('name', 'Long'), text('message_type', 'prompt')]);
    const { hostname, port } = new URL(service.base);
    const socket = connect({ host: hostname, port: Number(port) });
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
    socket.write(request(`GET ${body.data.url}`));
    await once(socket, 'data');
    socket.write('garbage\r\n\r\n');
    await once(socket, 'close');
    const received = Buffer.concat(chunks).toString('latin1');
    expect(received).toMatch(/^HTTP\/1\.1 200 /);
    expect(received.lastIndexOf('HTTP/1.1')).toBe(0);
  });

  test('CONNECT gets no tunnel, and the service goes on', async ({ service }) => {
    const connection = await open(service);
    connection.send(request('CONNECT example.org:443'));
    expect(await connection.rest()).toMatch(/^HTTP\/1\.1 405 /);
    expect((await service.get('/healthz')).status).toBe(200);
  });
});

describe('a CONNECT', () => {
  test('whose client resets at once does not end the service', async () => {
    const service = await startService();
    onTestFinished(() => service.close());
    const faults: unknown[] = [];
    const onFault = (error: unknown) => faults.push(error);
    process.on('uncaughtException', onFault);
    onTestFinished(() => void process.off('uncaughtException', onFault));
    const { hostname, port } = new URL(service.base);
    for (let time = 0; time < 300; time += 1) {
      const socket = connect({ host: hostname, port: Number(port) });
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(request('CONNECT example.org:443'));
      socket.resetAndDestroy();
    }
    expect((await service.get('/healthz')).status).toBe(200);
    expect(faults).toEqual([]);
  });
});

describe('a request ID', () => {
  const given = '7f0c8a52-3f0e-4c5e-9d0a-6b1f0e2d3c4b';

  test('that is a UUID is taken over', async ({ service }) => {
    for (const line of ['GET /nothing', 'GET /v3/nothing', 'GET /%zz', 'GET /healthz']) {
      const answer = await exchange(service, request(line, authorized(), `X-Request-Id: ${given}`));
      expect(answer.headers['x-request-id']).toBe(given);
    }
    const expectation = await exchange(service, request('POST /', 'Expect: x', `X-Request-Id: ${given}`));
    expect(expectFailure(expectation, 417).request_id).toBe(given);
  });

  const others = ['1', '', 'x'.repeat(5000), `${given}x`, `{${given}}`, `${given}, ${given}`, 'a"b\\', '\t'];
  for (const other of others) {
    test(`that is ${JSON.stringify(other).slice(0, 60)} is replaced`, async ({ service }) => {
      const answer = await exchange(service, request('GET /nothing', `X-Request-Id: ${other}`));
      expect(expectFailure(answer, 404).request_id).not.toBe(given);
    });
  }

  test('is new for each request of a connection', async ({ service }) => {
    const connection = await open(service);
    connection.send(request('GET /nothing'));
    const first = expectFailure(await connection.answer(), 404);
    connection.send(request('GET /nothing'));
    const second = expectFailure(await connection.answer(), 404);
    expect(first.request_id).not.toBe(second.request_id);
  });
});

describe('Expect: 100-continue', () => {
  test('is told to go on, and then answered', async ({ service }) => {
    const { body, contentType } = multipart(promptForm('Continued'));
    const connection = await open(service);
    connection.send(
      request(
        'POST /v3/media-prompts',
        authorized(),
        `Content-Type: ${contentType}`,
        `Content-Length: ${body.byteLength}`,
        'Expect: 100-continue',
      ),
    );
    expect((await connection.answer()).status).toBe(100);
    connection.send(body);
    expect((await connection.answer()).status).toBe(201);
  });

  test('is told to go on with JSON, too, where it will be read', async ({ service }) => {
    const connection = await open(service);
    const body = '{"description":"Continued"}';
    connection.send(
      request(
        'PATCH /api/v1/media/0190b6a0-0000-7000-8000-000000000000',
        authorized(),
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
        'Expect: 100-continue',
      ),
    );
    expect((await connection.answer()).status).toBe(100);
    connection.send(body);
    expect((await connection.answer()).status).toBe(404);
  });

  test('is not told to go on with what nobody will read', async ({ service }) => {
    const connection = await open(service);
    connection.send(
      request(
        'POST /v3/media-prompts',
        authorized(),
        'Content-Type: application/json',
        'Content-Length: 2',
        'Expect: 100-continue',
      ),
    );
    const answer = await connection.answer();
    expect(answer.status).toBe(400);
    // Nobody could tell a body that comes after all from the next request.
    expect(answer.headers['connection']).toBe('close');
  });
});

describe('a refusal that comes before the body is over', () => {
  const MEGABYTE = 1024 * 1024;
  const BODY_LENGTH = 5 * MEGABYTE;
  const { body, contentType } = multipart([
    file(Buffer.concat([fixture('tone.wav'), Buffer.alloc(BODY_LENGTH)])),
    text('name', 'Refused'),
    text('message_type', 'prompt'),
  ]);
  const upload = (...headers: readonly string[]) =>
    request('POST /v3/media-prompts', `Content-Length: ${body.byteLength}`, ...headers);
  const form = `Content-Type: ${contentType}`;

  /** Sends the head and then, whatever is answered meanwhile, the whole body bit by bit. */
  async function refuse(service: TestService, head: string, payload = body) {
    const connection = await open(service);
    connection.send(head);
    for (let at = 0; at < payload.byteLength && connection.socket.writable; at += 64 * 1024) {
      if (!connection.socket.write(payload.subarray(at, at + 64 * 1024))) {
        await Promise.race([once(connection.socket, 'drain'), once(connection.socket, 'close')]);
      }
    }
    return { connection, answer: await connection.answer() };
  }

  const cases = [
    ['no token', [form], 401, undefined],
    ['a bad token', [form, 'Authorization: Bearer a.b.c'], 401, undefined],
    [
      'a role that may only read',
      [form, `Authorization: Bearer ${token({ role: 'read_only' })}`],
      403,
      undefined,
    ],
    ['a Content-Type that is no form', ['Content-Type: audio/wav', authorized()], 400, 'required'],
  ] as const;
  for (const [what, headers, status, code] of cases) {
    test(`can be read by a client that sends on: ${what}`, async ({ service }) => {
      const { answer, connection } = await refuse(service, upload(...headers));
      const { errors } = expectFailure(answer, status);
      expect(errors?.[0]?.code).toBe(code);
      // The connection is still good for the next request.
      connection.send(request('GET /v3/media-prompts', authorized()));
      const next = await connection.answer();
      expect(next.status).toBe(200);
      expect(envelopeOf(next)).toMatchObject({ code: 200, message: 'Success' });
    });
  }

  test('can be read by a client that sends on: a file too large by its Content-Length', async () => {
    const service = await startService({ MAX_UPLOAD_BYTES: '1000' });
    onTestFinished(() => service.close());
    const { answer, connection } = await refuse(service, upload(form, authorized()));
    expect(expectFailure(answer, 400).errors).toMatchObject([{ field: 'file', code: 'file_too_large' }]);
    connection.send(request('GET /v3/media-prompts', authorized()));
    expect((await connection.answer()).status).toBe(200);
    expect(await service.files()).toEqual({ published: [], arriving: [] });
  });

  test('can be read by a client that sends on: a file too large by its bytes', async () => {
    const service = await startService({ MAX_UPLOAD_BYTES: '1000' });
    onTestFinished(() => service.close());
    const head = request('POST /v3/media-prompts', form, authorized(), 'Transfer-Encoding: chunked');
    const chunk = [Buffer.from(`${body.byteLength.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')];
    const { answer, connection } = await refuse(service, head, Buffer.concat(chunk));
    expect(expectFailure(answer, 400).errors).toMatchObject([{ field: 'file', code: 'file_too_large' }]);
    connection.send(request('GET /v3/media-prompts', authorized()));
    expect((await connection.answer()).status).toBe(200);
    expect(await service.files()).toEqual({ published: [], arriving: [] });
    expect(await service.rows('select name from blobs')).toEqual([]);
  });
});

describe('the log', () => {
  test('holds no token, no url that plays, no SQL and no name', async () => {
    const service = await startService({ PLAYBACK_CACHE_BYTES: '0' });
    onTestFinished(() => service.close());
    const mine = token();
    const secretive = { token: mine };
    const { body } = await service.upload(promptForm('Whispered name'), secretive);
    const { url, recording_name: recordingName, media_prompt_id: id } = body.data;
    await service.get(url, secretive);
    await service.call('HEAD', url, secretive);
    await service.call('POST', url, secretive);
    await service.upload(promptForm('Whispered name'), secretive);
    await service.upload(promptForm('Of no unit', { org_unit_id: '999' }), secretive);
    await service.get('/v3/media-prompts?name=Whispered&cursor=nonsense', secretive);
    await service.get(`/v3/media-prompts?name=Whispered&token=${mine}`, secretive);
    await service.get('/v3/media-prompts/0', secretive);
    await service.get(`/v3/media-prompts/${mine}`, secretive);
    await service.get(`/nothing/${mine}`, secretive);
    await service.get('/v3/media-prompts', { token: `${mine}x` });
    await exchange(service, request(`GET /%zz${url}`, `Authorization: Bearer ${mine}`));
    await exchange(service, `GET ${url} nonsense\r\n\r\n`);
    // A fault of ours, with all that it is logged with.
    await rm(join(service.dataDir, url.slice(1)));
    expect((await service.get(url, secretive)).status).toBe(500);
    await service.call('DELETE', `/v3/media-prompts/${id}`, secretive);
    expect((await service.get(url, secretive)).status).toBe(404);
    const log = service.logLines.join('');
    expect(log).toContain('"msg":"answered"');
    expect(log).toContain('"msg":"request failed"');
    for (const secret of [mine, mine.split('.')[2] ?? '', recordingName, 'whispered']) {
      expect(service.logLines.filter((line) => line.toLowerCase().includes(secret.toLowerCase()))).toEqual(
        [],
      );
    }
    expect(log).not.toMatch(/insert into|select .* from|update "|delete from/i);
  });
});
