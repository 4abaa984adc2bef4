import { expect, test } from "vitest";
import { Graph } from "./graph.ts";
import { liveValues } from "./live.ts";
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

test("a product that threads would sum in other blocks is computed turned round", () => {
  const graph = new Graph();
  const [a, b] = [graph.input("a", [64, 6272]), graph.input("b", [6272, 64])];
  const products = [...liveValues([matMul(graph, a, b)])].flatMap((value) => nodeOf(value, "Gemm") ?? []);
  expect(products).toMatchObject([{ inputs: [b, a], attributes: { transA: { int: 1 }, transB: { int: 1 } } }]);
});

test("products of many rows, short sums and little work stay as they are", () => {
  const graph = new Graph();
  const product = (rows: number, inner: number, columns: number) =>
    nodeOf(
      matMul(graph, graph.input(`a${rows}`, [rows, inner]), graph.input(`b${columns}`, [inner, columns])),
      "MatMul",
    );
  expect(product(3136, 1024, 128)).toBeDefined();
  expect(product(64, 64, 512)).toBeDefined();
  expect(product(8, 200, 30)).toBeDefined();
});
