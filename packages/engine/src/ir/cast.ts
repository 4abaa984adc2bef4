import type { Graph } from "./graph.ts";
import type { ConstantData, DataType, Value } from "./value.ts";

/** ONNX's numbers of the element types (TensorProto.DataType). */
export const ONNX_TYPE: Readonly<Record<DataType, number>> = { float32: 1, int32: 6, int64: 7, bool: 9 };

/** `x` in another element type, as tfjs does it: to int32 toward zero, to bool "is not 0". */
export function cast(graph: Graph, x: Value, dtype: DataType): Value {
  if (x.dtype === dtype) return x;
  if (x.source.kind === "uniform") return graph.uniform(convert(x.source.value, dtype), x.shape, dtype);
  if (x.source.kind === "constant") return graph.constant(convertAll(x.source.data, dtype), x.shape, dtype);
  return graph.node("Cast", [x], { to: { int: ONNX_TYPE[dtype] } }, x.shape, dtype);
}

function convert(value: number, dtype: DataType): number {
  if (dtype === "bool") return value === 0 ? 0 : 1;
  return dtype === "float32" ? Math.fround(value) : Math.trunc(value);
}

function convertAll(data: ConstantData, dtype: DataType): ConstantData {
  const numbers: number[] = [];
  for (const element of data) numbers.push(convert(Number(element), dtype));
  if (dtype === "float32") return Float32Array.from(numbers);
  if (dtype === "int32") return Int32Array.from(numbers);
  return dtype === "bool" ? Uint8Array.from(numbers) : BigInt64Array.from(numbers, BigInt);
}
