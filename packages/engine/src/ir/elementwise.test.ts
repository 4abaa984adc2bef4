import { expect, test } from "vitest";
import { arithmetic, compare, negate, scale } from "./elementwise.ts";
import { Graph } from "./graph.ts";
import { nodeOf, uniformOf } from "./value.ts";
import { expand } from "./views.ts";

test("the same operation on the same values is one value, whatever the order of a commutative one", () => {
  const graph = new Graph();
  const [a, b] = [graph.input("a", [2, 3]), graph.input("b", [3])];
  expect(arithmetic(graph, "Add", a, b)).toBe(arithmetic(graph, "Add", b, a));
  expect(arithmetic(graph, "Mul", a, b)).toBe(arithmetic(graph, "Mul", b, a));
  expect(arithmetic(graph, "Sub", a, b)).not.toBe(arithmetic(graph, "Sub", b, a));
  expect(arithmetic(graph, "Max", a, b)).toBe(arithmetic(graph, "Max", a, b));
});

test("neutral elements vanish, and leave the broadcast shape behind", () => {
  const graph = new Graph();
  const x = graph.input("x", [2, 3]);
  const [zero, one] = [graph.uniform(0, [2, 3]), graph.uniform(1, [])];
  expect(arithmetic(graph, "Add", zero, x)).toBe(x);
  expect(arithmetic(graph, "Sub", x, zero)).toBe(x);
  expect(arithmetic(graph, "Mul", x, one)).toBe(x);
  expect(arithmetic(graph, "Div", x, one)).toBe(x);
  expect(arithmetic(graph, "Mul", graph.uniform(1, [4, 2, 3]), x).shape).toEqual([4, 2, 3]);
});

test("a minus sign is not dropped: 0 - x stays", () => {
  const graph = new Graph();
  const x = graph.input("x", [3]);
  expect(nodeOf(arithmetic(graph, "Sub", graph.uniform(0, []), x))?.operation).toBe("Sub");
});

test("constants fold in float32", () => {
  const graph = new Graph();
  const sum = arithmetic(graph, "Add", graph.uniform(Math.fround(0.1), [2]), graph.uniform(Math.fround(0.2), []));
  expect(uniformOf(sum)).toBe(Math.fround(Math.fround(0.1) + Math.fround(0.2)));
  expect(sum.shape).toEqual([2]);
});

test("a division by a constant is a product with its inverse, a division by zero is left alone", () => {
  const graph = new Graph();
  const x = graph.input("x", [3]);
  const product = nodeOf(arithmetic(graph, "Div", x, graph.uniform(4, [])), "Mul");
  expect(product?.inputs[1] && uniformOf(product.inputs[1])).toBe(0.25);
  expect(nodeOf(arithmetic(graph, "Div", x, graph.uniform(0, [])))?.operation).toBe("Div");
});

test("nested constant factors merge, unless the merged one would overflow or vanish", () => {
  const graph = new Graph();
  const x = graph.input("x", [3]);
  expect(scale(graph, scale(graph, x, 3), 5)).toBe(scale(graph, x, 15));
  const huge = nodeOf(scale(graph, scale(graph, x, 1e20), 1e20), "Mul");
  expect(nodeOf(huge?.inputs[0] ?? x)?.operation).toBe("Mul");
});

test("sums absorb negations", () => {
  const graph = new Graph();
  const [a, b] = [graph.input("a", [3]), graph.input("b", [3])];
  const difference = arithmetic(graph, "Sub", a, b);
  expect(arithmetic(graph, "Add", a, negate(graph, b))).toBe(difference);
  expect(arithmetic(graph, "Add", negate(graph, b), a)).toBe(difference);
  expect(arithmetic(graph, "Sub", a, negate(graph, b))).toBe(arithmetic(graph, "Add", a, b));
  expect(negate(graph, negate(graph, a))).toBe(a);
});

test("an operation broadcasts by itself what was expanded for it, and only that", () => {
  const graph = new Graph();
  const [x, row] = [graph.input("x", [2, 3]), graph.input("row", [1, 3])];
  expect(nodeOf(arithmetic(graph, "Mul", x, expand(graph, row, [2, 3])))?.inputs).toEqual([x, row]);
  const alone = arithmetic(graph, "Mul", expand(graph, row, [2, 3]), expand(graph, row, [2, 3]));
  expect(alone.shape).toEqual([2, 3]);
  const operands = nodeOf(alone)?.inputs.map(({ shape }) => shape) ?? [];
  expect(operands).toContainEqual([2, 3]); // one of the two still makes the shape
});

test("a uniform operand becomes a scalar where the other one has the result's shape", () => {
  const graph = new Graph();
  const x = graph.input("x", [2, 3]);
  expect(nodeOf(compare(graph, "Greater", x, graph.uniform(0.5, [2, 3])))?.inputs[1]?.shape).toEqual([]);
  expect(compare(graph, "Greater", x, graph.uniform(0.5, [4, 2, 3])).shape).toEqual([4, 2, 3]);
});

test("shapes that do not broadcast are refused with both", () => {
  const graph = new Graph();
  expect(() => arithmetic(graph, "Add", graph.input("a", [2, 3]), graph.input("b", [4]))).toThrow(
    /expected shape \[2,3\], received \[4\]/,
  );
});
