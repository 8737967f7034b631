import { expect } from 'vitest';
import { SECRET } from '../support/service.ts';
import { TONE, test } from './audit.ts';
import { hostileAuthorizations } from './crafted-tokens.ts';

const { good, hostile } = hostileAuthorizations(SECRET);

/** A request of each kind that a token guards. */
const GUARDED = [
  ['GET', '/v3/media-prompts?limit=1'],
  ['POST', '/v3/media-prompts'],
  ['DELETE', '/v3/media-prompts/1'],
  ['GET', '/api/v1/media'],
] as const;

test('the token that the others are made from opens the door', async ({ group }) => {
  const { status } = await group.ask({
    method: 'GET',
    target: GUARDED[0][1],
    headers: { Authorization: good },
  });
  expect(status).toBe(200);
});

test('no hostile token opens the door, nor brings it down', async ({ group }) => {
  expect(hostile.size).toBeGreaterThan(200);
  await group.each(hostile, async ([, Authorization], ask) => {
    for (const [method, target] of GUARDED) {
      const body = method === 'POST' ? { body: TONE } : {};
      const { status, headers } = await ask({ method, target, headers: { Authorization }, ...body });
      expect(status).toBe(401);
      expect(headers['www-authenticate']).toBe('Bearer');
    }
  });
});

test('a door that is opened once stays shut for the same token with another signature', async ({ group }) => {
  const flipped = good.slice(0, -2) + (good.endsWith('AA') ? 'BB' : 'AA');
  const { target } = { target: '/v3/media-prompts?limit=1' };
  for (const [Authorization, expected] of [
    [good, 200],
    [flipped, 401],
    [good, 200],
    [flipped, 401],
  ] as const) {
    expect((await group.ask({ method: 'GET', target, headers: { Authorization } })).status).toBe(expected);
  }
});

test('what a proxy would say of the client opens nothing', async ({ group }) => {
  const lies = {
    'X-Forwarded-For': '127.0.0.1',
    'X-Forwarded-Host': 'evil.example',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-User': 'admin',
    'X-Real-IP': '127.0.0.1',
    'X-Original-URL': '/healthz',
    'X-Rewrite-URL': '/healthz',
    'X-HTTP-Method-Override': 'GET',
    'X-User-Id': '1',
    'X-Org-Unit-Id': '1',
    Forwarded: 'for=127.0.0.1;host=evil.example;proto=https',
    Cookie: `token=${good}; Authorization=${good}`,
    Authorization: '',
  };
  await group.each(GUARDED, async ([method, target], ask) => {
    const answer = await ask({ method, target, headers: lies });
    expect(answer.status).toBe(401);
    expect(answer.lines.join('\n') + answer.body.toString()).not.toContain('evil.example');
  });
  for (const target of [
    `/v3/media-prompts?access_token=${good.slice(7)}`,
    `/v3/media-prompts?token=${good}`,
  ]) {
    const asked = { method: 'GET', target: target.replaceAll(' ', '%20'), headers: { Authorization: '' } };
    expect((await group.ask(asked)).status).toBe(401);
  }
});
