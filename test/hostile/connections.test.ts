import { describe, expect } from 'vitest';
import { multipart, promptForm } from '../support/multipart.ts';
import { type Group, test } from './audit.ts';
import { answersOf, converse, get, raw } from './conversation.ts';
import { bytesOf } from './wire.ts';

const LIST = '/v3/media-prompts?limit=1';

describe('a request inside another', () => {
  const hidden = (group: Group) =>
    bytesOf({
      method: 'DELETE',
      target: '/v3/media-prompts/1',
      headers: { Authorization: `Bearer ${group.bearer}` },
    }).toString();

  test('that is within the length of a body is body', async ({ service, group }) => {
    const { body, contentType } = multipart(promptForm('Not deleted by its own form', {}));
    const headers = { Authorization: `Bearer ${group.bearer}`, 'Content-Type': contentType };
    for (const [method, target] of [
      ['POST', '/v3/media-prompts'],
      ['POST', '/api/v1/media'],
      ['GET', '/v3/media-prompts'],
      ['PUT', '/nothing'],
    ] as const) {
      const connection = await group.open();
      connection.send(
        bytesOf({ method, target, headers, body: Buffer.concat([Buffer.from(hidden(group)), body]) }),
      );
      const answer = await connection.answer(method);
      expect([200, 201, 400, 404]).toContain(answer?.status);
      if (answer !== undefined) group.note({ method }, answer);
      connection.send(get('/healthz'));
      expect(JSON.parse((await connection.answer())?.body.toString() ?? '')).not.toHaveProperty(
        'data.media_prompt_id',
      );
      expect(connection.leftover().toString()).toBe('');
      connection.close();
    }
    expect(await service.rows('select 1 from prompts')).not.toEqual([]);
  });

  test('behind a refused one is not answered where its beginning is in doubt', async ({ group }) => {
    const doubtful = [
      'Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
      'Content-Length: 5\r\nContent-Length: 6\r\n\r\n0\r\n\r\n',
      'Transfer-Encoding: chunked\r\n\r\n5\r\nab\r\n0\r\n\r\n',
    ];
    for (const head of doubtful) {
      const answers = await converse(group, `POST / HTTP/1.1\r\nHost: a\r\n${head}${hidden(group)}`);
      // The path may be refused before its body is seen to be none.
      expect(['400', '404,400'], head).toContain(answers.map(({ status }) => status).join());
    }
  });
});

describe('a connection', () => {
  test('answers what is pipelined in its order, each once', async ({ group }) => {
    const bearer = `Authorization: Bearer ${group.bearer}`;
    const targets = Array.from(
      { length: 60 },
      (_, i) =>
        [
          `/v3/media-prompts?limit=${i + 1}`,
          `/nothing/${i}`,
          `/api/v1/media/${i}`,
          `/v3/media-prompts?limit=0`,
        ][i % 4] ?? '',
    );
    const connection = await group.open();
    connection.send(targets.map((target) => get(target, bearer)).join(''));
    for (const [i, target] of targets.entries()) {
      const answer = await connection.answer();
      expect(answer?.status, target).toBe([200, 404, 400, 400][i % 4]);
    }
    expect(connection.leftover().toString()).toBe('');
    expect(connection.isOpen()).toBe(true);
    connection.close();
  });

  test('whose client says no more is closed, before or behind the answer', async ({ group }) => {
    await group.each([LIST, '/nothing', '/api/v1/media', '/healthz', '/%zz'], async (target) => {
      const connection = await group.open();
      connection.send(get(target, `Authorization: Bearer ${group.bearer}`));
      connection.finish();
      expect((await answersOf(connection)).length).toBeLessThanOrEqual(1);
      expect(connection.leftover().toString()).toBe('');
      connection.close();
    });
  });

  test('on which nothing, or half of something, is said and that is then cut costs nothing', async ({
    group,
  }) => {
    const whole = get(LIST, `Authorization: Bearer ${group.bearer}`);
    await group.each(
      Array.from({ length: 60 }, (_, i) => i),
      async (i) => {
        const connection = await group.open();
        connection.send(whole.slice(0, Math.floor((whole.length * i) / 60)));
        if (i % 3 === 0) connection.reset();
        else if (i % 3 === 1) connection.close();
        else {
          connection.finish();
          await answersOf(connection);
          connection.close();
        }
      },
    );
  });

  test('is good for another request after each refusal that says so', async ({ group }) => {
    const bearer = `Authorization: Bearer ${group.bearer}`;
    const refusals = [
      get('/nothing', bearer),
      get('/v3/media-prompts?limit=0', bearer),
      get('/v3/media-prompts'),
      get('/api/v1/media/x', bearer),
      get('/%zz', bearer),
      raw('PUT /v3/media-prompts HTTP/1.1', 'Host: a', bearer, 'Content-Length: 0'),
      `${raw('POST /v3/media-prompts HTTP/1.1', 'Host: a', bearer, 'Content-Length: 4')}abcd`,
      `${raw('POST /api/v1/media HTTP/1.1', 'Host: a', bearer, 'Content-Type: text/plain', 'Content-Length: 4')}abcd`,
    ];
    for (const refusal of refusals) {
      const connection = await group.open();
      for (let i = 0; i < 3 && connection.isOpen(); i += 1) {
        connection.send(refusal);
        const answer = await connection.answer();
        expect(answer?.status).toBeGreaterThanOrEqual(400);
        if (answer?.headers['connection'] === 'close') break;
        connection.send(get(LIST, bearer));
        expect((await connection.answer())?.status).toBe(200);
      }
      connection.close();
    }
  });
});
