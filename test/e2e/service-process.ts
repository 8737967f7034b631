import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { onTestFinished, vi } from 'vitest';
import { fixture } from '../support/multipart.ts';

/** The service as an operator runs it: a process, its output and its exit. Knows nothing of the source. */
export interface ServiceProcess {
  readonly pid: number;
  readonly base: string;
  readonly output: readonly string[];
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** Sends a signal and waits for the end; the exit code, or the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | string>;
}

// They build and start whole processes, beside other tests.
vi.setConfig({ testTimeout: 120_000 });

const SERVICE = ['src/main.ts'] as const;

export const environment = (dataDir: string, env: Readonly<Record<string, string>> = {}) => ({
  PATH: process.env['PATH'] ?? '',
  HOME: process.env['HOME'] ?? '',
  DATA_DIR: dataDir,
  PORT: '0',
  // Converting takes a processor for itself; who tests it says so.
  RENDITION_ENGINE: 'off',
  ...env,
});

/** Starts the service and resolves at its ready line. Rejects with its output when it ends before. */
export async function startProcess(
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
  command: readonly [string, ...string[]] = [process.execPath, ...SERVICE],
): Promise<ServiceProcess> {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    env: environment(dataDir, env),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const ended = exitOf(child);
  // Also when the test fails or runs out of time.
  onTestFinished(() => void child.kill('SIGKILL'));
  const output: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => output.push(line));
  const address = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      output.push(line);
      const [, found] = /"msg":"ready at ([^"]+)"/.exec(line) ?? [];
      if (found !== undefined) resolve(found);
    });
    void ended.then((code) => reject(new Error(`ended with ${code}:\n${output.join('\n')}`)));
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('no process');
  return {
    pid,
    base: address,
    output,
    ended,
    async end(signal) {
      child.kill(signal);
      return await ended;
    },
  };
}

/** Runs a command to its end. */
export async function run(
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | string; readonly stdout: string; readonly stderr: string }> {
  const [program, ...args] = command;
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      chunks[name] += text;
    });
  }
  return { code: await exitOf(child), ...chunks };
}

export const cli = (dataDir: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  run([process.execPath, 'src/cli.ts', ...args], environment(dataDir, env));

export async function tokenFor(dataDir: string, ...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await cli(dataDir, ['token', ...args]);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

export async function withDataDir<T>(work: (dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'media-prompts-e2e-'));
  try {
    return await work(dataDir);
  } finally {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

/** The files that hold bytes of prompts, published or arriving. */
export async function bytesOnDisk(dataDir: string): Promise<string[]> {
  const uploads = join(dataDir, 'uploads');
  const folders = await Promise.all(
    ['call-flow-recordings', '.arriving'].map((folder) => readdir(join(uploads, folder))),
  );
  return folders.flat().sort();
}

async function exitOf(child: ChildProcessByStdio<null, Readable, Readable>): Promise<number | string> {
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return code ?? signal ?? 'unknown';
}

/** What an upload was answered. */
export interface UploadedFile {
  readonly media_prompt_id: number;
  readonly url: string;
  /** Bytes. */
  readonly file_size: number;
}

/** Uploads a small file, which must be taken. */
export async function uploadFile(
  service: ServiceProcess,
  token: string,
  name: string,
): Promise<UploadedFile> {
  const form = new FormData();
  form.set('file', new Blob([fixture('tone.mp3')]), 'tone.mp3');
  form.set('name', name);
  form.set('message_type', 'prompt');
  const response = await fetch(`${service.base}/v3/media-prompts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: form,
  });
  const text = await response.text();
  if (response.status !== 201) throw new Error(`${response.status}: ${text}`);
  return (JSON.parse(text) as { data: UploadedFile }).data;
}
