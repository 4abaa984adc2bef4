import type { TensorSpec } from "../onnx/emit.ts";
import { check, create } from "./ort-call.ts";
import type { OrtLibrary, Pointer } from "./ort-library.ts";
import { ELEMENT_TYPES } from "./ort-library.ts";
import type { DeviceBlock } from "./runner.ts";

/** Gives and takes tensors in a device's memory; every call within a turn of the device. */
export class DeviceMemory {
  readonly #library: OrtLibrary;
  readonly #tensors = new Set<DeviceTensor>();
  #allocator: bigint;

  /** @param session  any session on the device, open for longer than this */
  constructor(library: OrtLibrary, session: Pointer, memoryName: string) {
    const { api } = library;
    this.#library = library;
    const info = create(api, (out) => api.CreateMemoryInfo(memoryName, DEVICE_ALLOCATOR, 0, DEFAULT_MEMORY, out));
    try {
      this.#allocator = create(api, (out) => api.CreateAllocator(session, info, out));
    } finally {
      api.ReleaseMemoryInfo(info);
    }
  }

  /** Uninitialised memory, taken at the tensor's first use. May be called at any time. */
  tensor(spec: TensorSpec): DeviceTensor {
    const tensor = new DeviceTensor(spec, {
      allocate: () => this.#allocate(spec),
      free: (pointer) => {
        this.#tensors.delete(tensor);
        this.#library.api.ReleaseValue(pointer);
      },
    });
    this.#tensors.add(tensor);
    return tensor;
  }

  /** Frees every tensor that is left, too. */
  release(): void {
    for (const tensor of [...this.#tensors]) tensor.release();
    this.#tensors.clear();
    if (this.#allocator) this.#library.api.ReleaseAllocator(this.#allocator);
    this.#allocator = 0n;
  }

  #allocate({ name, shape, dtype }: TensorSpec): bigint {
    if (!this.#allocator) throw new TypeError(`Tensor "${name}": its device was closed.`);
    const { api } = this.#library;
    const axes = BigInt64Array.from([...shape, 0], BigInt); // one more, so that a scalar's shape has an address too
    const out = new BigUint64Array(1);
    check(api, api.CreateTensorAsOrtValue(this.#allocator, axes, shape.length, ELEMENT_TYPES[dtype] ?? 0, out));
    return out[0] ?? 0n;
  }
}

const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;

/** A tensor in a device's memory. */
export class DeviceTensor implements DeviceBlock {
  readonly tensor: TensorSpec;
  readonly #memory: { allocate(): bigint; free(pointer: bigint): void };
  #pointer = 0n;

  constructor(tensor: TensorSpec, memory: { allocate(): bigint; free(pointer: bigint): void }) {
    this.tensor = tensor;
    this.#memory = memory;
  }

  /** The native tensor; within a turn of the device. */
  pointer(): bigint {
    this.#pointer ||= this.#memory.allocate();
    return this.#pointer;
  }

  /** Within a turn of the device, after every binding to it was released. */
  release(): void {
    if (this.#pointer) this.#memory.free(this.#pointer);
    this.#pointer = 0n;
  }
}
