import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { isRunning } from '../is-running.ts';

/** Hosts, and containers, may share the folder, and each counts its processes by itself. */
const PREFIX = `media-prompts-renditions-${hostname()}-`;

/** Does work in a folder of its own, mode 0700, which is gone with all in it when this settles. */
export async function onWorkbench<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes what processes left that were killed at work. To be called before this one begins any. Never rejects. */
export async function clearWorkbenches(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(PREFIX)) continue;
    const [, pid] = /^(\d+)-/.exec(name.slice(PREFIX.length)) ?? [];
    if (pid === undefined || isOthers(Number(pid))) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Numbers are given again: one that is ours was somebody's before. */
const isOthers = (pid: number) => pid !== process.pid && isRunning(pid);
