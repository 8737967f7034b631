import { expect } from 'vitest';
import { TONE } from './audit.ts';
import { atEachDoor, fresh, send } from './doors.ts';
import { disposition, field, formOf, type RawPart, sound } from './forms.ts';

const BREAKS = ['\r', '\n', '\r\r', '\n\n', '\n\r', '\0', '\u0085', '\u2028', '\v', '\f'];

atEachDoor('a line break of half a kind in a part header hides nothing', async (door, group) => {
  const cases = BREAKS.flatMap((lineBreak): readonly RawPart[] => {
    const type = 'Content-Type: audio/wav';
    return [
      { lines: [disposition(`${door.filePart}${lineBreak}`, 'a.wav'), type], content: TONE },
      { lines: [disposition(`${lineBreak}${door.filePart}`, 'a.wav'), type], content: TONE },
      { lines: [disposition(door.filePart, `a${lineBreak}.wav`), type], content: TONE },
      { lines: [disposition(door.filePart, `${lineBreak}Set-Cookie: a=b`), type], content: TONE },
      { lines: [`${disposition(door.filePart, 'a.wav')}${lineBreak}${type}`], content: TONE },
      { lines: [`X-A: b${lineBreak}${disposition(door.filePart, 'a.wav')}`, type], content: TONE },
      { lines: [`X-A${lineBreak}: b`, disposition(door.filePart, 'a.wav'), type], content: TONE },
      {
        lines: [disposition(door.filePart, 'a.wav'), `Content-Type: audio/wav${lineBreak}X-A: b`],
        content: TONE,
      },
      { lines: [disposition(door.filePart, 'a.wav'), `Content-Type: audio/wav${lineBreak}`], content: TONE },
      { lines: [`${lineBreak}${disposition(door.filePart, 'a.wav')}`, type], content: TONE },
    ];
  });
  await group.each(cases, async (part, ask) => {
    const rest = door.good(fresh('Broken')).slice(1);
    const answer = await send(ask, door, formOf([part, ...rest]));
    expect([201, 400]).toContain(answer.status);
    expect(answer.lines.filter((line) => /set-cookie/i.test(line))).toEqual([]);
  });
});

const PROTOTYPE_NAMES = [
  ...Object.getOwnPropertyNames(Object.prototype),
  'prototype',
  'then',
  'toJSON',
  'fields',
  'file[]',
  'name[0]',
  'name.first',
  'length',
  '',
  ' ',
  '.',
  '..',
  '\\',
  '*',
  'null',
  'undefined',
  '[object Object]',
  'file\0',
  'name\0',
  'é',
  '😀',
  'x'.repeat(99),
  'x'.repeat(101),
  'x'.repeat(5000),
];

atEachDoor('a text part of any unknown name is ignored, or refused and nothing more', async (door, group) => {
  await group.each(PROTOTYPE_NAMES, async (name, ask) => {
    const strange = field(name, '{"polluted":true}');
    const json: RawPart = {
      lines: [...strange.lines, 'Content-Type: application/json'],
      content: strange.content,
    };
    for (const part of [strange, json]) {
      const good = door.good(fresh('Beside a stranger'));
      for (const parts of [
        [part, ...good],
        [...good, part],
        [part, part, ...good],
      ]) {
        const { status } = await send(ask, door, formOf(parts));
        // The parser refuses the names of Object.prototype; all others are no matter.
        if (status === 400)
          expect(name in Object.prototype || [...name].length > 100 || name === '').toBe(true);
        else expect(status).toBe(201);
        if (status === 201) break;
      }
    }
  });
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

atEachDoor('a file of any unknown name is refused', async (door, group) => {
  // With a backslash before its quote a part has neither name nor file name.
  const names = PROTOTYPE_NAMES.filter((name) => name !== '\\');
  await group.each(names, async (name, ask) => {
    const stranger = sound(name);
    const good = door.good(fresh('Beside a strange file'));
    for (const parts of [[stranger], [stranger, ...good], [...good, stranger]]) {
      expect((await send(ask, door, formOf(parts))).status).toBe(400);
    }
  });
});

const HEADERS: readonly (readonly [what: string, lines: (part: string) => readonly string[]])[] = [
  ['none', () => []],
  ['no disposition', () => ['Content-Type: audio/wav']],
  ['an empty disposition', () => ['Content-Disposition:']],
  [
    'a disposition of another kind',
    (part) => [`Content-Disposition: attachment; name="${part}"; filename="a"`],
  ],
  ['two dispositions', (part) => [disposition(part, 'a'), disposition('other', 'b')]],
  ['two names', (part) => [`Content-Disposition: form-data; name="${part}"; name="other"; filename="a"`]],
  ['two file names', (part) => [`${disposition(part, 'a')}; filename="../b"`]],
  ['a name without quotes', (part) => [`Content-Disposition: form-data; name=${part}; filename=a`]],
  ['a name in single quotes', (part) => [`Content-Disposition: form-data; name='${part}'; filename='a'`]],
  ['an open quote', (part) => [`Content-Disposition: form-data; name="${part}; filename="a`]],
  [
    'a name in RFC 5987',
    (part) => [`Content-Disposition: form-data; name*=utf-8''${part}; filename*=utf-8''a`],
  ],
  ['a file name of a bad charset', (part) => [`${disposition(part)}; filename*=__proto__''a%ff`]],
  ['a file name that is half an escape', (part) => [`${disposition(part)}; filename*=utf-8''%`]],
  ['30 000 quotes in a file name', (part) => [`${disposition(part)}; filename=${'"'.repeat(30_000)}`]],
  [
    '30 000 backslashes in a file name',
    (part) => [`${disposition(part)}; filename="${'\\'.repeat(30_000)}"`],
  ],
  ['30 000 semicolons', (part) => [`${disposition(part, 'a')}${';'.repeat(30_000)}`]],
  ['20 000 parameters', (part) => [`${disposition(part, 'a')}${'; a=b'.repeat(15_000)}`]],
  [
    '30 000 spaces',
    (part) => [`Content-Disposition: form-data;${' '.repeat(30_000)}name="${part}"; filename="a"`],
  ],
  ['30 000 asterisks', (part) => [`${disposition(part)}; filename${'*'.repeat(30_000)}=utf-8''a`]],
  ['30 000 single quotes', (part) => [`${disposition(part)}; filename*=utf-8${"'".repeat(30_000)}a`]],
  ['30 000 percents', (part) => [`${disposition(part)}; filename*=utf-8''${'%2'.repeat(15_000)}`]],
  ['a file name of 70 kB', (part) => [disposition(part, `${'a'.repeat(70_000)}.wav`)]],
  ['a header of 200 kB', (part) => [`X-A: ${'b'.repeat(200_000)}`, disposition(part, 'a')]],
  ['a header name of 200 kB', (part) => [`${'X'.repeat(200_000)}: b`, disposition(part, 'a')]],
  ['900 kB without a colon', () => ['X'.repeat(900_000)]],
  [
    '5000 headers',
    (part) => [...Array.from({ length: 5000 }, (_, i) => `X-${i}: b`), disposition(part, 'a')],
  ],
  ['5000 times a header', (part) => [...Array<string>(5000).fill('X-A: b'), disposition(part, 'a')]],
  ['5000 folds', (part) => [`X-A: b${'\r\n c'.repeat(5000)}`, disposition(part, 'a')]],
  [
    'a folded disposition',
    (part) => [`Content-Disposition: form-data;\r\n name="${part}";\r\n filename="a"`],
  ],
  ['a header called __proto__', (part) => ['__proto__: x', 'constructor: y', disposition(part, 'a')]],
  ['a header called hasOwnProperty', (part) => ['hasOwnProperty: x', 'toString: y', disposition(part, 'a')]],
  ['a disposition in __proto__', (part) => [`__proto__: ${disposition(part, 'a')}`]],
  ['a header without a colon', (part) => ['hello', disposition(part, 'a')]],
  ['a colon alone', (part) => [':', disposition(part, 'a')]],
  ['a type of garbage', (part) => [disposition(part, 'a'), 'Content-Type: ;;;=;"']],
  ['a type of 50 kB', (part) => [disposition(part, 'a'), `Content-Type: audio/${'x'.repeat(50_000)}`]],
  [
    'a type with a bad charset',
    (part) => [disposition(part, 'a'), 'Content-Type: audio/wav; charset=__proto__'],
  ],
  ['a transfer encoding', (part) => [disposition(part, 'a'), 'Content-Transfer-Encoding: base64']],
  ['a transfer encoding of garbage', (part) => [disposition(part, 'a'), 'Content-Transfer-Encoding: \u0001']],
  ['a form inside', (part) => [disposition(part, 'a'), 'Content-Type: multipart/mixed; boundary=b']],
];

atEachDoor('a part with any header is read or refused', async (door, group) => {
  const cases = HEADERS.flatMap(([what, linesOf]) =>
    [door.filePart, 'x'].map((part) => [what, linesOf(part)] as const),
  );
  await group.each(cases, async ([, lines], ask) => {
    for (const content of [TONE, 'text']) {
      for (const others of [door.good(fresh('Headed')).slice(1), door.good(fresh('Headed'))]) {
        const { status } = await send(ask, door, formOf([{ lines, content }, ...others]));
        expect([201, 400]).toContain(status);
      }
    }
  });
});
