import { sizeOf } from "@gmc/core";
import type { Graph } from "./graph.ts";
import { broadcastShapes, lengthOf } from "./shapes.ts";
import type { Value } from "./value.ts";
import { nodeOf } from "./value.ts";
import { reshape, transpose, transposeOrder } from "./views.ts";

/** Product of the last two axes, leading axes broadcast; an operand may be read transposed. */
export function matMul(graph: Graph, a: Value, b: Value, transposeA = false, transposeB = false): Value {
  const left = lookThrough({ value: a, transposed: transposeA });
  const right = lookThrough({ value: b, transposed: transposeB });
  if (isSteady(left, right)) return product(graph, left, right);
  const [first, second] = [turned(right), turned(left)]; // (A·B)ᵀ = Bᵀ·Aᵀ
  const steady = isSteady(first, second) ? first : { value: swapLastTwo(graph, first.value), transposed: true };
  return swapLastTwo(graph, product(graph, steady, second));
}

interface Operand {
  readonly value: Value;
  readonly transposed: boolean;
}

/** Threads up to which a product's bits do not depend on their number. */
const MOST_THREADS = 64;
/** Of onnxruntime's GEMM: multiply-adds that get one more thread, columns that stay together, columns and sums of a block. */
const THREAD_WORK = 65536;
const COLUMN_GROUP = 16;
const NARROW_COLUMNS = 64;
const SUM_BLOCK = 128;

/**
 * True when every number of threads gives the same bits. onnxruntime divides the larger of rows and columns among threads.
 * Where the left operand is not read transposed, a part of few columns is summed in blocks of another size, and a part of
 * one row, or a single column, by other kernels (docs/0007-same-bits-on-any-number-of-threads.md).
 */
function isSteady(left: Operand, right: Operand): boolean {
  if (left.transposed) return true;
  const [ownRows, inner] = matrixShape(left);
  const [, columns] = matrixShape(right);
  const rows = right.value.shape.length === 2 ? sizeOf(left.value.shape) / inner : ownRows; // batches of rows in one
  const threads = Math.min(MOST_THREADS, Math.floor((rows * inner * columns) / THREAD_WORK) + 1);
  if (threads === 1 || rows === 1) return true;
  if (columns === 1) return right.transposed;
  if (rows >= columns) return rows >= 2 * threads;
  const groups = Math.ceil(columns / COLUMN_GROUP);
  return inner <= SUM_BLOCK || Math.floor(groups / Math.min(threads, groups)) * COLUMN_GROUP > NARROW_COLUMNS;
}

function product(graph: Graph, left: Operand, right: Operand): Value {
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

const turned = ({ value, transposed }: Operand): Operand => ({ value, transposed: !transposed });

/** Transposes in memory, behind a needless axis: onnxruntime would turn a product with a plain Transpose back again. */
function swapLastTwo(graph: Graph, x: Value): Value {
  const apart = reshape(graph, x, [1, ...x.shape]);
  const axes = apart.shape.map((_, axis) => axis);
  const swapped = transpose(graph, apart, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
  return reshape(graph, swapped, swapped.shape.slice(1));
}

function matrixShape({ value, transposed }: Operand): [number, number] {
  const rank = value.shape.length;
  const rows = lengthOf(value.shape, rank - 2);
  const columns = lengthOf(value.shape, rank - 1);
  return transposed ? [columns, rows] : [rows, columns];
}
