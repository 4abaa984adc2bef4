import { expect, test } from "vitest";
import { Graph } from "./graph.ts";
import { liveValues } from "./live.ts";
import { mean, reduce } from "./reduce.ts";
import type { Value } from "./value.ts";
import { nodeOf, uniformOf } from "./value.ts";

/** Sums over middle axes are products with ones. */
const reductions = (value: Value): number =>
  [...liveValues([value])].filter((live) => nodeOf(live, "ReduceSum") ?? nodeOf(live, "MatMul")).length;

test("a long sum over the leading axes is taken in two stages, whatever divides its length", () => {
  const graph = new Graph();
  expect(reductions(reduce(graph, "ReduceSum", graph.input("even", [64, 49, 8]), [0, 1]))).toBe(2);
  expect(reductions(reduce(graph, "ReduceSum", graph.input("prime", [3001, 8]), [0]))).toBe(3); // and what is left over
  expect(reductions(reduce(graph, "ReduceSum", graph.input("short", [64, 8]), [0]))).toBe(1);
  expect(reductions(reduce(graph, "ReduceSum", graph.input("trailing", [8, 3000]), [1]))).toBe(1);
});

test("axes of length 1 are reduced by a reshape, constants at once", () => {
  const graph = new Graph();
  const x = graph.input("x", [1, 3]);
  expect(nodeOf(reduce(graph, "ReduceMax", x, [0]))?.operation).toBe("Reshape");
  expect(uniformOf(reduce(graph, "ReduceSum", graph.uniform(0.5, [4, 3]), [0]))).toBe(2);
  expect(uniformOf(mean(graph, graph.uniform(0.5, [4, 3]), [0, 1]))).toBe(0.5);
});
