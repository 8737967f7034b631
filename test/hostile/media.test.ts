import { readdirSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { box, id3Tag, uint32be, uint32le } from '../audio/files.ts';
import { file, fixture, multipart, text } from '../support/multipart.ts';
import { mulberry32 } from '../support/wav.ts';
import { type Ask, type Group, test } from './audit.ts';

const SOUNDS = readdirSync(new URL('../fixtures/', import.meta.url))
  .filter((name) => !/\.(md|json|mjs|sh)$/.test(name))
  .sort();

let count = 0;

/** Uploads bytes under a lying name and type. What is taken has facts and plays to the byte; all else is a 400. */
async function offer(ask: Ask, bytes: Buffer): Promise<number> {
  count += 1;
  const { body, contentType } = multipart([
    { ...file(bytes, `menu ${count}.mp3`), type: 'audio/mpeg' },
    text('name', `Offered ${count}`),
    text('message_type', 'prompt'),
  ]);
  const target = '/v3/media-prompts';
  const answer = await ask({ method: 'POST', target, headers: { 'Content-Type': contentType }, body });
  const { data, errors } = JSON.parse(answer.body.toString());
  if (answer.status === 201) {
    expect(data.file_size).toBe(bytes.byteLength);
    expect(data.codec).toMatch(/^[a-z\d_]+$/);
    expect(data.duration_ms ?? 0).toBeLessThan(2 ** 53);
    const played = await ask({ method: 'GET', target: data.url });
    expect(played.headers['content-type']).toMatch(/^audio\//);
    expect(played.headers['x-content-type-options']).toBe('nosniff');
    expect(played.body.equals(bytes)).toBe(true);
    await ask({ method: 'DELETE', target: `${target}/${data.media_prompt_id}` });
  } else {
    expect(answer.status).toBe(400);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({
      field: 'file',
      code: expect.stringMatching(/^(file_empty|unsupported_format|unreadable_audio)$/),
    });
    expect(errors[0].message).not.toContain('cannot be read');
  }
  return answer.status;
}

/** Refused, every one. */
async function refuseAll(group: Group, given: Iterable<readonly [string, Buffer]>): Promise<void> {
  await group.each([...given], async ([, bytes], ask) => {
    expect(await offer(ask, bytes)).toBe(400);
  });
}

const le16 = (value: number) => uint32le(value >>> 0).subarray(0, 2);
const latin = (value: string) => Buffer.from(value, 'latin1');
const wav = (...chunks: readonly Buffer[]) => {
  const body = Buffer.concat([latin('WAVE'), ...chunks]);
  return Buffer.concat([latin('RIFF'), uint32le(body.length), body]);
};
const chunk = (id: string, body: Buffer, size = body.length) =>
  Buffer.concat([latin(id), uint32le(size >>> 0), body]);
const format = (tag: number, channels: number, rate: number, align: number, bits: number) =>
  chunk(
    'fmt ',
    Buffer.concat([
      le16(tag),
      le16(channels),
      uint32le(rate),
      uint32le((rate * align) >>> 0),
      le16(align),
      le16(bits),
    ]),
  );

describe('a file that claims to be sound', () => {
  test('and is something else is refused', async ({ group }) => {
    const html = latin('<html><script>alert(1)</script></html>');
    const something: Readonly<Record<string, Buffer>> = {
      html,
      svg: latin('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
      php: latin('<?php system($_GET["c"]); ?>'),
      'a shell script': latin('#!/bin/sh\nrm -rf /\n'),
      'a playlist of files': latin('#EXTM3U\n#EXTINF:-1,\nfile:///etc/passwd\n'),
      'a playlist of sounds': latin('[playlist]\nFile1=http://169.254.169.254/latest/meta-data\n'),
      'a concat script': latin("ffconcat version 1.0\nfile '/etc/passwd'\n"),
      'a shortcut': latin('[InternetShortcut]\nURL=http://evil.example\n'),
      pdf: latin('%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj'),
      zip: Buffer.from('504b0304140000000800', 'hex'),
      gzip: Buffer.from('1f8b0800000000000003', 'hex'),
      xz: Buffer.from('fd377a585a00', 'hex'),
      elf: Buffer.from('7f454c4602010100000000000000000003003e00', 'hex'),
      exe: Buffer.concat([latin('MZ'), Buffer.alloc(200)]),
      java: Buffer.from('cafebabe00000034', 'hex'),
      sqlite: latin('SQLite format 3\0'),
      'a GIF': latin('GIF89a'),
      'a GIF that is HTML': Buffer.concat([latin('GIF89a/*'), html]),
      'a MIDI file': Buffer.from('4d54686400000006000100020060', 'hex'),
      'an ASF header that ends nowhere': Buffer.from(
        '3026b2758e66cf11a6d900aa0062ce6cffffffffffffffff',
        'hex',
      ),
      'the 55 bytes that stopped a reader': Buffer.from(
        `3026b2758e66cf11a6d900aa0062ce6c${'00'.repeat(39)}`,
        'hex',
      ),
      'an AVI': wav(format(1, 1, 8000, 2, 16)).fill('AVI ', 8, 12),
      'a RIFF of nothing': latin('RIFF\0\0\0\0WAVE'),
      'a RIFX': Buffer.concat([latin('RIFX'), fixture('tone.wav').subarray(4)]),
      'an UTF-16 mark and text': Buffer.from('\ufeffplease hold the line'.repeat(100), 'utf16le'),
      'sync bytes': Buffer.alloc(5000, Buffer.from([0xff, 0xfb])),
      'ADTS sync bytes': Buffer.alloc(5000, Buffer.from([0xff, 0xf1])),
      'empty ID3 tags': Buffer.concat(Array<Buffer>(1000).fill(id3Tag(Buffer.alloc(0)))),
      'an ID3 tag of text': Buffer.concat([id3Tag(html), html]),
      'an ID3 tag longer than the file': Buffer.from('49443304000007ffffff', 'hex'),
      'an ftyp alone': box('ftyp', latin('M4A \0\0\0\0')),
      'an ftyp that ends nowhere': Buffer.concat([uint32be(0xffffffff), latin('ftypM4A ')]),
      'boxes 1000 deep': Array.from({ length: 1000 }).reduce<Buffer>(
        (inner) => box('moov', inner),
        Buffer.alloc(0),
      ),
      'tracks 1000 deep': Buffer.concat([
        box('ftyp', latin('M4A \0\0\0\0')),
        Array.from({ length: 1000 }).reduce<Buffer>((inner) => box('trak', inner), Buffer.alloc(0)),
      ]),
      'EBML that ends nowhere': Buffer.from('1a45dfa3ffffffffffffffff', 'hex'),
      'EBML 5000 deep': Buffer.concat([
        Buffer.from('1a45dfa380', 'hex'),
        Buffer.alloc(60_000, Buffer.from('1853806701ffffffffffffff', 'hex')),
      ]),
      'fLaC alone': latin('fLaC'),
      'fLaC and blocks of nothing': Buffer.concat([latin('fLaC'), Buffer.alloc(40_000)]),
      'OggS alone': latin('OggS'),
      'OggS of nothing': Buffer.concat([latin('OggS'), Buffer.alloc(1000)]),
      'one byte': Buffer.from([0]),
      nothing: Buffer.alloc(0),
    };
    await refuseAll(group, Object.entries(something));
  });

  test('with a WAV header that lies gets a verdict', async ({ group }) => {
    const sound = Buffer.alloc(16_000, 7);
    const numbers = [0, 1, 2, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
    const files = [
      ...numbers.map((rate) => wav(format(1, 1, rate, 2, 16), chunk('data', sound))),
      ...numbers.map((channels) => wav(format(1, channels, 8000, 2, 16), chunk('data', sound))),
      ...numbers.map((bits) => wav(format(1, 1, 8000, 2, bits), chunk('data', sound))),
      ...numbers.map((align) => wav(format(1, 1, 8000, align, 16), chunk('data', sound))),
      ...numbers.map((tag) => wav(format(tag, 1, 8000, 2, 16), chunk('data', sound))),
      ...numbers.map((size) => wav(format(1, 1, 8000, 2, 16), chunk('data', sound, size))),
      ...numbers.map((size) =>
        wav(format(1, 1, 8000, 2, 16), chunk('LIST', Buffer.alloc(10), size), chunk('data', sound)),
      ),
      ...numbers.map((size) => wav(chunk('fmt ', Buffer.alloc(16), size), chunk('data', sound))),
      wav(chunk('data', sound), format(1, 1, 8000, 2, 16)),
      wav(format(1, 1, 8000, 2, 16), format(1, 2, 48_000, 4, 16), chunk('data', sound)),
      wav(format(1, 1, 8000, 2, 16), chunk('data', sound), chunk('data', sound)),
      wav(format(1, 1, 8000, 2, 16)),
    ];
    await group.each(files.keys(), async (i, ask) => {
      await offer(ask, files[i] ?? Buffer.alloc(0));
    });
  });

  for (const [what, spoil] of [
    ['cut somewhere', (bytes, random) => bytes.subarray(0, Math.floor(random() * bytes.length))],
    [
      'without its beginning',
      (bytes, random) => bytes.subarray(1 + Math.floor(random() * Math.min(bytes.length, 400))),
    ],
    ['with flipped bits', (bytes, random) => flipped(bytes, random)],
    ['with lying sizes', (bytes, random) => lying(bytes, random)],
    ['with another in its middle', (bytes, random) => spliced(bytes, random)],
  ] as readonly (readonly [string, (bytes: Buffer, random: () => number) => Buffer])[]) {
    test(`${what} is read or refused, and plays as it came`, async ({ group }) => {
      const cases = SOUNDS.flatMap((name) => [1, 2, 3].map((seed) => ({ name, seed })));
      await group.each(cases, async ({ name, seed }, ask) => {
        await offer(ask, Buffer.from(spoil(fixture(name), mulberry32(seed))));
      });
    });
  }

  test('with a tail or a head of something else does not become that', async ({ group }) => {
    const html = latin('<html><script>alert(1)</script></html>');
    await group.each(SOUNDS, async (name, ask) => {
      await offer(ask, Buffer.concat([fixture(name), html]));
      await offer(ask, Buffer.concat([fixture(name), fixture(name)]));
      for (const head of [html, latin('PK\x03\x04')]) {
        const status = await offer(ask, Buffer.concat([head, fixture(name)]));
        // Players look for the first frame of these, wherever it stands.
        if (!/mp3|aac|mp2/.test(name)) expect(status).toBe(400);
      }
    });
  });
});

function flipped(bytes: Buffer, random: () => number): Buffer {
  const copy = Buffer.from(bytes);
  for (let i = 0; i < 20; i += 1) {
    const at = Math.floor(random() ** 3 * copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  }
  return copy;
}

/** Writes numbers that are too large, in either order of bytes, where sizes stand. */
function lying(bytes: Buffer, random: () => number): Buffer {
  const copy = Buffer.from(bytes);
  const lies = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0];
  for (let i = 0; i < 3; i += 1) {
    const at = Math.floor(random() * Math.min(copy.length - 4, 600));
    copy.writeUInt32BE(lies[Math.floor(random() * lies.length)] ?? 0, Math.max(at, 0));
  }
  return copy;
}

function spliced(bytes: Buffer, random: () => number): Buffer {
  const other = fixture(SOUNDS[Math.floor(random() * SOUNDS.length)] ?? 'tone.wav');
  const at = Math.floor(random() * bytes.length);
  return Buffer.concat([bytes.subarray(0, at), other, bytes.subarray(at)]);
}
