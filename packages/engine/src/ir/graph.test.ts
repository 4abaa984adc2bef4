import { expect, test } from "vitest";
import { Graph } from "./graph.ts";

test("equal constants are one value, long ones too; type, shape and the sign of zero tell them apart", () => {
  const graph = new Graph();
  const table = Int32Array.from({ length: 1000 }, (_, i) => i);
  expect(graph.constant(table, [1000], "int32")).toBe(graph.constant(table.slice(), [1000], "int32"));
  expect(graph.constant(table, [10, 100], "int32")).not.toBe(graph.constant(table, [1000], "int32"));
  expect(graph.uniform(0, [2])).not.toBe(graph.uniform(-0, [2]));
  expect(graph.uniform(1, [2], "int32")).not.toBe(graph.uniform(1, [2]));
});

test("a constant of equal elements is uniform, and is the caller's no longer", () => {
  const graph = new Graph();
  expect(graph.constant(Float32Array.of(2, 2), [2], "float32")).toBe(graph.uniform(2, [2]));
  const data = Float32Array.of(1, 2);
  const value = graph.constant(data, [2], "float32");
  data[0] = 9;
  expect(value.source).toMatchObject({ kind: "constant", data: Float32Array.of(1, 2) });
});

test("attributes tell nodes apart", () => {
  const graph = new Graph();
  const x = graph.input("x", [2, 3]);
  const softmax = (axis: number) => graph.node("Softmax", [x], { axis: { int: axis } }, [2, 3]);
  expect(softmax(0)).toBe(softmax(0));
  expect(softmax(0)).not.toBe(softmax(1));
});

test("an input's name is taken once", () => {
  const graph = new Graph();
  graph.input("x", [2]);
  expect(() => graph.input("x", [3])).toThrow(/input "x" already/);
});
