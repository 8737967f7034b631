import { expect, test } from 'vitest';
import { inspectContent } from '../../src/audio/content.ts';
import { FORMATS } from '../../src/audio/formats.ts';
import { ACCEPTED, fixture, fixturePath, temporaryFolder } from './files.ts';

const write = temporaryFolder();
const TOLERANCE_MS = 60;

async function factsOf(path: string) {
  const inspection = await inspectContent(path);
  if (!inspection.fit) throw new Error(inspection.why);
  return inspection.facts;
}

test.each(ACCEPTED)('$name has the facts that ffprobe tells', async ({ name, durationMs, ...expected }) => {
  const facts = await factsOf(fixturePath(name));
  expect(facts).toMatchObject({ ...expected, container: name.split('.').at(-1) });
  expect(Math.abs((facts.durationMs ?? 0) - durationMs)).toBeLessThanOrEqual(TOLERANCE_MS);
});

test.each(ACCEPTED)('$name is known by its bytes under every wrong extension', async ({ name }) => {
  const truth = await factsOf(fixturePath(name));
  for (const extension of ['mp3', 'wav', 'm4a', 'txt']) {
    expect(await factsOf(write(`lie.${extension}`, fixture(name)))).toEqual(truth);
  }
});

test('the fixtures hold every format that is accepted', async () => {
  const containers = ACCEPTED.map(({ name }) => name.split('.').at(-1));
  expect(new Set(containers)).toEqual(new Set(Object.keys(FORMATS)));
});

test('a file that cannot be opened is an error and no verdict', async () => {
  await expect(inspectContent(`${fixturePath('tone.wav')}-not-there`)).rejects.toMatchObject({
    code: 'ENOENT',
  });
});
