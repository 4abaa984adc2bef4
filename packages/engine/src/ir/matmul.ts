import type { Graph } from "./graph.ts";
import { broadcastShapes, lengthOf } from "./shapes.ts";
import type { Value } from "./value.ts";
import { nodeOf } from "./value.ts";
import { transposeOrder } from "./views.ts";

/** Product of the last two axes, leading axes broadcast; an operand may be read transposed. */
export function matMul(graph: Graph, a: Value, b: Value, transposeA = false, transposeB = false): Value {
  const left = lookThrough({ value: a, transposed: transposeA });
  const right = lookThrough({ value: b, transposed: transposeB });
  const [rows] = matrixShape(left);
  const [, columns] = matrixShape(right);
  const batch = broadcastShapes(left.value.shape.slice(0, -2), right.value.shape.slice(0, -2));
  const shape = [...batch, rows, columns];
  const inputs = [left.value, right.value];
  if (!left.transposed && !right.transposed) return graph.node("MatMul", inputs, {}, shape);
  const attributes = { transA: { int: left.transposed ? 1 : 0 }, transB: { int: right.transposed ? 1 : 0 } };
  if (left.value.shape.length === 2 && right.value.shape.length === 2)
    return graph.node("Gemm", inputs, attributes, shape);
  return graph.node("FusedMatMul", inputs, attributes, shape, "float32", "com.microsoft");
}

interface Operand {
  readonly value: Value;
  readonly transposed: boolean;
}

/** The operand of an explicit Transpose of the last two axes, read the other way round. */
function lookThrough(operand: Operand): Operand {
  const node = nodeOf(operand.value, "Transpose");
  const order = node && transposeOrder(node.attributes);
  const inner = node?.inputs[0];
  if (!order || !inner) return operand;
  const rank = order.length;
  const swapsLastTwo = order.every((axis, i) => axis === (i === rank - 2 ? rank - 1 : i === rank - 1 ? rank - 2 : i));
  return swapsLastTwo ? { value: inner, transposed: !operand.transposed } : operand;
}

function matrixShape({ value, transposed }: Operand): [number, number] {
  const rank = value.shape.length;
  const rows = lengthOf(value.shape, rank - 2);
  const columns = lengthOf(value.shape, rank - 1);
  return transposed ? [columns, rows] : [rows, columns];
}
