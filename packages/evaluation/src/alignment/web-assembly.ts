import { EnvironmentError } from "@gmc/core";

/** The little of the global `WebAssembly` we use; Node's types leave it to the DOM library, which we do not load. */
interface WebAssemblyApi {
  readonly Memory: new (limits: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { env: { memory: object } },
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}

const { Memory, Module, Instance } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

const PAGE_BYTES = 65536;
const LARGEST_BYTES = 65535 * PAGE_BYTES;

/**
 * A kernel module with its own memory of `sizeBytes`, zeroed. The engine has a loader of its own: importing that package
 * here would load onnxruntime into every thread.
 *
 * @throws {EnvironmentError} when the memory is more than WebAssembly can address or the machine can give
 */
export function openKernel<Functions>(
  base64: string,
  sizeBytes: number,
): { readonly functions: Functions; readonly buffer: ArrayBuffer } {
  const memory = allocate(sizeBytes);
  const instance = new Instance(new Module(Buffer.from(base64, "base64")), { env: { memory } });
  return { functions: instance.exports as unknown as Functions, buffer: memory.buffer };
}

function allocate(sizeBytes: number) {
  const pages = Math.max(1, Math.ceil(sizeBytes / PAGE_BYTES));
  try {
    if (sizeBytes > LARGEST_BYTES) throw new RangeError("WebAssembly memory ends at 4 GiB");
    return new Memory({ initial: pages, maximum: pages });
  } catch (cause) {
    throw new EnvironmentError(
      `The alignment kernel needs ${(sizeBytes / 2 ** 30).toFixed(2)} GiB of memory for each thread, which is not to be had; use fewer points or threads.`,
      { sizeBytes, largestBytes: LARGEST_BYTES },
      { cause },
    );
  }
}
