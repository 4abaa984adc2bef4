import type { Program, TensorSpec } from "../onnx/emit.ts";
import { isBlock, placeOf } from "./blocks.ts";
import { DeviceTensor } from "./device-tensor.ts";
import type { NativeCall } from "./lanes/lane-data.ts";
import { create, settled } from "./ort-call.ts";
import type { OrtLibrary } from "./ort-library.ts";
import { ELEMENT_TYPES } from "./ort-library.ts";
import type { Binding, Block, Place } from "./runner.ts";

/** The arrays of pointers that a run takes. */
interface RunArguments {
  readonly inputNames: BigUint64Array;
  readonly inputs: BigUint64Array;
  readonly outputNames: BigUint64Array;
  readonly outputs: BigUint64Array;
}

const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;

/** Native tensors over arrays of ours: no element is copied, neither now nor in a run. Tensors of a device are given as they are. */
export class CApiBinding implements Binding {
  readonly #library: OrtLibrary;
  readonly #session: bigint;
  readonly #onRelease: () => void;
  /** Everything whose address native code knows; JavaScript must not free it before `release`. */
  #kept: NodeJS.TypedArray[] = [];
  /** Tensors to release: those over our arrays. */
  #made: bigint[] = [];
  #memory: bigint;
  #arguments: RunArguments | undefined;
  #running = false;

  /** @throws {TypeError} when a block is missing or its type or length is wrong */
  constructor(
    library: OrtLibrary,
    session: bigint,
    { inputs, outputs }: Program,
    blocks: ReadonlyMap<string, Place>,
    onRelease: () => void,
  ) {
    const pairs = [...inputs, ...outputs].map((spec) => [spec, placeOf(blocks, spec)] as const); // all, before any is made
    const { api } = library;
    this.#library = library;
    this.#session = session;
    this.#onRelease = onRelease;
    this.#memory = create(api, (out) => api.CreateCpuMemoryInfo(DEVICE_ALLOCATOR, DEFAULT_MEMORY, out));
    const values = pairs.map(([spec, place]) => this.#tensor(spec, place));
    this.#arguments = {
      inputNames: this.#names(inputs),
      inputs: this.#keep(BigUint64Array.from(values.slice(0, inputs.length))),
      outputNames: this.#names(outputs),
      outputs: this.#keep(BigUint64Array.from(values.slice(inputs.length))),
    };
  }

  run(): Promise<void> {
    const { api } = this.#library;
    return this.use(() => {
      const { inputNames, inputs, outputNames, outputs } = this.#opened();
      const counts = [inputs.length, outputs.length] as const;
      return settled(api, (done) =>
        api.Run.async(this.#session, null, inputNames, inputs, counts[0], outputNames, counts[1], outputs, done),
      );
    });
  }

  /** The run by addresses, for another thread; good until `release`. */
  call(): NativeCall {
    const { inputNames, inputs, outputNames, outputs } = this.#opened();
    const { addressOf } = this.#library;
    return {
      session: this.#session,
      inputNames: addressOf(inputNames),
      inputs: addressOf(inputs),
      inputCount: inputs.length,
      outputNames: addressOf(outputNames),
      outputs: addressOf(outputs),
      outputCount: outputs.length,
    };
  }

  /** Keeps others from running or releasing it until `work` has settled. */
  async use(work: () => Promise<void>): Promise<void> {
    this.#opened();
    if (this.#running) throw new TypeError("A binding runs once at a time: wait for the run before.");
    this.#running = true;
    try {
      await work();
    } finally {
      this.#running = false;
    }
  }

  release(): void {
    if (this.#running) throw new TypeError("A binding was released while it runs.");
    this.#onRelease();
    const { api } = this.#library;
    this.#arguments = undefined;
    for (const value of this.#made) api.ReleaseValue(value);
    this.#made = [];
    if (this.#memory) api.ReleaseMemoryInfo(this.#memory);
    this.#memory = 0n;
    this.#kept = [];
  }

  #opened(): RunArguments {
    if (this.#arguments) return this.#arguments;
    throw new TypeError("The binding was released.");
  }

  #tensor(spec: TensorSpec, place: Place): bigint {
    if (isBlock(place)) return this.#createTensor(spec, place);
    if (place instanceof DeviceTensor) return place.pointer();
    throw new TypeError(`Tensor "${spec.name}" lies in the memory of another runner's device.`);
  }

  #createTensor({ shape, dtype }: TensorSpec, block: Block): bigint {
    const { api } = this.#library;
    const axes = BigInt64Array.from([...shape, 0], BigInt); // one more, so that a scalar's shape has an address too
    const elementType = ELEMENT_TYPES[dtype] ?? 0;
    const value = create(api, (out) =>
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
    this.#made.push(value);
    return value;
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
