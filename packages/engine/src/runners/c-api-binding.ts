import type { Program, TensorSpec } from "../onnx/emit.ts";
import { blockOf } from "./blocks.ts";
import { create } from "./ort-call.ts";
import type { OrtLibrary } from "./ort-library.ts";
import type { Block } from "./runner.ts";

/** The arrays of pointers that a run takes. */
export interface RunArguments {
  readonly inputNames: BigUint64Array;
  readonly inputs: BigUint64Array;
  readonly outputNames: BigUint64Array;
  readonly outputs: BigUint64Array;
}

/** ONNX's numbers of element types. */
const ELEMENT_TYPES: Readonly<Record<string, number>> = { float32: 1, int32: 6, bool: 9 };
const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;

/** Native tensors over arrays of ours: no element is copied, neither now nor in a run. */
export class CApiBinding {
  readonly #library: OrtLibrary;
  /** Everything whose address native code knows; JavaScript must not free it before `release`. */
  #kept: NodeJS.TypedArray[] = [];
  #memory: bigint;
  #arguments: RunArguments | undefined;
  #running = false;

  /** @throws {TypeError} when a block is missing or its type or length is wrong */
  constructor(library: OrtLibrary, { inputs, outputs }: Program, blocks: ReadonlyMap<string, Block>) {
    const pairs = [...inputs, ...outputs].map((spec) => [spec, blockOf(blocks, spec)] as const); // all, before any is made
    const { api } = library;
    this.#library = library;
    this.#memory = create(api, (out) => api.CreateCpuMemoryInfo(DEVICE_ALLOCATOR, DEFAULT_MEMORY, out));
    const values = pairs.map(([spec, block]) => this.#createTensor(spec, block));
    this.#arguments = {
      inputNames: this.#names(inputs),
      inputs: this.#keep(BigUint64Array.from(values.slice(0, inputs.length))),
      outputNames: this.#names(outputs),
      outputs: this.#keep(BigUint64Array.from(values.slice(inputs.length))),
    };
  }

  /** Runs `work` with the pointers; one at a time. */
  async use(work: (pointers: RunArguments) => Promise<void>): Promise<void> {
    if (!this.#arguments) throw new TypeError("The binding was released.");
    if (this.#running) throw new TypeError("A binding runs once at a time: wait for the run before.");
    this.#running = true;
    try {
      await work(this.#arguments);
    } finally {
      this.#running = false;
    }
  }

  release(): void {
    if (this.#running) throw new TypeError("A binding was released while it runs.");
    const { api } = this.#library;
    const { inputs = [], outputs = [] } = this.#arguments ?? {};
    this.#arguments = undefined;
    for (const value of [...inputs, ...outputs]) api.ReleaseValue(value);
    if (this.#memory) api.ReleaseMemoryInfo(this.#memory);
    this.#memory = 0n;
    this.#kept = [];
  }

  #createTensor({ shape, dtype }: TensorSpec, block: Block): bigint {
    const { api } = this.#library;
    const axes = BigInt64Array.from([...shape, 0], BigInt); // one more, so that a scalar's shape has an address too
    const elementType = ELEMENT_TYPES[dtype] ?? 0;
    return create(api, (out) =>
      api.CreateTensorWithDataAsOrtValue(
        this.#memory,
        this.#addressOf(block),
        block.byteLength,
        axes,
        shape.length,
        elementType,
        out,
      ),
    );
  }

  #names(specs: readonly TensorSpec[]): BigUint64Array {
    const names = specs.map(({ name }) => this.#addressOf(Buffer.from(`${name}\0`)));
    return this.#keep(BigUint64Array.from(names));
  }

  #addressOf(array: NodeJS.TypedArray): bigint {
    return this.#library.addressOf(this.#keep(array));
  }

  #keep<T extends NodeJS.TypedArray>(array: T): T {
    this.#kept.push(array);
    return array;
  }
}
