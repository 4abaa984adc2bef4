import { expect, test } from "vitest";
import { Graph } from "./graph.ts";
import { matMul } from "./matmul.ts";
import { nodeOf } from "./value.ts";
import { transpose } from "./views.ts";

test("a transposed operand is read transposed instead of copied", () => {
  const graph = new Graph();
  const [a, b] = [graph.input("a", [3, 4]), graph.input("b", [5, 4])];
  const product = matMul(graph, a, transpose(graph, b, [1, 0]));
  expect(product.shape).toEqual([3, 5]);
  expect(product).toBe(matMul(graph, a, b, false, true));
  expect(nodeOf(product, "Gemm")?.inputs).toEqual([a, b]);
});

test("batches go through the fused product, plain ones through MatMul", () => {
  const graph = new Graph();
  const [a, b] = [graph.input("a", [2, 3, 4]), graph.input("b", [2, 5, 4])];
  expect(nodeOf(matMul(graph, a, transpose(graph, b, [0, 2, 1])), "FusedMatMul")?.domain).toBe("com.microsoft");
  expect(nodeOf(matMul(graph, a, graph.input("c", [4, 5])))?.operation).toBe("MatMul");
});
