import { describe, expect } from 'vitest';
import { foldName } from '../../src/library/prompt.ts';
import { file, multipart, text } from '../support/multipart.ts';
import { type Ask, TONE, test } from './audit.ts';
import { INJECTIONS, NAMES } from './naughty-names.ts';
import type { WireAnswer } from './wire.ts';

const inForm = (value: string) => value.normalize('NFC').trim();
const isSayable = (value: string) =>
  inForm(value) !== '' && !value.includes('\0') && [...inForm(value)].length <= 255;

async function ask(send: Ask, target: string, parts: Parameters<typeof multipart>[0]): Promise<WireAnswer> {
  const { body, contentType } = multipart(parts);
  return await send({ method: 'POST', target, headers: { 'Content-Type': contentType }, body });
}

const dataOf = (answer: WireAnswer) => JSON.parse(answer.body.toString()).data;

/** A part's header ends with its line, so browsers escape what would end it. */
const escapedByBrowsers = (name: string) =>
  name.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22');

/** What a person would call the file. */
function lastSegment(path: string): string {
  const segment = path.split(/[\\/]/).at(-1) ?? '';
  return segment === '.' || segment === '..' ? '' : inForm(segment);
}

describe('a naughty name', () => {
  test('of a prompt is kept as it is, trimmed and composed, or refused, and found by itself', async ({
    group,
  }) => {
    const target = '/v3/media-prompts';
    const add = (send: Ask, name: string) =>
      ask(send, target, [file(TONE), text('name', name), text('message_type', 'survey')]);
    const byKey = new Map(NAMES.filter(isSayable).map((name) => [foldName(inForm(name)), name]));
    expect(byKey.size).toBeGreaterThan(500);
    await group.each(byKey.values(), async (name, send) => {
      const added = await add(send, name);
      expect(added.status).toBe(201);
      const { name: kept, filename, media_prompt_id: id } = dataOf(added);
      expect([kept, filename]).toEqual([inForm(name), inForm(name)]);
      expect(dataOf(await send({ method: 'GET', target: `${target}/${id}` })).name).toBe(kept);
      const query = `name=${encodeURIComponent(kept)}&limit=200`;
      const { media_prompts: found } = dataOf(await send({ method: 'GET', target: `${target}?${query}` }));
      expect(found.map(({ media_prompt_id }: { media_prompt_id: number }) => media_prompt_id)).toContain(id);
    });
    const kept = new Set(byKey.values());
    await group.each(
      NAMES.filter((name) => !kept.has(name)),
      async (name, send) => {
        expect((await add(send, name)).status).toBe(400);
      },
    );
  });

  test('of a file, or in a description, is kept in the answer and in the header of the content', async ({
    group,
  }) => {
    const target = '/api/v1/media';
    await group.each(NAMES, async (name, send) => {
      const escaped = escapedByBrowsers(name);
      const filename = escaped.replaceAll('\\', '\\\\');
      const sound = { name: 'File', content: TONE, filename, type: 'audio/wav' };
      const isFit = !name.includes('\0') && [...name].length <= 1000;
      const added = await ask(send, target, [sound, text('Description', name)]);
      expect(added.status).toBe(isFit ? 201 : 400);
      if (!isFit) return;
      const { originalFileName, id, description } = JSON.parse(added.body.toString());
      expect(description).toBe(name || null);
      const kept = lastSegment(escaped);
      if (kept === '') expect(originalFileName).toMatch(/^audio( \(\d+\))?$/);
      else expect(originalFileName).toBe([...kept].slice(0, 255).join('').trimEnd());
      const content = await send({ method: 'GET', target: `${target}/${id}/content` });
      expect(content.status).toBe(200);
      expect(content.body.equals(TONE)).toBe(true);
      expect(content.headers['content-disposition']).toMatch(/^attachment(; filename[*]?=[\x20-\x7e]+)?$/);
      expect(content.lines.filter((line) => /^content-disposition:/i.test(line))).toHaveLength(1);
      const changed = await send({
        method: 'PATCH',
        target: `${target}/${id}`,
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ description: `${name}!` }),
      });
      expect(JSON.parse(changed.body.toString()).description).toBe(`${name}!`);
    });
  });
});

test('a naughty text in a query, a cursor or a header finds nothing and breaks nothing', async ({
  group,
}) => {
  await group.each(NAMES, async (name, send) => {
    const value = encodeURIComponent(name.toWellFormed());
    for (const key of ['cursor', 'sort_by', 'org_unit_id']) {
      const { status } = await send({ method: 'GET', target: `/v3/media-prompts?${key}=${value}` });
      // A few of them are numbers.
      expect(status === 400 || (/^\d+$/.test(name) && [200, 404].includes(status))).toBe(true);
    }
    const unknown = await send({ method: 'GET', target: `/v3/media-prompts?limit=1&${value}=${value}` });
    expect([200, 400]).toContain(unknown.status);
    for (const prefix of ['/v3/media-prompts/', '/uploads/call-flow-recordings/']) {
      const { status } = await send({ method: 'GET', target: prefix + value }, 'either');
      expect([200, 400, 404]).toContain(status);
    }
    // What would end the line is another test's.
    const header = Buffer.from(name)
      .toString('latin1')
      .replaceAll(/[\r\n\0]/g, ' ');
    const headers = { 'X-Request-Id': header, 'X-Name': header, Accept: header, 'Accept-Language': header };
    const answer = await send({ method: 'GET', target: '/v3/media-prompts?limit=1', headers });
    expect([200, 400]).toContain(answer.status);
  });
});

test('no line of a header can be written through any value', async ({ group }) => {
  await group.each(INJECTIONS, async (value, send) => {
    const targets = [
      `/v3/media-prompts?name=${value}`,
      `/v3/media-prompts?cursor=${value}`,
      `/v3/media-prompts/${value}`,
      `/api/v1/media/${value}`,
      `/uploads/call-flow-recordings/${value}`,
      `/${value}`,
      `/docs/${value}`,
    ];
    for (const target of targets) {
      // Raw line breaks and spaces would make it another request.
      if (/[\s\0]/.test(target)) continue;
      const { lines, headers } = await send({ method: 'GET', target }, 'either');
      expect(lines.filter((line) => /set-cookie|injected|charset=UTF-7/i.test(line))).toEqual([]);
      expect(headers['content-type']).not.toMatch(/text\/html;charset=UTF-7/i);
    }
  });
});
