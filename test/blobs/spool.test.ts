import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openSpool, type Spool } from '../../src/blobs/spool.ts';
import { codeOf } from './contract.ts';

const never = new AbortController().signal;
const DAY = 24 * 3600;

async function newRoot(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-spool-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'spool');
}

/** As many chunks of 100 bytes as wanted. */
const chunks = (count: number) => Readable.from(Array.from({ length: count }, () => Buffer.alloc(100)));

const take = (spool: Spool, name: string, count: number, look: () => void = () => undefined) =>
  spool.take(name, chunks(count), never, look);

async function namesIn(spool: Spool): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { key } of spool.list()) names.push(key);
  return names.sort();
}

describe('a spool', () => {
  test('takes no more bytes than it may, over all files, and has room again', async () => {
    const spool = await openSpool(await newRoot(), 350);
    await take(spool, 'first', 2);
    const second = chunks(2);
    expect(await codeOf(spool.take('second', second, never, () => undefined))).toBe('full');
    expect(second.destroyed).toBe(true);
    expect(await namesIn(spool)).toEqual(['first']);
    await take(spool, 'third', 1);
    await spool.drop('third');
    await spool.drop('third');
    await spool.drop('first');
    await take(spool, 'fourth', 3);
    expect(await codeOf(take(spool, 'fifth', 1))).toBe('full');
  });

  test('counts nothing of what broke off', async () => {
    const spool = await openSpool(await newRoot(), 250);
    const refuse = () => {
      throw new Error('refused');
    };
    for (let i = 0; i < 5; i += 1)
      await expect(take(spool, `one-${i}`, 2, refuse)).rejects.toThrow('refused');
    const gone = new AbortController();
    await expect(spool.take('gone', chunks(2), gone.signal, () => gone.abort())).rejects.toThrow();
    await take(spool, 'one', 2);
    expect(await namesIn(spool)).toEqual(['one']);
  });

  test('is seen by all processes of a machine, and any of them may drop what is in it', async () => {
    const root = await newRoot();
    const [one, other] = [await openSpool(root, 1000), await openSpool(root, 1000)];
    const path = await take(one, 'mine', 1);
    expect((await readFile(path)).byteLength).toBe(100);
    expect(await namesIn(other)).toEqual(['mine']);
    await other.drop('mine');
    expect(await namesIn(one)).toEqual([]);
  });

  test('is made again when somebody tidied it away', async () => {
    const root = await newRoot();
    const spool = await openSpool(root, 1000);
    await rm(root, { recursive: true });
    expect(await codeOf(spool.check())).toBe('unavailable');
    await take(spool, 'one', 1);
    await spool.check();
    expect(await namesIn(spool)).toEqual(['one']);
  });

  test('can be read by nobody else', async () => {
    const root = await newRoot();
    await openSpool(root, 1000);
    const { mode } = await stat(root);
    expect(mode & 0o777).toBe(0o700);
  });
});

describe('what is left in a spool', () => {
  /** The largest number that the kernel gives to a process is smaller. */
  const NOBODY = 99_999_999;

  async function leave(root: string, folder: string, secondsAgo = 0): Promise<void> {
    const path = join(root, folder);
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'left'), 'bytes');
    const at = Date.now() / 1000 - secondsAgo;
    await utimes(join(path, 'left'), at, at);
    await utimes(path, at, at);
  }

  const cases = [
    ['goes with a process that ended', `${hostname()}-${NOBODY}-abcdef`, 0, false],
    ['goes with one that had our number', `${hostname()}-${process.pid}-abcdef`, 0, false],
    ['stays with one that runs', `${hostname()}-${process.ppid}-abcdef`, 0, true],
    ['stays where nobody knows whether it runs', `another-host-${NOBODY}-abcdef`, DAY - 60, true],
    ['goes where nothing moved for a day', `another-host-${NOBODY}-abcdef`, DAY + 60, false],
    ['stays when it is none of ours', 'lost+found', 2 * DAY, true],
  ] as const;
  test.each(cases)('%s', async (_what, folder, secondsAgo, stays) => {
    const root = await newRoot();
    await leave(root, folder, secondsAgo);
    await openSpool(root, 1000);
    expect((await readdir(root)).includes(folder)).toBe(stays);
  });

  test('never goes while this process uses it', async () => {
    const root = await newRoot();
    const spool = await openSpool(root, 1000);
    await take(spool, 'mine', 1);
    await openSpool(root, 1000);
    expect(await namesIn(spool)).toEqual(['mine']);
  });
});
