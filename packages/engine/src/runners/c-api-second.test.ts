import { expect, test } from "vitest";
import { arithmetic } from "../ir/elementwise.ts";
import { Graph } from "../ir/graph.ts";
import { emitProgram } from "../onnx/emit.ts";
import { openCApi } from "./c-api.ts";
import { openOnnxruntimeNode } from "./onnxruntime-node.ts";
import type { Block, Runner } from "./runner.ts";

// In a file of its own: onnxruntime has one environment a process, and here the other library makes it.

const graph = new Graph();
const x = graph.input("x", [2]);
graph.output("y", arithmetic(graph, "Add", x, x));
const doubling = emitProgram(graph, graph.outputs);

async function double(runner: Runner): Promise<Float32Array> {
  const session = await runner.open(doubling);
  const y = new Float32Array(2);
  await session
    .bind(
      new Map<string, Block>([
        ["x", Float32Array.of(1, 2)],
        ["y", y],
      ]),
    )
    .run();
  await session.release();
  return y;
}

test("the C API works where onnxruntime-node came first, and again after all of it was closed", async () => {
  expect([...(await double(await openOnnxruntimeNode(1)))]).toEqual([2, 4]);
  for (let i = 0; i < 3; i++) {
    const runner = await openCApi(2);
    const other = await openCApi(1); // another number of threads than the open environment's
    expect([...(await double(runner))]).toEqual([2, 4]);
    expect([...(await double(other))]).toEqual([2, 4]);
    runner.close();
    runner.close(); // twice is once
    expect([...(await double(other))]).toEqual([2, 4]);
    other.close();
  }
});
