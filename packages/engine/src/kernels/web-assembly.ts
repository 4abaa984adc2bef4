import { EnvironmentError } from "@gmc/core";

/** The little of the global `WebAssembly` we use; Node's types leave it to the DOM library, which we do not load. */
interface WebAssemblyApi {
  readonly Memory: new (limits: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { env: { memory: WasmMemory } },
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

const { Memory, Module, Instance } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

const PAGE_BYTES = 65536;
/** One page below the 4 GiB that 32-bit addresses reach, so that the end of the last block has an address too. */
export const LARGEST_BYTES = (65536 - 1) * PAGE_BYTES;

/**
 * Memory of at least `sizeBytes`, zeroed, that never grows.
 *
 * @param purpose  what it is for, at the start of the error's sentence
 * @throws {EnvironmentError} when it is more than WebAssembly can address or the machine can give
 */
export function allocateMemory(purpose: string, sizeBytes: number, shared = false): WasmMemory {
  const details = { sizeBytes, largestBytes: LARGEST_BYTES };
  if (sizeBytes > LARGEST_BYTES) {
    throw new EnvironmentError(
      `${purpose} needs ${gibibytes(sizeBytes)} of WebAssembly memory, which ends at ${gibibytes(LARGEST_BYTES)}; use a smaller one.`,
      details,
    );
  }
  const pages = Math.max(1, Math.ceil(sizeBytes / PAGE_BYTES));
  try {
    return new Memory({ initial: pages, maximum: pages, shared });
  } catch (cause) {
    throw new EnvironmentError(
      `${purpose} needs ${gibibytes(sizeBytes)} of memory, which this machine did not give; free some, or lift a limit on virtual memory (ulimit -v).`,
      details,
      { cause },
    );
  }
}

const modules = new Map<string, object>();

/** The functions of a compiled kernel module over this memory; the module is compiled once a process. */
export function instantiate<Functions>(base64: string, memory: WasmMemory): Functions {
  let module = modules.get(base64);
  if (!module) {
    module = new Module(Buffer.from(base64, "base64"));
    modules.set(base64, module);
  }
  return new Instance(module, { env: { memory } }).exports as unknown as Functions;
}

const gibibytes = (sizeBytes: number): string => `${(sizeBytes / 2 ** 30).toFixed(2)} GiB`;
