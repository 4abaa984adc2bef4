import type { Shape } from "@gmc/core";

/** Element types of the IR. `int64` holds only shapes, axes and indices that ONNX wants in that type. */
export type DataType = "float32" | "int32" | "bool" | "int64";

/** Elements of a constant: row-major, `bool` as 0 and 1. */
export type ConstantData = Float32Array | Int32Array | Uint8Array | BigInt64Array;

/** An attribute of a node, one of ONNX's kinds. */
export type Attribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly string: string };

export type Attributes = Readonly<Record<string, Attribute>>;

/** One operation with one output. `operation` is the ONNX name, `domain` "" for the standard ones. */
export interface Node {
  readonly operation: string;
  readonly domain: string;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
}

/** Where a value comes from. `uniform`: every element is `value`, whatever the shape. */
export type Source =
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "constant"; readonly data: ConstantData }
  | { readonly kind: "uniform"; readonly value: number }
  | { readonly kind: "node"; readonly node: Node };

/** A tensor of the graph. `id` counts up in the order of creation, so a node's inputs have smaller ids than its output. */
export interface Value {
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DataType;
  readonly source: Source;
}

/** The one number that fills `value`, if it is a uniform constant. */
export const uniformOf = (value: Value): number | undefined =>
  value.source.kind === "uniform" ? value.source.value : undefined;

/** The node that makes `value`, if there is one and it is an `operation`. */
export function nodeOf(value: Value, operation?: string): Node | undefined {
  if (value.source.kind !== "node") return undefined;
  return operation === undefined || value.source.node.operation === operation ? value.source.node : undefined;
}

/** What `value` is computed from: a node's inputs, else nothing. */
export const operandsOf = (value: Value): readonly Value[] =>
  value.source.kind === "node" ? value.source.node.inputs : [];
