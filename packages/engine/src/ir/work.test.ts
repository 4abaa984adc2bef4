import { expect, test } from "vitest";
import { emitProgram } from "../onnx/emit.ts";
import { arithmetic } from "./elementwise.ts";
import { Graph } from "./graph.ts";
import { matMul } from "./matmul.ts";
import { reshape } from "./views.ts";
import { workOf } from "./work.ts";

test("a product counts its multiply-adds, however its operands are read", () => {
  const graph = new Graph();
  const b = graph.input("b", [256, 512]);
  const plain = workOf(matMul(graph, graph.input("a", [1024, 256]), b));
  expect(plain).toBeGreaterThan((1024 * 256 * 512) / 50_000);
  expect(plain).toBeLessThan((1024 * 256 * 512) / 30_000);
  const across = matMul(graph, graph.input("c", [256, 1024]), b, true, false);
  expect(workOf(across)).toBeCloseTo(plain, 6);
});

test("other operations count what they move, views nothing", () => {
  const graph = new Graph();
  const x = graph.input("x", [1000, 10]);
  expect(workOf(arithmetic(graph, "Add", x, x))).toBeCloseTo(12, 6); // three times 40 kB
  expect(workOf(reshape(graph, x, [10_000]))).toBe(0);
  expect(workOf(x)).toBe(0);
});

test("a program's work is that of what it computes, not of what it is given", () => {
  const graph = new Graph();
  const x = graph.input("x", [1000, 10]);
  const sum = arithmetic(graph, "Add", x, x);
  const product = arithmetic(graph, "Mul", sum, x);
  const whole = emitProgram(graph, new Map([["y", product]])).work;
  const half = emitProgram(graph, new Map([["y", product]]), new Map([[sum, "sum"]])).work;
  expect(whole).toBeCloseTo(workOf(sum) + workOf(product), 6);
  expect(half).toBeCloseTo(workOf(product), 6);
});
