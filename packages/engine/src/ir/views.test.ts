import { expect, test } from "vitest";
import { Graph } from "./graph.ts";
import { nodeOf } from "./value.ts";
import { concat, expand, gather, pad, reshape, slice, transpose } from "./views.ts";

test("a reshape of a reshape is one reshape, and back to the start is none", () => {
  const graph = new Graph();
  const x = graph.input("x", [2, 6]);
  const twice = reshape(graph, reshape(graph, x, [3, 4]), [12]);
  expect(nodeOf(twice, "Reshape")?.inputs[0]).toBe(x);
  expect(reshape(graph, twice, [2, 6])).toBe(x);
});

test("transposes compose, and moving only axes of length 1 is a reshape", () => {
  const graph = new Graph();
  const x = graph.input("x", [2, 3, 4]);
  expect(transpose(graph, transpose(graph, x, [1, 2, 0]), [2, 0, 1])).toBe(x);
  const thin = graph.input("thin", [2, 1, 4]);
  expect(nodeOf(transpose(graph, thin, [1, 0, 2]))?.operation).toBe("Reshape");
});

test("views of constants are constants", () => {
  const graph = new Graph();
  const half = graph.uniform(0.5, [2, 3]);
  const sixth = graph.uniform(0.5, [6]);
  expect(reshape(graph, half, [6])).toBe(sixth);
  expect(transpose(graph, half, [1, 0])).toBe(graph.uniform(0.5, [3, 2]));
  expect(expand(graph, graph.uniform(0.5, []), [6])).toBe(sixth);
  expect(slice(graph, graph.uniform(0.5, [9]), [1], [6])).toBe(sixth);
  expect(gather(graph, half, graph.input("i", [2], "int32"), 0)).toBe(half);
  expect(pad(graph, graph.uniform(0, [4]), [[1, 1]])).toBe(graph.uniform(0, [6]));
  const table = graph.constant(Float32Array.of(1, 2, 3, 4), [2, 2], "float32");
  expect(reshape(graph, table, [4])).toBe(graph.constant(Float32Array.of(1, 2, 3, 4), [4], "float32"));
});

test("a view of everything is the tensor itself", () => {
  const graph = new Graph();
  const x = graph.input("x", [2, 3]);
  expect(slice(graph, x, [0, 0], [2, 3])).toBe(x);
  expect(
    pad(graph, x, [
      [0, 0],
      [0, 0],
    ]),
  ).toBe(x);
  expect(concat(graph, [x], 1)).toBe(x);
});
