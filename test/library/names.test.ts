import { describe, expect, test } from 'vitest';
import { type Cursor, decodeCursor, encodeCursor } from '../../src/library/cursor.ts';
import { foldName } from '../../src/library/prompt.ts';
import { isRecordingName, newRecordingName } from '../../src/library/recording-name.ts';

describe('a name as it is compared', () => {
  const same = [
    ['case', 'Main Menu', 'mAIN mENU'],
    ['ß and SS', 'Straße', 'STRASSE'],
    ['the capital ẞ and ß', 'STRAẞE', 'Straße'],
    ['both sigmas', 'ΟΔΟΣ', 'οδοσ'],
    ['a final sigma and a capital one', 'οδος', 'ΟΔΟΣ'],
    ['a final sigma inside', 'ας β', 'ΑΣ Β'],
    ['İ and its lower case', 'İzmir', 'i\u0307zmir'],
    ['composed and decomposed letters', 'Café', 'Cafe\u0301'],
    ['two marks in either order', 'q\u0307\u0323', 'Q\u0323\u0307'],
    ['a ligature and its letters', 'oﬃce', 'OFFICE'],
    ['Kelvin and k', '\u212A', 'k'],
    ['letters beyond 16 bits', '𐐀', '𐐨'],
  ] as const;
  for (const [what, one, other] of same) {
    test(`makes no difference of ${what}`, () => {
      expect(foldName(one)).toBe(foldName(other));
    });
  }

  const different = [
    ['accents', 'Café', 'Cafe'],
    ['İ and I', 'İzmir', 'Izmir'],
    ['white space', 'a b', 'ab'],
    ['full-width letters', 'Ａ', 'A'],
    ['one emoji and another', '😀', '😁'],
    ['an emoji and the same with a skin tone', '👍', '👍🏽'],
  ] as const;
  for (const [what, one, other] of different) {
    test(`tells ${what} apart`, () => {
      expect(foldName(one)).not.toBe(foldName(other));
    });
  }

  test('is the same for every character of Unicode in any case and composition, and folds to itself', () => {
    const unstable: string[] = [];
    for (let point = 0; point <= 0x10_ff_ff; point += 1) {
      if (point >= 0xd800 && point <= 0xdfff) continue;
      const character = String.fromCodePoint(point);
      const folded = foldName(character);
      const spellings = [
        folded,
        character.toUpperCase(),
        character.toLowerCase(),
        character.normalize('NFD'),
      ];
      if (spellings.some((spelling) => foldName(spelling) !== folded)) unstable.push(point.toString(16));
    }
    expect(unstable).toEqual([]);
  });

  test('of a part is a part of the whole, so that a search finds it', () => {
    const whole = foldName('Ὀδυσσεὺς STRAẞE İzmir Ångström');
    for (const part of ['ΟΔΥ'.replace('Ο', 'Ὀ'), 'ΣΣΕ', 'ὺΣ', 'ss', 'ß', 'izm'.replace('i', 'İ'), 'åNG']) {
      expect(whole).toContain(foldName(part));
    }
  });
});

describe('the name of a recording', () => {
  test('is file, the time and 39 digits, and known as ours', () => {
    const before = Date.now();
    const name = newRecordingName();
    const [, time] = /^file-(\d{13})-\d{39}$/.exec(name) ?? [];
    expect(Number(time)).toBeGreaterThanOrEqual(before);
    expect(Number(time)).toBeLessThanOrEqual(Date.now());
    expect(isRecordingName(name)).toBe(true);
  });

  test('never comes twice', () => {
    const names = new Set(Array.from({ length: 10_000 }, newRecordingName));
    expect(names.size).toBe(10_000);
    const random = new Set([...names].map((name) => name.split('-')[2]));
    expect(random.size).toBe(10_000);
  });

  test('uses the whole range of its digits', () => {
    const digits = Array.from({ length: 2000 }, () => BigInt(newRecordingName().slice(-39)));
    const half = 1n << 127n;
    expect(digits.every((value) => value < 1n << 128n)).toBe(true);
    // 2000 throws of a coin: fewer than 700 heads has a chance below 10^-40.
    expect(digits.filter((value) => value >= half).length).toBeGreaterThan(700);
    expect(digits.filter((value) => value % 2n === 1n).length).toBeGreaterThan(700);
  });

  const strange = [
    '',
    'file',
    '../file-1700000000000-000000000000000000000000000000000000001',
    'file-1700000000000-00000000000000000000000000000000000001',
    'file-1700000000000-0000000000000000000000000000000000000001',
    'file-1700000000000-00000000000000000000000000000000000000a',
    'file-1700000000000-000000000000000000000000000000000000001\n',
    'FILE-1700000000000-000000000000000000000000000000000000001',
    'file-1700000000000-٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠',
  ];
  for (const name of strange) {
    test(`is not ${JSON.stringify(name)}`, () => {
      expect(isRecordingName(name)).toBe(false);
    });
  }
});

describe('a cursor', () => {
  const cursors: readonly Cursor[] = [
    { sortBy: 'created_on', descending: true, value: '2026-01-20T12:34:56.789Z', id: 1 },
    { sortBy: 'created_on', descending: false, value: '2024-02-29T00:00:00.000Z', id: 2 },
    { sortBy: 'name', descending: false, value: '', id: 3 },
    {
      sortBy: 'name',
      descending: true,
      value: '"\\\n😀 ß\u0000'.replace('\0', ''),
      id: Number.MAX_SAFE_INTEGER,
    },
    { sortBy: 'name', descending: true, value: 'ﬃ'.repeat(255).normalize('NFKC'), id: 4 },
    { sortBy: 'message_type', descending: true, value: 'whisper', id: 5 },
    { sortBy: 'duration_ms', descending: false, value: -1, id: 6 },
    { sortBy: 'file_size', descending: true, value: 52_428_800, id: 7 },
  ];
  for (const cursor of cursors) {
    test(`comes back as it went: ${cursor.sortBy} ${JSON.stringify(cursor.value).slice(0, 40)}`, () => {
      const encoded = encodeCursor(cursor);
      expect(encoded).toMatch(/^[\w-]+$/);
      expect(decodeCursor(encoded)).toEqual(cursor);
    });
  }

  const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const hostile: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['no base64', '%%%%'],
    ['no JSON', Buffer.from('{').toString('base64url')],
    ['bytes that are no UTF-8', Buffer.from([0x5b, 0xff, 0xfe, 0x5d]).toString('base64url')],
    ['null', json(null)],
    ['a number', json(1)],
    ['an object', json({ sortBy: 'name', descending: true, value: 'a', id: 1 })],
    ['an object with a prototype', Buffer.from('{"__proto__":{"id":1}}').toString('base64url')],
    ['too little', json(['name', true, 'a'])],
    ['too much', json(['name', true, 'a', 1, 1])],
    ['an unknown key', json(['id', true, 1, 1])],
    ['a key of every object', json(['constructor', true, 'a', 1])],
    ['an SQL text for a key', json(['name; drop table prompts', true, 'a', 1])],
    ['a direction that is no boolean', json(['name', 'desc', 'a', 1])],
    ['id 0', json(['name', true, 'a', 0])],
    ['a negative id', json(['name', true, 'a', -1])],
    ['a broken id', json(['name', true, 'a', 1.5])],
    ['an id past 2^53', Buffer.from('["name",true,"a",9007199254740992]').toString('base64url')],
    ['an id past every number', Buffer.from('["name",true,"a",1e999]').toString('base64url')],
    ['an id as text', json(['name', true, 'a', '1'])],
    ['a name with NUL', json(['name', true, 'a\0b', 1])],
    ['a name that is a number', json(['name', true, 1, 1])],
    ['a name of 5000 characters', json(['name', true, 'x'.repeat(5000), 1])],
    ['a size as text', json(['file_size', true, '1', 1])],
    ['a broken size', json(['file_size', true, 0.5, 1])],
    ['a size past 2^53', Buffer.from('["file_size",true,1e300,1]').toString('base64url')],
    ['an instant as a number', json(['created_on', true, 1, 1])],
    ['an instant without its time', json(['created_on', true, '2026-01-20', 1])],
    ['an instant elsewhere', json(['created_on', true, '2026-01-20T12:34:56.789+02:00', 1])],
    ['the 13th month', json(['created_on', true, '2026-13-01T00:00:00.000Z', 1])],
    ['the 31st of February', json(['created_on', true, '2026-02-31T00:00:00.000Z', 1])],
    ['the 29th of February of no leap year', json(['created_on', true, '2026-02-29T00:00:00.000Z', 1])],
    ['the hour 24', json(['created_on', true, '2026-01-20T24:00:00.000Z', 1])],
    ['the second 60', json(['created_on', true, '2026-01-20T12:34:60.000Z', 1])],
    ['the year 0', json(['created_on', true, '0000-01-01T00:00:00.000Z', 1])],
    ['an instant and a line', json(['created_on', true, '2026-01-20T12:34:56.789Z\n', 1])],
    ['deep nesting', Buffer.from('['.repeat(3000)).toString('base64url')],
    ['deep nesting, closed', Buffer.from('['.repeat(1500) + ']'.repeat(1500)).toString('base64url')],
  ];
  for (const [what, text] of hostile) {
    test(`that is ${what} is none`, () => {
      expect(decodeCursor(text)).toBeUndefined();
    });
  }
});
