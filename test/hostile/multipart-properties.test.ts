import fc from 'fast-check';
import { expect } from 'vitest';
import { type Group, test } from './audit.ts';
import { disposition, formOf } from './forms.ts';
import { judge } from './judging.ts';
import { CONTENTS, type Expected, expectedOf, type ModelPart, nameOf, V1, V3 } from './multipart-model.ts';
import { anyText, holds } from './properties.ts';
import type { WireAnswer } from './wire.ts';

const BOUNDARY_CHARACTERS = [..."abcXYZ019'()+_,-./:=?"];

/** RFC 2046, 5.1.1. */
const boundaries = fc
  .string({ unit: fc.constantFrom(...BOUNDARY_CHARACTERS), minLength: 1, maxLength: 70 })
  // One that values cannot hold by chance.
  .map((text) => `Q${text}`.slice(0, 70));

const textPart = (names: readonly string[], values: fc.Arbitrary<string>): fc.Arbitrary<ModelPart> =>
  fc.record({ kind: fc.constant('text' as const), name: fc.constantFrom(...names), value: values });

const filePart = (names: readonly string[]): fc.Arbitrary<ModelPart> =>
  fc.record({
    kind: fc.constant('file' as const),
    name: fc.constantFrom(...names),
    content: fc.constantFrom(
      'wav' as const,
      'wav' as const,
      'mp3' as const,
      'text' as const,
      'nothing' as const,
    ),
    type: fc.constantFrom(
      'audio/wav',
      'audio/wav',
      'audio/x-anything',
      'application/octet-stream',
      'text/html',
    ),
  });

const tooLong = fc.constantFrom(
  'é'.repeat(256),
  'x'.repeat(1001),
  'x'.repeat(16 * 1024),
  'x'.repeat(16 * 1024 + 1),
);
const STRANGERS = ['x', 'description', 'names', 'Name', 'é', '😀', 'file2', 'then', '0'];
const strangers = textPart(STRANGERS, anyText(60));

/** Half of the forms are good in every part, and differ in their order and in who stands between. */
function formsOf(good: fc.Arbitrary<readonly ModelPart[]>, others: fc.Arbitrary<ModelPart>) {
  const whole = fc
    .tuple(good, fc.array(strangers, { maxLength: 3 }))
    .map(([parts, more]) => [...parts, ...more] as ModelPart[])
    .chain((parts) => fc.shuffledSubarray(parts, { minLength: parts.length }));
  return fc.oneof(whole, fc.array(fc.oneof(others, strangers), { maxLength: 7 }));
}

const goodFile = (name: string): fc.Arbitrary<ModelPart> =>
  fc
    .constantFrom('wav' as const, 'mp3' as const)
    .map((content) => ({ kind: 'file', name, content, type: 'audio/wav' }));

const v3Forms = formsOf(
  fc.tuple(
    goodFile('file'),
    textPart(
      ['name'],
      anyText(40).map((text) => `n${text.replaceAll('\0', '')} `),
    ),
    textPart(['message_type'], fc.constantFrom('prompt', 'whisper', 'voicemail', 'survey')),
    textPart(['recording_created_by'], fc.nat().map(String)),
  ),
  fc.oneof(
    filePart(['file', 'file', 'File', 'sound']),
    textPart(['file', 'name'], anyText(60)),
    textPart(['name', 'recording_file_type', 'message_type'], tooLong),
    textPart(['message_type'], fc.oneof(fc.constantFrom('prompt', 'survey', 'Prompt'), anyText(10))),
    textPart(['org_unit_id'], fc.constantFrom('1', '01', '-1', '', 'x', '1.0')),
    textPart(['recording_file_type'], fc.oneof(fc.constantFrom('uploaded', 'tts_made', 'A'), anyText(10))),
    textPart(['recording_created_by'], fc.oneof(fc.nat().map(String), anyText(5))),
  ),
);

const v1Forms = formsOf(
  fc.tuple(
    goodFile('File'),
    textPart(
      ['Description'],
      anyText(200).map((text) => text.replaceAll('\0', '')),
    ),
  ),
  fc.oneof(
    filePart(['File', 'file', 'FILE', 'sound']),
    textPart(['File', 'file'], anyText(20)),
    textPart(['Description', 'description', 'DESCRIPTION'], fc.oneof(anyText(60), tooLong)),
  ),
);

/** Where the body is cut into chunks, as shares of it. */
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
/** Where it is cut into chunks of a few bytes, so that every delimiter and header is cut somewhere. */
const crumbs = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  size: fc.integer({ min: 1, max: 9 }),
});

function chunked(
  body: Buffer,
  shares: readonly number[],
  { at, size }: { at: number; size: number },
): Buffer {
  const places = new Set([0, body.byteLength, ...shares.map((share) => Math.floor(share * body.byteLength))]);
  const begin = Math.floor(at * body.byteLength);
  for (let place = begin; place < Math.min(begin + 600, body.byteLength); place += size) places.add(place);
  const sorted = [...places].sort((a, b) => a - b);
  const chunks = sorted.slice(1).flatMap((end, i) => {
    const piece = body.subarray(sorted[i], end);
    return [Buffer.from(`${piece.byteLength.toString(16)}\r\n`), piece, Buffer.from('\r\n')];
  });
  return Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')]);
}

function bodyOf(parts: readonly ModelPart[], boundary: string): Buffer {
  return formOf(
    parts.map((part) =>
      part.kind === 'text'
        ? { lines: [disposition(part.name)], content: part.value }
        : {
            lines: [disposition(part.name, 'any.bin'), `Content-Type: ${part.type}`],
            content: CONTENTS[part.content],
          },
    ),
    { boundary },
  );
}

async function send(group: Group, target: string, boundary: string, body: Buffer): Promise<WireAnswer> {
  const connection = await group.open();
  try {
    const head = [
      `POST ${target} HTTP/1.1`,
      'Host: a',
      `Authorization: Bearer ${group.bearer}`,
      `Content-Type: multipart/form-data; boundary="${boundary}"`,
      'Transfer-Encoding: chunked',
    ];
    connection.send(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]));
    const answer = await connection.answer('POST');
    if (answer === undefined) throw new Error('no answer');
    judge(answer, 'either', 'POST');
    group.note({ method: 'POST' }, answer);
    return answer;
  } finally {
    connection.close();
  }
}

let count = 0;

/** A name that nobody has yet, whatever was tried before and is tried again while a failure is made smaller. */
function withFreshName(part: ModelPart): ModelPart {
  if (part.kind === 'file' || part.name !== 'name' || nameOf(part.value) === '') return part;
  count += 1;
  return { ...part, value: ` ${count} ${part.value}` };
}

function expectData(data: Readonly<Record<string, unknown>>, { values, content }: Expected): void {
  expect(data['name']).toBe(nameOf(values.get('name') ?? ''));
  expect(data['message_type']).toBe(values.get('message_type'));
  expect(data['recording_file_type']).toBe(values.get('recording_file_type') ?? 'uploaded');
  const user = values.get('recording_created_by');
  expect(data['recording_created_by']).toBe(user === undefined ? 7 : Number(user));
  expect(data['container']).toBe(content);
  expect(data['original_filename']).toBe('any.bin');
}

test('v3 reads any form, in any order and in any chunks, as the model does', async ({ group }) => {
  await holds(
    fc.asyncProperty(v3Forms, boundaries, cuts, crumbs, async (given, boundary, shares, crumb) => {
      const parts = given.map(withFreshName);
      const expected = expectedOf(parts, V3);
      const body = chunked(bodyOf(parts, boundary), shares, crumb);
      const answer = await send(group, '/v3/media-prompts', boundary, body);
      const { data, errors = [] } = JSON.parse(answer.body.toString());
      const faults = errors.map(({ field, code }: { field: string; code: string }) => `${field} ${code}`);
      expect(faults.sort()).toEqual(expected.faults);
      expect(answer.status).toBe(expected.faults.length === 0 ? 201 : 400);
      if (answer.status === 201) expectData(data, expected);
    }),
    3,
  );
});

test('v1 reads any form, in any order and in any chunks, as the model does', async ({ group }) => {
  await holds(
    fc.asyncProperty(v1Forms, boundaries, cuts, crumbs, async (parts, boundary, shares, crumb) => {
      const expected = expectedOf(parts, V1);
      const body = chunked(bodyOf(parts, boundary), shares, crumb);
      const answer = await send(group, '/api/v1/media', boundary, body);
      const media = JSON.parse(answer.body.toString());
      const fields = [...new Set(expected.faults.map((fault) => fault.slice(0, fault.lastIndexOf(' '))))];
      expect(Object.keys(media.errors ?? {}).sort()).toEqual(fields.sort());
      expect(answer.status).toBe(expected.faults.length === 0 ? 201 : 400);
      if (answer.status !== 201) return;
      expect(media.description).toBe(expected.values.get('Description') || null);
      expect(media.fileSizeBytes).toBe(CONTENTS[expected.content ?? 'nothing'].byteLength);
    }),
    3,
  );
});
