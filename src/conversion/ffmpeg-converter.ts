import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { ConversionError, type Converter, type ConverterTask } from './converter.ts';
import type { Fence, RunBounds } from './fence.ts';
import { COMMON_ARGS, inputArgs } from './input-args.ts';
import { createTail, faultOf, removeOutputs, tookTooLong, wasCalledOff } from './outcome.ts';

export interface FfmpegOptions {
  /** The program's path. */
  readonly program: string;
  readonly version: string;
  readonly fence: Fence;
  /** The largest file that a run may write, in bytes. */
  readonly maxFileBytes: number;
  /** Of address space, by default 2 GiB: the libraries of a full build take a quarter of that. */
  readonly maxMemoryBytes?: number | undefined;
}

const MAX_MEMORY_BYTES = 2 * 1024 ** 3;

/** Runs the machine's own ffmpeg, a process for each task, behind the fence. */
export function createFfmpegConverter(options: FfmpegOptions): Converter {
  const { program, version, fence, maxFileBytes, maxMemoryBytes = MAX_MEMORY_BYTES } = options;
  const running = new Map<() => void, Promise<unknown>>();
  let isClosed = false;

  async function run(task: ConverterTask): Promise<{ readonly stderr: string }> {
    if (isClosed) throw wasCalledOff();
    if (task.signal?.aborted) throw wasCalledOff(task.signal.reason);
    const args = [...COMMON_ARGS, ...task.inputs.flatMap(inputArgs), ...task.args];
    const bounds: RunBounds = {
      cpuSeconds: Math.ceil(task.deadlineMs / 1000) + 1,
      fileBytes: maxFileBytes,
      memoryBytes: maxMemoryBytes,
    };
    const [file = '', ...rest] = [...fence.prefix(bounds), program, ...args];
    const child = spawn(file, rest, {
      cwd: task.folder,
      // Its own group, so that whatever it might have started ends with it.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' },
    });
    let fault: ConversionError | undefined;
    const end = (why: ConversionError) => {
      fault ??= why;
      killGroup(child);
    };
    const deadline = setTimeout(() => end(tookTooLong()), task.deadlineMs);
    const abort = () => end(wasCalledOff(task.signal?.reason));
    task.signal?.addEventListener('abort', abort, { once: true });
    const stop = () => end(wasCalledOff());
    const ended = endOf(child);
    running.set(stop, ended);
    try {
      const { code, signal, stderr } = await ended;
      fault ??= faultOf(signal ?? code, stderr);
      if (fault !== undefined) throw fault;
      return { stderr };
    } catch (error) {
      await removeOutputs(task);
      throw error;
    } finally {
      running.delete(stop);
      clearTimeout(deadline);
      task.signal?.removeEventListener('abort', abort);
    }
  }

  return {
    kind: 'ffmpeg',
    version,
    run,
    async close() {
      isClosed = true;
      const ends = [...running.values()];
      for (const stop of [...running.keys()]) stop();
      await Promise.allSettled(ends);
    },
  };
}

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

function endOf(child: ChildProcess): Promise<End> {
  const tail = createTail();
  child.stderr?.setEncoding('latin1').on('data', (piece: string) => tail.add(piece));
  return new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new ConversionError('failed', 'The converter could not be started.', { cause })),
    );
    child.once('close', (code, signal) => resolve({ code, signal, stderr: tail.text() }));
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself in the same moment.
  }
}
