import { once } from "node:events";
import { Worker } from "node:worker_threads";
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

test("threads of one process run at once, and end without disturbing each other", async () => {
  const runner = await openCApi(1);
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    const loading = import("tsx/esm/api").then(({ register }) => register()).then(() => import(workerData.url));
    loading.then(async ({ openCApi }) => {
      const runner = await openCApi(1);
      const session = await runner.open(workerData.program);
      const y = new Float32Array(2);
      const x = new Float32Array(2);
      const binding = session.bind(new Map([["x", x], ["y", y]]));
      let right = 0;
      for (let i = 0; i < 100; i++) {
        x.fill(i);
        await binding.run();
        if (y[0] === 2 * i && y[1] === 2 * i) right++;
      }
      binding.release();
      await session.release();
      runner.close();
      parentPort.postMessage(right);
    });`;
  const right = await Promise.all(
    [1, 2, 3].map(async () => {
      const worker = new Worker(code, {
        eval: true,
        execArgv: ["--conditions=@gmc/source"],
        workerData: { url: new URL("./c-api.ts", import.meta.url).href, program: doubling },
      });
      const [message] = await once(worker, "message");
      await worker.terminate();
      return message;
    }),
  );
  expect(right).toEqual([100, 100, 100]);
  expect([...(await double(runner))]).toEqual([2, 4]);
  runner.close();
});
