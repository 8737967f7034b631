import { readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { atEachDoor, fresh, send } from './doors.ts';
import { type Door, field, formOf, type RawPart, sound } from './forms.ts';

atEachDoor('a boundary of any length is found or refused', async (door, group) => {
  const lengths = [
    1,
    2,
    69,
    70,
    71,
    72,
    100,
    199,
    248,
    ...Array.from({ length: 9 }, (_, i) => 249 + i),
    1000,
    4000,
  ];
  const cases = lengths.flatMap((length) =>
    ['b', '-', "'()+_,-./:=?"].map((unit) => unit.repeat(length).slice(0, length)),
  );
  await group.each(cases, async (boundary, ask) => {
    const body = formOf(door.good(fresh('Bounded')), { boundary });
    const quoted = { 'Content-Type': `multipart/form-data; boundary="${boundary}"` };
    const { status } = await send(ask, door, body, quoted);
    // RFC 2046 has 70 at most.
    if (boundary.length <= 70) expect(status).toBe(201);
    else expect([201, 400, 415]).toContain(status);
  });
});

describe('a form', () => {
  const MEGABYTE = 1024 * 1024;
  const BULK: readonly (readonly [what: string, form: (door: Door) => Buffer])[] = [
    // Past the bound of 50 MiB by its length alone, and not read.
    [
      '60 MB before it',
      (door) => formOf(door.good(fresh('Late')), { preamble: Buffer.alloc(60 * MEGABYTE, '-') }),
    ],
    [
      '20 MB before it',
      (door) => formOf(door.good(fresh('Late')), { preamble: Buffer.alloc(20 * MEGABYTE, '-') }),
    ],
    [
      '20 MB of lines before it',
      (door) => formOf(door.good(fresh('Late')), { preamble: Buffer.alloc(20 * MEGABYTE, '\r\n--') }),
    ],
    [
      '20 MB behind it',
      (door) => formOf(door.good(fresh('Early')), { epilogue: Buffer.alloc(20 * MEGABYTE, '\r\n--b') }),
    ],
    [
      '500 kB before it',
      (door) => formOf(door.good(fresh('Late')), { preamble: `${'x'.repeat(500_000)}\r\n` }),
    ],
    ['500 kB behind it', (door) => formOf(door.good(fresh('Early')), { epilogue: 'x'.repeat(500_000) })],
    [
      '2 MB of CR before it',
      (door) => formOf(door.good(fresh('Late')), { preamble: '\r'.repeat(2 * MEGABYTE) }),
    ],
    [
      '2 MB of CR in a field',
      (door) => formOf([field('x', '\r'.repeat(2 * MEGABYTE)), ...door.good(fresh('Long'))]),
    ],
    [
      '2 MB of CR in the file',
      (door) => formOf([{ ...sound(door.filePart), content: '\r'.repeat(2 * MEGABYTE) }]),
    ],
    [
      '2 MB of near boundaries',
      (door) => formOf([{ ...sound(door.filePart), content: '\r\n-'.repeat(700_000) }]),
    ],
    [
      '100 000 dashes for an end',
      (door) => Buffer.concat([formOf(door.good(fresh('Dashed'))), Buffer.from('-'.repeat(100_000))]),
    ],
    [
      '10 000 fields',
      (door) => formOf([...Array<RawPart>(10_000).fill(field('x', 'y')), ...door.good(fresh('Many'))]),
    ],
    [
      '10 000 fields behind the file',
      (door) => formOf([...door.good(fresh('Many')), ...Array<RawPart>(10_000).fill(field('x', 'y'))]),
    ],
    [
      '10 000 files',
      (door) => formOf(Array<RawPart>(10_000).fill({ ...sound(door.filePart), content: 'x' })),
    ],
    [
      '10 000 nameless parts',
      (door) =>
        formOf([...Array<RawPart>(10_000).fill({ lines: [], content: '' }), ...door.good(fresh('Many'))]),
    ],
    [
      '10 000 times its name',
      (door) => formOf([...door.good(fresh('Many')), ...Array<RawPart>(10_000).fill(field('name', 'y'))]),
    ],
    ['900 kB in a field', (door) => formOf([field('x', 'y'.repeat(900_000)), ...door.good(fresh('Long'))])],
    [
      '50 fields of 15 kB',
      (door) =>
        formOf([...Array<RawPart>(50).fill(field('x', 'y'.repeat(15_000))), ...door.good(fresh('Long'))]),
    ],
  ];
  atEachDoor('of any bulk is read or refused within its bounds', async (door, group) => {
    for (const [what, form] of BULK) {
      const { status } = await send(group.ask, door, form(door));
      expect([201, 400, 413], what).toContain(status);
    }
  });

  const ENDS: readonly (readonly [what: string, body: (whole: Buffer) => Buffer])[] = [
    ['nothing', () => Buffer.alloc(0)],
    ['its end alone', () => Buffer.from('--b--')],
    ['its end twice', (whole) => Buffer.concat([whole, Buffer.from('--b--\r\n')])],
    ['itself twice', (whole) => Buffer.concat([whole, whole])],
    ['no last line break', (whole) => whole.subarray(0, -2)],
    ['no last dash', (whole) => whole.subarray(0, -3)],
    ['no end', (whole) => whole.subarray(0, -7)],
    ['an end in the midst', (whole) => Buffer.concat([Buffer.from('--b--\r\n'), whole])],
    [
      'line ends of LF alone',
      (whole) => Buffer.from(whole.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
    ],
    [
      'line ends of CR alone',
      (whole) => Buffer.from(whole.toString('latin1').replaceAll('\r\n', '\r'), 'latin1'),
    ],
    [
      'a boundary with spaces behind it',
      (whole) => Buffer.from(whole.toString('latin1').replaceAll('--b\r\n', '--b  \r\n'), 'latin1'),
    ],
    [
      'a boundary with letters behind it',
      (whole) => Buffer.from(whole.toString('latin1').replaceAll('--b\r\n', '--bx\r\n'), 'latin1'),
    ],
    [
      'a boundary of one dash',
      (whole) => Buffer.from(whole.toString('latin1').replaceAll('--b\r\n', '-b\r\n'), 'latin1'),
    ],
    [
      'a boundary in capitals',
      (whole) => Buffer.from(whole.toString('latin1').replaceAll('--b\r\n', '--B\r\n'), 'latin1'),
    ],
    ['bytes of a zip', () => Buffer.from('504b0304140000000800', 'hex')],
  ];
  atEachDoor('with any end is read or refused', async (door, group) => {
    await group.each(ENDS, async ([, bodyOf], ask) => {
      const { status } = await send(ask, door, bodyOf(formOf(door.good(fresh('Ended')))));
      expect([201, 400]).toContain(status);
    });
  });
});

interface CorpusBody {
  readonly src: string;
  readonly what: string;
  readonly boundary: string;
  readonly body: string;
}

const CORPUS: readonly CorpusBody[] = JSON.parse(
  readFileSync(new URL('../corpus/multipart-corpus.json', import.meta.url), 'utf8'),
);

atEachDoor(
  'the bodies that other parsers are tested with hold no prompt, and harm nothing',
  async (door, group) => {
    await group.each(CORPUS, async ({ boundary, body }, ask) => {
      for (const type of [
        `multipart/form-data; boundary="${boundary}"`,
        `multipart/form-data; boundary=${boundary}`,
      ]) {
        const answer = await send(ask, door, Buffer.from(body, 'base64'), { 'Content-Type': type });
        expect(answer.status).toBe(400);
      }
    });
  },
);
