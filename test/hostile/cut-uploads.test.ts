import { expect } from 'vitest';
import { noise } from '../support/wav.ts';
import { type Group, test } from './audit.ts';
import { DOORS, type Door, field, formOf, sound } from './forms.ts';
import { judge } from './judging.ts';
import type { Connection } from './wire.ts';

const MEGABYTE = 1024 * 1024;
const LARGE = noise(5 * MEGABYTE, 1);

const SHAPES = ['plain', 'large', 'chunked', 'large and chunked'] as const;
type Shape = (typeof SHAPES)[number];

/** How a client goes away. */
const DEPARTURES: Readonly<Record<string, (connection: Connection) => void>> = {
  'a close': (connection) => connection.close(),
  'a reset': (connection) => connection.reset(),
  'a FIN': (connection) => connection.finish(),
};

const SHARES = [0, 0.01, 0.1, 0.5, 0.9, 0.99] as const;

let count = 0;

/** A whole upload as it goes over the wire: the head, and the body in pieces as they are sent. */
function uploadOf(door: Door, shape: Shape, bearer: string) {
  count += 1;
  const parts = [...door.good(`Cut ${count}`)];
  if (shape.startsWith('large')) {
    parts[0] = { ...sound(door.filePart, `cut ${count}.wav`), content: LARGE };
    parts.push(field('x', 'behind the file'));
  }
  const body = formOf(parts);
  const isChunked = shape.endsWith('chunked');
  const head = [
    `POST ${door.target} HTTP/1.1`,
    'Host: a',
    `Authorization: Bearer ${bearer}`,
    'Content-Type: multipart/form-data; boundary=b',
    isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.byteLength}`,
  ];
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.byteLength; at += 64 * 1024) {
    const piece = body.subarray(at, at + 64 * 1024);
    pieces.push(
      isChunked
        ? Buffer.concat([Buffer.from(`${piece.byteLength.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
        : piece,
    );
  }
  if (isChunked) pieces.push(Buffer.from('0\r\n\r\n'));
  return { head: Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body: Buffer.concat(pieces) };
}

function* inPieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.byteLength; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
}

/** Sends a share of an upload and goes. What is answered to one who still listens has to be a refusal. */
async function cutOff(
  group: Group,
  door: Door,
  shape: Shape,
  share: number,
  leave: (connection: Connection) => void,
) {
  const { head, body } = uploadOf(door, shape, group.bearer);
  const connection = await group.open();
  try {
    connection.send(head);
    await connection.stream(inPieces(body.subarray(0, Math.floor(body.byteLength * share))));
    leave(connection);
    const answer = await connection.answer('POST');
    if (answer === undefined) return;
    judge(answer, 'either', 'POST');
    expect(answer.status).toBe(400);
  } finally {
    connection.close();
  }
}

for (const door of DOORS) {
  test(`an upload that is cut off leaves nothing: ${door.target}`, async ({ group }) => {
    const cases = SHAPES.flatMap((shape) =>
      SHARES.flatMap((share) => Object.keys(DEPARTURES).map((departure) => ({ shape, share, departure }))),
    );
    await group.each(cases, async ({ shape, share, departure }) => {
      await cutOff(
        group,
        door,
        shape,
        share,
        DEPARTURES[departure] ?? DEPARTURES['a close'] ?? (() => undefined),
      );
    });
  });

  test(`an upload that ends early with a sound end of its request leaves nothing: ${door.target}`, async ({
    group,
  }) => {
    const whole = formOf(door.good('Ended early'));
    const lengths = Array.from({ length: 60 }, (_, i) => Math.floor((whole.byteLength * i) / 60));
    await group.each(lengths, async (length, ask) => {
      const { status } = await ask({
        method: 'POST',
        target: door.target,
        headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
        body: whole.subarray(0, length),
      });
      expect(status).toBe(400);
    });
  });

  test(`a file that nobody wants may be cut off as well: ${door.target}`, async ({ group }) => {
    const unwanted = [
      [sound('stranger')],
      [...door.good('Beside a stranger'), sound('stranger')],
      [...door.good('Beside a second'), sound(door.filePart)],
      [
        {
          lines: ['Content-Disposition: form-data; name="File"; filename="a"', 'Content-Type: text/html'],
          content: 'x'.repeat(5000),
        },
      ],
      [
        {
          lines: ['Content-Disposition: form-data; name="__proto__"; filename="a"'],
          content: 'x'.repeat(5000),
        },
      ],
      [{ lines: ['Content-Disposition: form-data; filename="a"'], content: 'x'.repeat(5000) }],
      [{ lines: ['X-A: b'], content: 'x'.repeat(5000) }],
    ];
    await group.each(unwanted, async (parts, ask) => {
      const whole = formOf(parts);
      for (const missing of [1, 5, 6, 8, 9, 100, 2000, 4900]) {
        const { status } = await ask({
          method: 'POST',
          target: door.target,
          headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
          body: whole.subarray(0, -missing),
        });
        // What lacks its last line break alone is whole.
        expect([201, 400]).toContain(status);
      }
    });
  });
}

test('200 clients that die together leave nothing', async ({ group }) => {
  const connections = await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const { head, body } = uploadOf(DOORS[i % 2] as Door, SHAPES[i % 4] as Shape, group.bearer);
      const connection = await group.open();
      connection.send(head);
      connection.send(body.subarray(0, Math.min(body.byteLength - 1000, 20_000 + i * 500)));
      return connection;
    }),
  );
  for (const [i, connection] of connections.entries()) (i % 2 === 0 ? connection.close : connection.reset)();
});
