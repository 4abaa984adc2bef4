import { expect, test } from "vitest";
import { savedValues } from "./cut.ts";
import { arithmetic, unary } from "./elementwise.ts";
import { Graph } from "./graph.ts";
import { matMul } from "./matmul.ts";
import { gather, pick, reshape } from "./views.ts";

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
  expect(savedValues(graph, [gradient], [dz], [x])).toEqual([hidden]);
});

test("inputs are given again, not saved, also through a view", () => {
  const graph = new Graph();
  const [x, dz] = [graph.input("x", [6, 4]), graph.input("dz", [4, 6])];
  const gradient = arithmetic(graph, "Mul", reshape(graph, x, [4, 6]), dz);
  expect(savedValues(graph, [gradient], [dz], [x])).toEqual([]);
});

test("a gather of single elements is saved: it is slow", () => {
  const graph = new Graph();
  const hidden = unary(graph, "Tanh", graph.input("x", [6]));
  const dz = graph.input("dz", [4]);
  const picked = pick(graph, hidden, [1, 2, 3, 4], 0);
  expect(savedValues(graph, [arithmetic(graph, "Mul", picked, dz)], [dz], [hidden])).toEqual([picked]);
});
