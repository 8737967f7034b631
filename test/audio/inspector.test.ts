import { truncateSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createInspector } from '../../src/audio/inspector.ts';
import { ACCEPTED, fixture, fixturePath, temporaryFolder } from './files.ts';

const write = temporaryFolder();

/** Frames and then a hole of 64 GiB, which no reader searches within a test's patience. */
function endlessFile(): string {
  const path = write('endless.mp3', fixture('no-xing.mp3'));
  truncateSync(path, 64 * 2 ** 30);
  return path;
}

test('more files than workers are all answered, each with its own facts', async () => {
  await using inspector = disposable(createInspector({ workers: 2 }));
  const inspections = await Promise.all(ACCEPTED.map(({ name }) => inspector.inspect(fixturePath(name))));
  expect(inspections.map((each) => each.fit && each.facts.codec)).toEqual(ACCEPTED.map(({ codec }) => codec));
});

test('a file that takes too long is unreadable, and its worker is replaced', async () => {
  await using inspector = disposable(createInspector({ workers: 1, deadlineMs: 1000 }));
  const endless = inspector.inspect(endlessFile());
  const next = inspector.inspect(fixturePath('tone.mp3'));
  expect(await endless).toEqual({
    fit: false,
    reason: 'unreadable',
    why: 'The file took too long to read; export the recording again and upload the new file.',
  });
  expect(await next).toMatchObject({ fit: true, facts: { container: 'mp3' } });
});

test('a file that is not there is an error, and the worker goes on', async () => {
  await using inspector = disposable(createInspector({ workers: 1 }));
  await expect(inspector.inspect(fixturePath('nowhere.wav'))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await inspector.inspect(fixturePath('tone.wav'))).toMatchObject({ fit: true });
});

test('whoever aborts no longer waits, and no one else is held up', { timeout: 20_000 }, async () => {
  await using inspector = disposable(createInspector({ workers: 1, deadlineMs: 1000 }));
  const endless = endlessFile();
  const running = new AbortController();
  const queued = new AbortController();
  const first = inspector.inspect(endless, running.signal);
  const left = Promise.allSettled(
    Array.from({ length: 50 }, () => inspector.inspect(endless, queued.signal)),
  );
  const last = inspector.inspect(fixturePath('tone.flac'), AbortSignal.timeout(60_000));
  queued.abort(new Error('the second left'));
  running.abort(new Error('the first left'));
  await expect(first).rejects.toThrow('the first left');
  expect(new Set((await left).map(({ status }) => status))).toEqual(new Set(['rejected']));
  await expect(inspector.inspect(endless, queued.signal)).rejects.toThrow('the second left');
  expect(await last).toMatchObject({ fit: true, facts: { container: 'flac' } });
});

test('closing ends the workers and rejects whoever waits or comes later', async () => {
  const inspector = createInspector({ workers: 1 });
  await inspector.inspect(fixturePath('tone.wav'));
  const running = inspector.inspect(endlessFile());
  const queued = inspector.inspect(fixturePath('tone.wav'));
  const outcomes = Promise.allSettled([running, queued]);
  await inspector.close();
  const closed = { status: 'rejected', reason: new Error('the inspector is closed') };
  expect(await outcomes).toEqual([closed, closed]);
  await expect(inspector.inspect(fixturePath('tone.wav'))).rejects.toThrow('the inspector is closed');
  await inspector.close();
});

test('an inspector that nobody used closes at once', async () => {
  await createInspector().close();
});

function disposable<T extends { close(): Promise<void> }>(resource: T) {
  return { ...resource, [Symbol.asyncDispose]: () => resource.close() };
}
