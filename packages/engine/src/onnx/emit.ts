import type { Shape } from "@gmc/core";
import { sizeOf } from "@gmc/core";
import { ONNX_TYPE } from "../ir/cast.ts";
import type { Graph } from "../ir/graph.ts";
import { filled } from "../ir/graph.ts";
import { liveValues } from "../ir/live.ts";
import type { Attribute, ConstantData, DataType, Node, Value } from "../ir/value.ts";
import { workOf } from "../ir/work.ts";
import type { AttributeProto, NodeProto, TensorProto, ValueInfoProto } from "./schema.ts";
import { serialiseModel } from "./schema.ts";

/** A tensor that a program reads or writes. */
export interface TensorSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DataType;
}

/** A graph ready to run: an ONNX file in memory and what it reads and writes. */
export interface Program {
  readonly bytes: Uint8Array;
  /** Only what the outputs depend on. */
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** How often each operation occurs, for logs and tests. */
  readonly operations: Readonly<Record<string, number>>;
  /** Estimated microseconds on one thread. */
  readonly work: number;
}

/** Uniform constants longer than this are expanded when the program starts instead of stored in the file. */
const STORED_ELEMENTS = 4096;

/**
 * Writes the part of `graph` that computes `outputs`.
 *
 * @param outputs  results by name
 * @param cut      values that are given instead of computed, by the name of the input that gives them
 */
export function emitProgram(
  graph: Graph,
  outputs: ReadonlyMap<string, Value>,
  cut: ReadonlyMap<Value, string> = new Map(),
): Program {
  const emission = new Emission(outputs, cut);
  const live = liveValues(outputs.values(), cut);
  for (const value of graph.values) if (live.has(value)) emission.add(value);
  const work = [...live].reduce((sum, value) => sum + (cut.has(value) ? 0 : workOf(value)), 0);
  return { ...emission.finish(), work };
}

class Emission {
  readonly #outputs: ReadonlyMap<string, Value>;
  readonly #cut: ReadonlyMap<Value, string>;
  readonly #names = new Map<Value, string>();
  readonly #direct = new Map<Value, string>();
  readonly #inputs: TensorSpec[] = [];
  readonly #initialisers: TensorProto[] = [];
  readonly #nodes: NodeProto[] = [];

  constructor(outputs: ReadonlyMap<string, Value>, cut: ReadonlyMap<Value, string>) {
    this.#outputs = outputs;
    this.#cut = cut;
    for (const [name, value] of outputs) {
      const computed = value.source.kind === "node" && !cut.has(value);
      if (computed && !this.#direct.has(value)) this.#direct.set(value, name); // its node writes the output: no copy
    }
  }

  add(value: Value): void {
    const given = this.#cut.get(value) ?? (value.source.kind === "input" ? value.source.name : undefined);
    const name = given ?? this.#direct.get(value) ?? `v${value.id}`;
    this.#names.set(value, name);
    if (given !== undefined) this.#inputs.push({ name, shape: value.shape, dtype: value.dtype });
    else if (value.source.kind === "node") this.#addNode(value.source.node, name);
    else if (value.source.kind === "constant") this.#store(name, value.source.data, value.shape, value.dtype);
    else if (value.source.kind === "uniform") this.#addUniform(value.source.value, name, value);
  }

  finish(): Omit<Program, "work"> {
    const outputs = [...this.#outputs].map(([name, { shape, dtype }]) => ({ name, shape, dtype }));
    for (const [name, value] of this.#outputs) {
      if (this.#direct.get(value) !== name) this.#write("Identity", [this.#nameOf(value)], name);
    }
    const operations: Record<string, number> = {};
    for (const { opType } of this.#nodes) operations[opType] = (operations[opType] ?? 0) + 1;
    const bytes = serialiseModel({
      name: "gmc",
      node: this.#nodes,
      initializer: this.#initialisers,
      input: this.#inputs.map(valueInfo),
      output: outputs.map(valueInfo),
    });
    return { bytes, inputs: this.#inputs, outputs, operations };
  }

  #addNode({ operation, domain, inputs, attributes }: Node, output: string): void {
    this.#nodes.push({
      name: `${operation}_${output}`,
      opType: operation,
      domain,
      input: inputs.map((input) => this.#nameOf(input)),
      output: [output],
      attribute: Object.entries(attributes).map(([name, attribute]) => attributeProto(name, attribute)),
    });
  }

  #addUniform(value: number, name: string, { shape, dtype }: Value): void {
    if (sizeOf(shape) <= STORED_ELEMENTS) {
      this.#store(name, filled(value, shape, dtype), shape, dtype);
      return;
    }
    this.#store(`${name}_element`, filled(value, [], dtype), [], dtype);
    this.#store(`${name}_shape`, BigInt64Array.from(shape, BigInt), [shape.length], "int64");
    this.#write("Expand", [`${name}_element`, `${name}_shape`], name);
  }

  #store(name: string, data: ConstantData, dims: Shape, dtype: DataType): void {
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength); // little-endian, as ONNX wants it
    this.#initialisers.push({ name, dims, dataType: ONNX_TYPE[dtype], rawData });
  }

  #write(opType: string, input: readonly string[], output: string): void {
    this.#nodes.push({ name: `${opType}_${output}`, opType, domain: "", input, output: [output], attribute: [] });
  }

  #nameOf(value: Value): string {
    const name = this.#names.get(value);
    if (name === undefined) throw new Error(`Value ${value.id} is used before it is written.`);
    return name;
  }
}

function attributeProto(name: string, attribute: Attribute): AttributeProto {
  if ("float" in attribute) return { name, type: 1, f: attribute.float };
  if ("int" in attribute) return { name, type: 2, i: attribute.int };
  if ("ints" in attribute) return { name, type: 7, ints: attribute.ints };
  return { name, type: 3, s: Buffer.from(attribute.string) };
}

const valueInfo = ({ name, shape, dtype }: TensorSpec): ValueInfoProto => ({
  name,
  type: { tensorType: { elemType: ONNX_TYPE[dtype], shape: { dim: shape.map((dimValue) => ({ dimValue })) } } },
});
