import type { Shape } from "@gmc/core";
import { TraceError } from "@gmc/core";
import type { DataType as TfDataType } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Graph } from "../ir/graph.ts";
import { filled } from "../ir/graph.ts";
import type { ConstantData, DataType, Value } from "../ir/value.ts";
import { reshape } from "../ir/views.ts";
import { checkBakedConstant } from "./baked-constant.ts";

/** What tfjs knows a tensor by on this backend. */
export interface TracedTensor {
  readonly dataId: object;
  readonly shape: number[];
  readonly dtype: TfDataType;
}

/** What tfjs hands a kernel: a tensor of this or of another backend. */
export interface ForeignTensor {
  readonly dataId: object;
  readonly shape: Shape;
  readonly dtype: string;
}

interface Entry {
  readonly value: Value;
  references: number;
}

/** The tfjs backend `trace`: a tensor's data is a value of the graph; its kernels append to the graph. One lives for one trace. */
export class TraceBackend extends tf.KernelBackend {
  readonly graph: Graph;
  readonly #entries = new WeakMap<object, Entry>();
  #count = 0;

  constructor(graph: Graph) {
    super();
    this.graph = graph;
  }

  /** A new tensor of this backend that stands for `value`. */
  wrap(value: Value): TracedTensor {
    if (value.dtype === "int64") throw new TraceError("An int64 value cannot become a tensor.");
    const dataId = {};
    this.#entries.set(dataId, { value, references: 1 });
    this.#count++;
    return { dataId, shape: [...value.shape], dtype: value.dtype };
  }

  /** The value that `tensor` stands for; a tensor that lives on another backend is baked in as a constant. */
  graphValue(tensor: ForeignTensor): Value {
    const entry = this.#entries.get(tensor.dataId);
    if (entry) return reshape(this.graph, entry.value, tensor.shape); // tfjs reshapes without a kernel
    const dtype = dataTypeOf(tensor.dtype);
    const data = tf.engine().readSync(tensor.dataId);
    return this.#bake(constantData(data, dtype), tensor.shape, dtype);
  }

  override write(values: tf.BackendValues | null, shape: number[], dtype: TfDataType): object {
    const type = dataTypeOf(dtype);
    const data = values === null ? filled(0, shape, type) : constantData(values, type);
    return this.wrap(this.#bake(data, shape, type)).dataId;
  }

  override readSync(dataId: object): tf.BackendValues {
    const value = this.#entries.get(dataId)?.value;
    if (value?.source.kind === "uniform") return hostData(filled(value.source.value, value.shape, value.dtype));
    if (value?.source.kind === "constant") return hostData(value.source.data);
    throw new TraceError(
      `${currentOperation()} asks for the value of a tensor while the model is traced. A traced model has no values yet: ` +
        "replace dataSync(), arraySync() and control flow that depends on data by tensor ops, for instance tf.where.",
    );
  }

  override read(dataId: object): Promise<tf.BackendValues> {
    return new Promise((resolve) => resolve(this.readSync(dataId)));
  }

  override disposeData(dataId: object, force = false): boolean {
    const entry = this.#entries.get(dataId);
    if (!entry) return true;
    entry.references--;
    if (!force && entry.references > 0) return false;
    this.#entries.delete(dataId);
    this.#count--;
    return true;
  }

  override incRef(dataId: object): void {
    const entry = this.#entries.get(dataId);
    if (entry) entry.references++;
  }

  override refCount(dataId: object): number {
    return this.#entries.get(dataId)?.references ?? 0;
  }

  override numDataIds(): number {
    return this.#count;
  }

  override move(): void {
    throw new TraceError("A tensor of another backend cannot be moved into a trace; pass it as an input of the model.");
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return false;
  }

  override dispose(): void {}

  #bake(data: ConstantData, shape: Shape, dtype: DataType): Value {
    const value = this.graph.constant(data, shape, dtype);
    checkBakedConstant(value, openOperations());
    return value;
  }
}

/** The IR's type of a tfjs tensor. @throws {TraceError} for strings and complex numbers */
export function dataTypeOf(dtype: string): DataType {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype;
  throw new TraceError(
    `${currentOperation()} makes a ${dtype} tensor; a compiled model has float32, int32 and bool only.`,
    {
      dtype,
    },
  );
}

/** Names of the tfjs ops that are being executed, outermost first. */
function openOperations(): string[] {
  const names = tf.engine().state.scopeStack.map((scope) => scope.name);
  return names.filter((name) => name.endsWith(OP_SUFFIX)).map((name) => name.slice(0, -OP_SUFFIX.length));
}

/** What tfjs appends to the names of ops' scopes. */
const OP_SUFFIX = "__op";

/** The tfjs op that is being executed, for messages. */
export function currentOperation(): string {
  const [outermost] = openOperations();
  return outermost === undefined ? "The model" : `tf.${outermost}`;
}

function constantData(values: tf.BackendValues, dtype: DataType): ConstantData {
  if (values instanceof Float32Array || values instanceof Int32Array) {
    return dtype === "float32" ? Float32Array.from(values) : Int32Array.from(values);
  }
  if (values instanceof Uint8Array) return values;
  throw new TraceError(`${currentOperation()} makes a string tensor; a compiled model has numbers only.`);
}

const hostData = (data: ConstantData): Float32Array | Int32Array | Uint8Array =>
  data instanceof BigInt64Array ? Int32Array.from(data, Number) : data;
