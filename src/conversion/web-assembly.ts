/** What was compiled; it may be handed to other threads. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: string;
}

/** The imports that the core hands through, and the instance that it gets back. */
export type WasmImports = Readonly<Record<string, unknown>>;
export type WasmInstance = Readonly<Record<string, unknown>>;

/** The part of the platform's API that is used here. TypeScript knows it only together with a browser's. */
interface WebAssemblyApi {
  compile(bytes: Uint8Array): Promise<WasmModule>;
  instantiate(module: WasmModule, imports: WasmImports): Promise<WasmInstance>;
  readonly Memory: {
    readonly prototype: { grow(this: { readonly buffer: ArrayBuffer }, pages: number): number };
  };
}

// A checked edge: every Node has it.
export const webAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;
