import { createHash } from "node:crypto";
import { randomKey, uniformAt } from "@gmc/core";
import { describe, expect, test } from "vitest";
import { emitProgram } from "../onnx/emit.ts";
import { allocateBlock } from "../runners/blocks.ts";
import { openCApi } from "../runners/c-api.ts";
import { arithmetic, elu, logarithm, softplus, unary } from "./elementwise.ts";
import { Graph } from "./graph.ts";
import { matMul } from "./matmul.ts";
import { reduce } from "./reduce.ts";
import type { Value } from "./value.ts";

/** More threads than cores are as good: what counts is how onnxruntime divides the work. */
const THREADS = [1, 2, 5, 16, 40];

/** sha256 of what a graph gives for random numbers, once for every number of threads. */
async function digests(build: (graph: Graph) => Value): Promise<string[]> {
  const graph = new Graph();
  graph.output("y", build(graph));
  const program = emitProgram(graph, graph.outputs);
  const blocks = new Map([...program.inputs, ...program.outputs].map((spec) => [spec.name, allocateBlock(spec)]));
  for (const { name } of program.inputs) {
    const key = randomKey(1, name);
    blocks.get(name)?.forEach((_, i, block) => {
      block[i] = 2 * uniformAt(key, i) - 1;
    });
  }
  const all: string[] = [];
  for (const threads of THREADS) {
    const runner = await openCApi(threads);
    const session = await runner.open(program);
    await session.bind(blocks).run();
    all.push(
      createHash("sha256")
        .update(blocks.get("y") ?? "")
        .digest("hex"),
    );
    await session.release();
    await runner.close();
  }
  return all;
}

const same = (all: readonly string[]): string[] => THREADS.map(() => all[0] ?? "none");

describe("a product has the same bits on any number of threads", () => {
  test.each([
    [64, 6272, 64], // a projection: few rows and columns, a long sum
    [32, 6272, 64], // the same of a smaller shard
    [3, 5000, 300],
    [320, 512, 512], // a wide layer of the head
    [300, 256, 5], // few columns
    [30, 3000, 30], // a thread could get one row
    [3, 20000, 3],
    [1, 5000, 500],
    [40, 20000, 1],
    [1000, 64, 128], // a convolution
  ])("%i × %i by %i, operands read as they are and transposed", async (rows, inner, columns) => {
    for (const [left, right] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      const all = await digests((graph) => {
        const a = graph.input("a", left ? [inner, rows] : [rows, inner]);
        return matMul(graph, a, graph.input("b", right ? [columns, inner] : [inner, columns]), left, right);
      });
      expect(all, `transposed: ${left}, ${right}`).toEqual(same(all));
    }
  });

  test.each([
    [
      [5, 30, 900],
      [5, 900, 20],
    ],
    [
      [2, 20, 3000],
      [2, 3000, 60],
    ],
    [
      [6, 10, 700],
      [700, 300],
    ], // batches of rows that onnxruntime takes together
    [
      [1, 20, 3000],
      [7, 3000, 60],
    ],
  ])("batches, [%j] by [%j]", async (a, b) => {
    const all = await digests((graph) => matMul(graph, graph.input("a", a), graph.input("b", b)));
    expect(all).toEqual(same(all));
  });
});

describe("a sum has the same bits on any number of threads", () => {
  test.each([
    [[600, 3], [0]],
    [[12544, 64], [0]],
    [[1000, 30], [1]],
    [[70001], [0]],
    [[3, 50, 40], [1]],
    [[12, 300, 129], [1]],
    [[2, 1, 300, 1, 7], [2]],
    [
      [6, 7, 900],
      [0, 2],
    ],
    [
      [900, 7, 6],
      [0, 2],
    ],
    [
      [70, 3, 6, 70],
      [0, 1, 3],
    ],
    [
      [40, 5, 6, 70],
      [0, 2],
    ],
    [
      [4, 5, 6, 70],
      [1, 3],
    ],
  ])("of %j over %j", async (shape, axes) => {
    const all = await digests((graph) => reduce(graph, "ReduceSum", graph.input("x", shape), axes));
    expect(all).toEqual(same(all));
  });
});

describe("an operation on elements has the same bits on any number of threads", () => {
  const LENGTH = 100_003; // no multiple of anything
  const functions: Readonly<Record<string, (graph: Graph, x: Value) => Value>> = {
    logarithm: (graph, x) => logarithm(graph, unary(graph, "Abs", x)),
    elu: (graph, x) => elu(graph, x),
    softplus,
    ...Object.fromEntries(
      ["Exp", "Tanh", "Sigmoid", "Erf", "Sqrt", "Reciprocal", "Sin", "Cos", "Tan", "Sinh", "Cosh", "Atan", "Asinh"].map(
        (operation) => [operation, (graph: Graph, x: Value) => unary(graph, operation, x)],
      ),
    ),
    ...Object.fromEntries(
      (["Add", "Mul", "Div", "Pow", "PRelu"] as const).map((operation) => [
        operation,
        (graph: Graph, x: Value) => arithmetic(graph, operation, x, graph.input("w", [LENGTH])),
      ]),
    ),
  };
  test.each(Object.entries(functions))("%s", async (_name, build) => {
    const all = await digests((graph) => build(graph, graph.input("x", [LENGTH])));
    expect(all).toEqual(same(all));
  });
});

test("what is watched here does happen: onnxruntime's own sums and logs depend on the threads", async () => {
  const sums = await digests((graph) =>
    graph.node("ReduceSum", [graph.input("x", [3, 50, 40]), graph.integers([1])], { keepdims: { int: 0 } }, [3, 40]),
  );
  expect(new Set(sums).size).toBeGreaterThan(1);
  const products = await digests((graph) =>
    graph.node("MatMul", [graph.input("a", [32, 6272]), graph.input("b", [6272, 64])], {}, [32, 64]),
  );
  expect(new Set(products).size).toBeGreaterThan(1);
});
