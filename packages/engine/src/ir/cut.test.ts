import { expect, test } from "vitest";
import { givenValues } from "./cut.ts";
import { arithmetic, unary } from "./elementwise.ts";
import { Graph } from "./graph.ts";
import { dependants } from "./live.ts";
import { matMul } from "./matmul.ts";
import type { Value } from "./value.ts";
import { gather, pick, reshape } from "./views.ts";

/** What the gradient needs of the forward. */
const saved = (graph: Graph, gradient: Value, dz: Value, x: Value) =>
  givenValues([gradient], dependants(graph.values, [dz]), dependants(graph.values, [dz, x]));

test("what the backward reads of the forward is saved, cheap steps are taken again, parameters' values too", () => {
  const graph = new Graph();
  const x = graph.input("x", [6, 16]);
  const weight = graph.input("weight", [16, 16]);
  const dz = graph.input("dz", [3, 16]);
  const hidden = unary(graph, "Tanh", matMul(graph, x, weight));
  const picked = gather(graph, hidden, graph.constant(Int32Array.of(4, 0, 2), [3], "int32"), 0); // cheap
  const squared = arithmetic(graph, "Mul", weight, weight); // from parameters alone
  const unused = unary(graph, "Exp", hidden);
  const gradient = arithmetic(graph, "Mul", matMul(graph, picked, dz, true, false), squared);
  expect(unused.id).toBeGreaterThan(hidden.id);
  expect(saved(graph, gradient, dz, x)).toEqual([hidden]);
});

test("inputs are given again, not saved, also through a view", () => {
  const graph = new Graph();
  const [x, dz] = [graph.input("x", [6, 4]), graph.input("dz", [4, 6])];
  const gradient = arithmetic(graph, "Mul", reshape(graph, x, [4, 6]), dz);
  expect(saved(graph, gradient, dz, x)).toEqual([]);
});

test("a gather of single elements is saved: it is slow", () => {
  const graph = new Graph();
  const x = graph.input("x", [6]);
  const dz = graph.input("dz", [4]);
  const picked = pick(graph, unary(graph, "Tanh", x), [1, 2, 3, 4], 0);
  expect(saved(graph, arithmetic(graph, "Mul", picked, dz), dz, x)).toEqual([picked]);
});

test("a later part is given what an earlier one computed", () => {
  const graph = new Graph();
  const dz = graph.input("dz", [3, 16]);
  const shared = unary(graph, "Tanh", dz);
  const first = unary(graph, "Exp", shared);
  const second = unary(graph, "Neg", reshape(graph, shared, [16, 3]));
  const varying = dependants(graph.values, [dz]);
  expect(givenValues([first], varying, varying)).toEqual([]);
  expect(givenValues([second], new Set([second]), varying)).toEqual([shared]);
});
