import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { createTail } from './outcome.ts';
import { type CoreFileSystem, lendInput, lendOutput } from './wasm-files.ts';
import { type WasmImports, type WasmInstance, type WasmModule, webAssembly } from './web-assembly.ts';

/** What a worker is started with: one run. */
export interface WasmRun {
  /** The path of the package's JavaScript. */
  readonly core: string;
  readonly module: WasmModule;
  readonly folder: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly args: readonly string[];
  readonly maxFileBytes: number;
  readonly maxMemoryBytes: number;
}

/** What a worker says, once. */
export interface WasmEnd {
  readonly code: number;
  readonly stderr: string;
}

/** The part of @ffmpeg/core that is used here. */
interface Core {
  readonly FS: CoreFileSystem;
  exec(...args: readonly string[]): number;
  setLogger(logger: (line: { readonly type: string; readonly message: string }) => void): void;
}

type CreateCore = (options: {
  instantiateWasm(imports: WasmImports, receive: (instance: WasmInstance) => void): Record<string, never>;
}) => Promise<Core>;

const PAGE_BYTES = 65_536;

/** The core takes a refusal for a machine without memory, of which ffmpeg makes an error. */
function boundMemory(maxBytes: number): void {
  const { prototype } = webAssembly.Memory;
  const { grow } = prototype;
  prototype.grow = function (pages) {
    if (this.buffer.byteLength + pages * PAGE_BYTES > maxBytes) throw new RangeError('no more memory');
    return grow.call(this, pages);
  };
}

async function runOnce(run: WasmRun): Promise<WasmEnd> {
  boundMemory(run.maxMemoryBytes);
  // The core believes that it is in a browser's worker, and asks where.
  Object.assign(globalThis, { self: { location: { href: '' } } });
  const createCore: CreateCore = createRequire(import.meta.url)(run.core);
  const core = await createCore({
    instantiateWasm(imports, receive) {
      void webAssembly.instantiate(run.module, imports).then(receive);
      return {};
    },
  });
  const tail = createTail();
  core.setLogger(({ message }) => tail.add(`${message}\n`));
  for (const name of run.inputs) lendInput(core.FS, run.folder, name);
  for (const name of run.outputs) lendOutput(core.FS, run.folder, name, run.maxFileBytes);
  const code = core.exec(...run.args);
  return { code, stderr: tail.text() };
}

// The compiler cannot know what the other thread sends; only `wasm-converter.ts` starts this.
const end = await runOnce(workerData as WasmRun);
parentPort?.postMessage(end);
