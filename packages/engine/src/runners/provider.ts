import { check, create } from "./ort-call.ts";
import type { OrtLibrary, Pointer } from "./ort-library.ts";

/** Devices beside the CPU that onnxruntime computes on. */
export type DeviceKind = "webgpu" | "cuda";

/** One of onnxruntime's execution providers: what puts a session on a device. */
export interface Provider {
  readonly kind: DeviceKind;
  /** Its name among onnxruntime's providers. */
  readonly provider: string;
  /** onnxruntime's name of the device's memory. */
  readonly memoryName: string;
  /**
   * Adds the provider to a session's options; the CPU computes what it cannot. Options serve one session: WebGPU counts
   * every session as a user of the device and options only once, so two of one would free it twice.
   */
  append(library: OrtLibrary, options: Pointer): void;
}

/**
 * Options of the WebGPU provider. Without validation, or with that of the device alone, a wrong use of a buffer or a lack
 * of memory is a line on standard error and a result of nonsense; `basic` makes the run fail. Of several cards it takes
 * the fastest by itself.
 */
export const WEBGPU_OPTIONS = { validationMode: "basic" } as const;

export const PROVIDERS: Readonly<Record<DeviceKind, Provider>> = {
  webgpu: {
    kind: "webgpu",
    provider: "WebGpuExecutionProvider",
    memoryName: "WebGPU_Buf",
    append: (library, options) => appendNamed(library, options, "WebGPU", WEBGPU_OPTIONS),
  },
  cuda: { kind: "cuda", provider: "CUDAExecutionProvider", memoryName: "Cuda", append: appendCuda },
};

function appendNamed(library: OrtLibrary, options: Pointer, name: string, settings: Readonly<Record<string, string>>) {
  const { api, addressOf } = library;
  const kept = Object.entries(settings)
    .flat()
    .map((text) => Buffer.from(`${text}\0`));
  const pointers = kept.map(addressOf);
  const keys = BigUint64Array.from(pointers.filter((_, i) => i % 2 === 0));
  const values = BigUint64Array.from(pointers.filter((_, i) => i % 2 === 1));
  check(api, api.SessionOptionsAppendExecutionProvider(options, name, keys, values, keys.length));
}

function appendCuda({ api }: OrtLibrary, options: Pointer): void {
  const cuda = create(api, (out) => api.CreateCUDAProviderOptions(out));
  try {
    check(api, api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda));
  } finally {
    api.ReleaseCUDAProviderOptions(cuda);
  }
}
