import { readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { multipart, promptForm } from '../support/multipart.ts';
import { TONE, test } from './audit.ts';

const corpus = (name: string) => readFileSync(new URL(`../corpus/${name}`, import.meta.url), 'utf8');
const lines = (name: string) =>
  corpus(name)
    .split('\n')
    .filter((line) => line !== '');

/** What stands in a request line: bytes that would end it are escaped, all others go as they are. */
const inTarget = (path: string) =>
  [...Buffer.from(path)]
    .map((byte) =>
      byte <= 0x20 || byte >= 0x7f ? `%${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte),
    )
    .join('');

const FILES = ['etc/passwd', 'jwt-secret', 'database/PG_VERSION', 'package.json'];
const TRAVERSALS = [
  ...lines('traversals-8-deep-exotic-encoding.txt').map((line, i) =>
    line.replaceAll('{FILE}', FILES[i % FILES.length] ?? ''),
  ),
  ...lines('JHADDIX_LFI.txt'),
];

const NAME = `file-1768912496789-${'0'.repeat(39)}`;
const PREFIX = '/uploads/call-flow-recordings/';

/** Ways to say that one is somewhere else than one is. */
const FORMS = [
  `${NAME}.wav/`,
  `${NAME}.wav/.`,
  `${NAME}.wav/..`,
  `./${NAME}.wav`,
  `.//${NAME}.wav`,
  `/${NAME}.wav`,
  `//${NAME}.wav`,
  `x/../${NAME}.wav`,
  `x/..%2f${NAME}.wav`,
  `..%2fcall-flow-recordings%2f${NAME}.wav`,
  `%2e/${NAME}.wav`,
  `%2E%2E/call-flow-recordings/${NAME}.wav`,
  `..;/call-flow-recordings/${NAME}.wav`,
  `..\\call-flow-recordings\\${NAME}.wav`,
  `%5c..%5c${NAME}.wav`,
  `${NAME.toUpperCase()}.wav`,
  `${NAME}.WAV`,
  `${NAME}.Wav`,
  `${NAME}.wav.`,
  `${NAME}.wav..`,
  `${NAME}..wav`,
  `.${NAME}.wav`,
  `${NAME}.wav%20`,
  `%20${NAME}.wav`,
  `${NAME}.wav%09`,
  `${NAME}.wav%0a`,
  `${NAME}.wav%0d%0aSet-Cookie:%20a=b`,
  `${NAME}.wav%00`,
  `${NAME}.wav%00.mp3`,
  `${NAME}%00.wav`,
  `${NAME}.wav::$DATA`,
  `${NAME}.wav:x.wav`,
  `${NAME}.wav:$i30:$INDEX_ALLOCATION`,
  `${NAME}.wav~1`,
  `FILE-1~1.WAV`,
  `${NAME}.wav;a=b`,
  `${NAME}.wav%3f`,
  `${NAME}.wav%23`,
  `${NAME}.wav/x`,
  `${NAME}%2ewav`,
  `%66${NAME.slice(1)}.wav`,
  `%c0%ae%c0%ae/jwt-secret`,
  `%e0%80%ae%e0%80%ae/jwt-secret`,
  `%f0%80%80%ae/jwt-secret`,
  `%c1%9c..%c1%9cjwt-secret`,
  `%u002e%u002e%u2215jwt-secret`,
  `%uff0e%uff0e/jwt-secret`,
  `%ef%bc%8e%ef%bc%8e/jwt-secret`,
  `%25%32%65%25%32%65/jwt-secret`,
  `..%252f..%252fjwt-secret`,
  `..%25252fjwt-secret`,
  '%',
  '%2',
  '%zz',
  '%%32%65',
  'a%',
  '%ed%a0%80.wav',
  '%fe%ff.wav',
  '.arriving',
  '../.arriving/',
  '*',
  '?',
  '%3f',
  'CON',
  'nul.wav',
  'aux.wav',
  'com1.wav',
  'C:',
  'C:/jwt-secret',
  'C%3a%5cjwt-secret',
  '\\\\localhost\\c$\\jwt-secret',
  '//localhost/jwt-secret',
  'file:///etc/passwd',
  'http://127.0.0.1/',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty.wav',
  '-'.repeat(5000),
  '/'.repeat(5000),
  '%2e'.repeat(3000),
  '../'.repeat(2000),
  `${'a-'.repeat(3000)}.wav`,
  `${'.'.repeat(5000)}wav`,
];

describe('a path that wants out of the house', () => {
  for (const prefix of [PREFIX, '/uploads/', '/v3/media-prompts/', '/api/v1/media/', '/']) {
    test(`gets nothing below ${prefix}`, async ({ service, group }) => {
      const secret = 'a secret for tests';
      await group.each(new Set([...TRAVERSALS, ...FORMS].map(inTarget)), async (path, ask) => {
        const target = path.startsWith('/') && prefix.endsWith('/') ? prefix + path.slice(1) : prefix + path;
        const { status, body } = await ask({ method: 'GET', target }, 'either');
        // Some lists hold a query alone, which leaves the list or the page that was asked for.
        if (status < 400) expect(target).toMatch(/^(\/v3\/media-prompts|\/api\/v1\/media)\/?\?/);
        expect([400, 404, 200]).toContain(status);
        expect(body.toString()).not.toContain(secret);
        expect(body.toString()).not.toContain('root:');
      });
      expect(await service.files()).toMatchObject({ arriving: [] });
    });
  }

  test('is told no more by DELETE, PATCH and HEAD', async ({ group }) => {
    await group.each(FORMS.map(inTarget), async (path, ask) => {
      for (const method of ['HEAD', 'DELETE', 'PATCH']) {
        for (const prefix of [PREFIX, '/v3/media-prompts/', '/api/v1/media/']) {
          const { status } = await ask({ method, target: prefix + path }, 'either');
          expect(status).toBeGreaterThanOrEqual(400);
        }
      }
    });
  });

  test('plays a recording that is there under its own name alone, however that is escaped', async ({
    group,
  }) => {
    const { body, contentType } = multipart(promptForm('Played by its name'));
    const headers = { 'Content-Type': contentType };
    const added = await group.ask({ method: 'POST', target: '/v3/media-prompts', headers, body });
    const { recording_name: name } = JSON.parse(added.body.toString()).data;
    const forms = FORMS.map((form) =>
      inTarget(form.replaceAll(NAME, name).replace(NAME.slice(1), name.slice(1))),
    );
    let played = 0;
    await group.each([`${name}.wav`, ...forms], async (path, ask) => {
      const answer = await ask({ method: 'GET', target: PREFIX + path }, 'either');
      if (answer.status !== 200) return;
      expect(decodeURIComponent(path.split('?')[0] ?? '')).toBe(`${name}.wav`);
      expect(answer.body.equals(TONE)).toBe(true);
      played += 1;
    });
    expect(played).toBe(3);
  });
});
