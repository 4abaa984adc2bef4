import { createHash } from "node:crypto";
import type { Shape } from "@gmc/core";
import { sizeOf } from "@gmc/core";
import type { Attributes, ConstantData, DataType, Node, Source, Value } from "./value.ts";

/** Constants up to this many elements are compared by their elements, longer ones by a hash of them. */
const PLAIN_KEY_ELEMENTS = 64;

/**
 * A static-shape graph that grows by appending. Values are hash-consed: the same operation on the same values is the same
 * value, so common subexpressions exist once and whatever a backward pass recomputes costs nothing.
 *
 * Simplifications live beside it (`elementwise.ts`, `views.ts`, …); this class only stores.
 */
export class Graph {
  /** All values in the order of creation, which is a topological order. */
  readonly values: Value[] = [];
  readonly outputs = new Map<string, Value>();
  readonly #inputs = new Map<string, Value>();
  readonly #known = new Map<string, Value>();

  /** A tensor that is given at every run. @throws {RangeError} when the name is taken */
  input(name: string, shape: Shape, dtype: DataType = "float32"): Value {
    if (this.#inputs.has(name)) throw new RangeError(`The graph has an input "${name}" already.`);
    const value = this.#append(shape, dtype, { kind: "input", name });
    this.#inputs.set(name, value);
    return value;
  }

  /** Names `value` as a result. */
  output(name: string, value: Value): void {
    this.outputs.set(name, value);
  }

  /** A constant tensor; one whose elements are all equal becomes `uniform`. `data` is copied. */
  constant(data: ConstantData, shape: Shape, dtype: DataType): Value {
    if (dtype !== "int64" && data.length > 0 && allEqual(data)) return this.uniform(Number(data[0]), shape, dtype);
    return this.#cons(`constant ${dtype} [${shape}] ${digestOf(data)}`, shape, dtype, () => ({
      kind: "constant",
      data: data.slice(),
    }));
  }

  /** A tensor whose every element is `value`; it takes no memory until it is emitted. */
  uniform(value: number, shape: Shape, dtype: DataType = "float32"): Value {
    const key = `uniform ${dtype} [${shape}] ${Object.is(value, -0) ? "-0" : value}`;
    return this.#cons(key, shape, dtype, () => ({ kind: "uniform", value }));
  }

  /** A constant int64 vector, as ONNX wants shapes, axes and pads. */
  integers(values: readonly number[]): Value {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length], "int64");
  }

  /** The value of an operation; the caller knows the shape it gives. */
  node(
    operation: string,
    inputs: readonly Value[],
    attributes: Attributes,
    shape: Shape,
    dtype: DataType = "float32",
    domain = "",
  ): Value {
    const key = `${operation} (${inputs.map((input) => input.id).join()}) ${JSON.stringify(attributes)}`;
    const node: Node = { operation, domain, inputs, attributes };
    return this.#cons(key, shape, dtype, () => ({ kind: "node", node }));
  }

  #cons(key: string, shape: Shape, dtype: DataType, source: () => Source): Value {
    const known = this.#known.get(key);
    if (known) return known;
    const value = this.#append(shape, dtype, source());
    this.#known.set(key, value);
    return value;
  }

  #append(shape: Shape, dtype: DataType, source: Source): Value {
    const value: Value = { id: this.values.length, shape: [...shape], dtype, source };
    this.values.push(value);
    return value;
  }
}

/** Elements of the right type for a uniform constant of this shape. */
export function filled(value: number, shape: Shape, dtype: DataType): ConstantData {
  const length = sizeOf(shape);
  switch (dtype) {
    case "float32":
      return new Float32Array(length).fill(value);
    case "int32":
      return new Int32Array(length).fill(value);
    case "bool":
      return new Uint8Array(length).fill(value);
    case "int64":
      return new BigInt64Array(length).fill(BigInt(value));
    default:
      return dtype satisfies never;
  }
}

function allEqual(data: ConstantData): boolean {
  const first = data[0];
  for (const element of data) if (!Object.is(element, first)) return false;
  return true;
}

function digestOf(data: ConstantData): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return data.length <= PLAIN_KEY_ELEMENTS
    ? Buffer.from(bytes).toString("hex")
    : createHash("sha256").update(bytes).digest("hex");
}
