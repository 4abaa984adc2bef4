import { sizeOf } from "@gmc/core";
import type { Value } from "./value.ts";
import { nodeOf } from "./value.ts";

/** Multiply-adds that one core makes in a microsecond (Zen 4: 48,000), and bytes that it moves. */
const PRODUCTS_PER_US = 45_000;
const BYTES_PER_US = 10_000;

const PRODUCTS: ReadonlySet<string> = new Set(["MatMul", "Gemm", "FusedMatMul"]);
/** Operations that only read the same elements in another way. */
const FREE: ReadonlySet<string> = new Set(["Reshape", "Squeeze", "Unsqueeze", "Identity"]);

/** Estimated microseconds that one core takes for the operation that makes `value`; to compare with each other. */
export function workOf(value: Value): number {
  const node = nodeOf(value);
  if (!node || FREE.has(node.operation)) return 0;
  const moved = [value, ...node.inputs].reduce((sum, { shape }) => sum + sizeOf(shape) * 4, 0) / BYTES_PER_US;
  if (!PRODUCTS.has(node.operation)) return moved;
  const [left] = node.inputs;
  const transposed = node.attributes.transA;
  const axis = transposed && "int" in transposed && transposed.int === 1 ? -2 : -1;
  const inner = left?.shape.at(axis) ?? 1;
  return (sizeOf(value.shape) * inner) / PRODUCTS_PER_US + moved;
}
