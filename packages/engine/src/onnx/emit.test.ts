import { expect, test } from "vitest";
import { arithmetic, unary } from "../ir/elementwise.ts";
import { Graph } from "../ir/graph.ts";
import { openOnnxruntimeNode } from "../runners/onnxruntime-node.ts";
import type { Block } from "../runners/runner.ts";
import type { Program } from "./emit.ts";
import { emitProgram } from "./emit.ts";

async function run(program: Program, blocks: Record<string, Block>): Promise<void> {
  const session = await (await openOnnxruntimeNode(1)).open(program);
  await session.bind(new Map(Object.entries(blocks))).run();
  await session.release();
}

test("only what the outputs need is written: inputs, nodes and constants", () => {
  const graph = new Graph();
  const [x, unused] = [graph.input("x", [3]), graph.input("unused", [3])];
  unary(graph, "Exp", unused);
  const program = emitProgram(graph, new Map([["y", unary(graph, "Sqrt", x)]]));
  expect(program.inputs).toEqual([{ name: "x", shape: [3], dtype: "float32" }]);
  expect(program.operations).toEqual({ Sqrt: 1 });
});

test("a value with two names, an input and a constant can all be outputs", async () => {
  const graph = new Graph();
  const x = graph.input("x", [2]);
  const root = unary(graph, "Sqrt", x);
  const outputs = { first: root, second: root, same: x, constant: graph.uniform(7, [2]) };
  const program = emitProgram(graph, new Map(Object.entries(outputs)));
  const blocks = {
    first: new Float32Array(2),
    second: new Float32Array(2),
    same: new Float32Array(2),
    constant: new Float32Array(2),
  };
  await run(program, { x: Float32Array.of(4, 9), ...blocks });
  expect(blocks).toEqual({
    first: Float32Array.of(2, 3),
    second: Float32Array.of(2, 3),
    same: Float32Array.of(4, 9),
    constant: Float32Array.of(7, 7),
  });
});

test("long uniform constants take no room in the file", async () => {
  const graph = new Graph();
  const x = graph.input("x", [1, 1]);
  const big = graph.node("Mul", [x, graph.uniform(3, [1000, 1000])], {}, [1000, 1000]);
  const program = emitProgram(graph, new Map([["y", big]]));
  expect(program.bytes.length).toBeLessThan(1000);
  const y = new Float32Array(1_000_000);
  await run(program, { x: Float32Array.of(2), y });
  expect([y[0], y[999_999]]).toEqual([6, 6]);
});

test("a cut turns values into inputs and leaves out what made them", () => {
  const graph = new Graph();
  const x = graph.input("x", [3]);
  const inner = unary(graph, "Exp", x);
  const outer = arithmetic(graph, "Mul", inner, graph.input("dz", [3]));
  const program = emitProgram(graph, new Map([["y", outer]]), new Map([[inner, "saved"]]));
  expect(program.inputs.map(({ name }) => name)).toEqual(["saved", "dz"]);
  expect(program.operations).toEqual({ Mul: 1 });
});

test("an array of the wrong type or length is refused by name", async () => {
  const graph = new Graph();
  const program = emitProgram(graph, new Map([["y", unary(graph, "Exp", graph.input("x", [3]))]]));
  const session = await (await openOnnxruntimeNode(1)).open(program);
  const bind = (x: Block) =>
    session.bind(
      new Map([
        ["x", x],
        ["y", new Float32Array(3)],
      ]),
    );
  expect(() => bind(new Float32Array(4))).toThrow(/"x": expected float32 \[3\] \(3 elements\), received float32 of 4/);
  expect(() => bind(new Int32Array(3))).toThrow(/received int32 of 3/);
  expect(() => session.bind(new Map())).toThrow(/"x" is not bound/);
  await session.release();
});
