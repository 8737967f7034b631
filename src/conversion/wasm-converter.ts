import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { ConversionError, type Converter, type ConverterTask } from './converter.ts';
import { COMMON_ARGS, inputArgs } from './input-args.ts';
import { faultOf, removeOutputs, tookTooLong, unusable, wasCalledOff } from './outcome.ts';
import type { WasmEnd, WasmRun } from './wasm-worker.ts';
import { type WasmModule, webAssembly } from './web-assembly.ts';

/** Where the core is. */
export interface WasmCore {
  /** Of the JavaScript and of the WebAssembly beside it. */
  readonly script: string;
  readonly binary: string;
  readonly version: string;
}

export interface WasmOptions {
  readonly core: WasmCore;
  /** The largest file that a run may write, in bytes. */
  readonly maxFileBytes: number;
  /** By default 512 MiB. */
  readonly maxMemoryBytes?: number | undefined;
}

const MAX_MEMORY_BYTES = 512 * 1024 ** 2;
const HEAP_MB = 64;
/** Run from `dist` the sibling is JavaScript; a compiler rewrites imports but no URLs. */
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './wasm-worker.ts' : './conversion-worker.js',
  import.meta.url,
);

/**
 * Runs an ffmpeg of WebAssembly, in a thread of its own for each task: it sees the task's files and nothing else of
 * the machine. The first task compiles it, and what was compiled is kept for the next ones.
 */
export function createWasmConverter(options: WasmOptions): Converter {
  const { core, maxFileBytes, maxMemoryBytes = MAX_MEMORY_BYTES } = options;
  const running = new Set<() => Promise<void>>();
  let compiled: Promise<WasmModule> | undefined;
  let isClosed = false;

  async function compile(): Promise<WasmModule> {
    try {
      compiled ??= readFile(core.binary).then((bytes) => webAssembly.compile(bytes));
      return await compiled;
    } catch (cause) {
      compiled = undefined;
      throw new ConversionError('failed', 'The converter could not be started.', { cause });
    }
  }

  async function run(task: ConverterTask): Promise<{ readonly stderr: string }> {
    const module = await compile();
    if (isClosed) throw wasCalledOff();
    if (task.signal?.aborted) throw wasCalledOff(task.signal.reason);
    const workerData: WasmRun = {
      core: core.script,
      module,
      folder: task.folder,
      inputs: task.inputs.map(({ file }) => file),
      outputs: task.outputs,
      args: [...COMMON_ARGS, ...task.inputs.flatMap(inputArgs), ...task.args],
      maxFileBytes,
      maxMemoryBytes,
    };
    try {
      const { code, stderr } = await endOf(task, workerData);
      const fault = faultOf(code, stderr);
      if (fault !== undefined) throw fault;
      return { stderr };
    } catch (error) {
      await removeOutputs(task);
      throw error;
    }
  }

  async function endOf({ deadlineMs, signal }: ConverterTask, workerData: WasmRun): Promise<WasmEnd> {
    const worker = new Worker(WORKER_URL, {
      workerData,
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    const { promise, resolve, reject } = Promise.withResolvers<WasmEnd>();
    const stop = async (why: ConversionError) => {
      reject(why);
      await worker.terminate();
    };
    const callOff = () => stop(wasCalledOff());
    const abort = () => void stop(wasCalledOff(signal?.reason));
    const deadline = setTimeout(() => void stop(tookTooLong()), deadlineMs);
    running.add(callOff);
    signal?.addEventListener('abort', abort, { once: true });
    worker.once('message', resolve);
    // WebAssembly ends a program that is led astray with an error, as a machine would with a signal.
    worker.once('error', (cause) => reject(faultOfWorker(cause)));
    worker.once('exit', () =>
      reject(new ConversionError('failed', 'The conversion ended without a result.')),
    );
    try {
      return await promise;
    } finally {
      // Also when it has said its result: a thread must be gone before the files that it might write are.
      await worker.terminate();
      running.delete(callOff);
      signal?.removeEventListener('abort', abort);
      clearTimeout(deadline);
    }
  }

  return {
    kind: 'wasm',
    version: core.version,
    run,
    async close() {
      isClosed = true;
      compiled = undefined;
      await Promise.all([...running].map((callOff) => callOff()));
    },
  };
}

function faultOfWorker(cause: unknown): ConversionError {
  if (cause instanceof Error && cause.name === 'RuntimeError') return unusable('The audio cannot be decoded');
  return new ConversionError('failed', 'The conversion failed on this machine.', { cause });
}
