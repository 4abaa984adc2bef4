import { createHash } from "node:crypto";
import { normalAt, randomKey, sizeOf } from "@gmc/core";
import { afterAll, describe, expect, test } from "vitest";
import { arithmetic, compare, unary } from "../ir/elementwise.ts";
import { matMul } from "../ir/matmul.ts";
import { reduce } from "../ir/reduce.ts";
import { gather } from "../ir/views.ts";
import { openFlatMemory } from "../kernels/flat-memory.ts";
import { allocateBlock } from "./blocks.ts";
import { openCApi } from "./c-api.ts";
import { openOnnxruntimeNode } from "./onnxruntime-node.ts";
import { doubling, program } from "./programs.testing.ts";
import type { Block, Runner } from "./runner.ts";

/** What a network is made of, large enough for several threads: products, exponentials, sums, a gather by int32. */
const network = program((graph) => {
  const x = graph.input("x", [96, 300]);
  const w = graph.input("w", [300, 200]);
  const order = graph.input("order", [96], "int32");
  const scale = graph.input("scale", []);
  const hidden = unary(graph, "Tanh", arithmetic(graph, "Mul", matMul(graph, gather(graph, x, order, 0), w), scale));
  const gradient = matMul(graph, x, hidden, true, false);
  graph.output("hidden", unary(graph, "Exp", hidden));
  graph.output("gradient", gradient);
  graph.output("sums", reduce(graph, "ReduceSum", gradient, [0], false));
  graph.output("positive", compare(graph, "Greater", hidden, graph.uniform(0, [96, 200])));
});

function networkBlocks(): Map<string, Block> {
  const blocks = new Map<string, Block>();
  for (const spec of [...network.inputs, ...network.outputs]) blocks.set(spec.name, allocateBlock(spec));
  for (const name of ["x", "w"]) {
    const key = randomKey(5, name);
    blocks.get(name)?.forEach((_, i, block) => {
      block[i] = normalAt(key, i);
    });
  }
  blocks.get("order")?.forEach((_, i, block) => {
    block[i] = (i * 7) % 96;
  });
  blocks.get("scale")?.fill(0.05);
  return blocks;
}

async function hashOf(runner: Runner): Promise<string> {
  const session = await runner.open(network);
  const blocks = networkBlocks();
  const binding = session.bind(blocks);
  await binding.run();
  binding.release();
  await session.release();
  const hash = createHash("sha256");
  for (const { name, shape } of network.outputs) {
    expect(blocks.get(name)?.length).toBe(sizeOf(shape));
    hash.update(blocks.get(name) ?? "");
  }
  return hash.digest("hex");
}

describe.each([
  ["C API", openCApi],
  ["onnxruntime-node", openOnnxruntimeNode],
] as const)("%s", (_name, open) => {
  const runners: Runner[] = [];
  const opened = async (threads = 1): Promise<Runner> => {
    const runner = await open(threads);
    runners.push(runner);
    return runner;
  };
  afterAll(() => {
    for (const runner of runners) runner.close();
  });
  const bound = (blocks: Record<string, Block>) =>
    new Map<string, Block>(
      Object.entries({ x: new Float32Array(3), y: new Float32Array(3), total: new Float32Array(1), ...blocks }),
    );

  test("a run reads and writes the bound arrays in place, again and again", async () => {
    const session = await (await opened()).open(doubling);
    const blocks = bound({});
    const binding = session.bind(blocks);
    for (const first of [1, 10, -5]) {
      blocks.get("x")?.set([first, 2, 3]);
      await binding.run();
      expect([...(blocks.get("y") ?? [])]).toEqual([2 * first, 4, 6]);
      expect([...(blocks.get("total") ?? [])]).toEqual([first + 5]);
    }
    binding.release();
    await session.release();
  });

  test("arrays may be views into WebAssembly memory", async () => {
    const memory = openFlatMemory(8);
    const session = await (await opened()).open(doubling);
    const binding = session.bind(bound({ x: memory.parameters.subarray(1, 4), y: memory.gradient.subarray(2, 5) }));
    memory.parameters.set([0, 1, 2, 3, 4]);
    await binding.run();
    expect([...memory.gradient]).toEqual([0, 0, 2, 4, 6, 0, 0, 0]);
    await session.release();
  });

  test("bindings of one session do not touch each other, also when their runs overlap", async () => {
    const session = await (await opened()).open(doubling);
    const sets = [1, 2, 3, 4].map((v) => bound({ x: new Float32Array(3).fill(v) }));
    const bindings = sets.map((blocks) => session.bind(blocks));
    await Promise.all(bindings.map((binding) => binding.run()));
    expect(sets.map((blocks) => blocks.get("y")?.[2])).toEqual([2, 4, 6, 8]);
    await session.release();
  });

  test("a missing array and one of a wrong type or length are refused by name", async () => {
    const session = await (await opened()).open(doubling);
    expect(() => session.bind(new Map())).toThrow(/"x" is not bound/);
    expect(() => session.bind(bound({ x: new Float32Array(4) }))).toThrow(/"x": expected float32 \[3\] .* 4 elements/);
    expect(() => session.bind(bound({ y: new Int32Array(3) }))).toThrow(/"y": expected float32/);
    await session.release();
  });

  test("a program that onnxruntime does not accept is an error with its words", async () => {
    const runner = await opened();
    const broken = { ...doubling, bytes: Uint8Array.of(1, 2, 3) };
    await expect(runner.open(broken)).rejects.toThrow(/[Pp]rotobuf|model/);
  });

  test("subnormal numbers are kept on every thread, and JavaScript goes on computing with them", async () => {
    const length = 1 << 20; // split among threads
    const squares = program((graph) => {
      const x = graph.input("x", [length]);
      graph.output("y", arithmetic(graph, "Mul", x, x));
    });
    const tiny = Math.fround(1e-20);
    for (const threads of [1, 2]) {
      const session = await (await opened(threads)).open(squares);
      const y = new Float32Array(length);
      await session
        .bind(
          new Map<string, Block>([
            ["x", new Float32Array(length).fill(tiny)],
            ["y", y],
          ]),
        )
        .run();
      expect(y.every((value) => value === Math.fround(tiny * tiny))).toBe(true);
      expect(y[0]).toBeGreaterThan(0);
      expect(Number("1e-200") * Number("1e-120")).toBeGreaterThan(0);
      await session.release();
    }
  });

  test("runs at once are what was asked for, where the runner can", async () => {
    const runner = open === openCApi ? await openCApi(3, 2) : await openOnnxruntimeNode(3);
    runners.push(runner);
    expect(runner.runsAtOnce).toBe(open === openCApi ? 2 : 1);
    expect((await opened()).runsAtOnce).toBe(1);
  });

  test("one thread and two give the same bits, the ones of the other runner", async () => {
    const expected = await hashOf(await openOnnxruntimeNode(1));
    for (const threads of [1, 2]) expect(await hashOf(await opened(threads))).toBe(expected);
  });
});

/** to = 2 from + 1 */
describe("C API", () => {
  /** Tens of milliseconds of work. */
  const heavy = program((graph) => {
    const a = graph.input("a", [700, 700]);
    let product = a;
    for (let i = 0; i < 6; i++) product = unary(graph, "Tanh", matMul(graph, product, a));
    graph.output("y", product);
  });

  test("the event loop goes on during a run", async () => {
    const runner = await openCApi(1);
    const session = await runner.open(heavy);
    const binding = session.bind(
      new Map<string, Block>([
        ["a", new Float32Array(490_000).fill(0.01)],
        ["y", new Float32Array(490_000)],
      ]),
    );
    let turns = 0;
    const running = binding.run().then(() => {
      turns = -turns;
    });
    while (turns >= 0 && turns < 1e6) {
      await new Promise((resolve) => setImmediate(resolve));
      if (turns >= 0) turns++;
    }
    await running;
    expect(-turns).toBeGreaterThan(10);
    await session.release();
    runner.close();
  });

  test("a binding does not run twice at once, nor after its release, nor is it released under a run", async () => {
    const runner = await openCApi(1);
    const session = await runner.open(doubling);
    const blocks = new Map<string, Block>([
      ["x", new Float32Array(3)],
      ["y", new Float32Array(3)],
      ["total", new Float32Array(1)],
    ]);
    const binding = session.bind(blocks);
    const running = binding.run();
    await expect(binding.run()).rejects.toThrow(/once at a time/);
    expect(() => binding.release()).toThrow(/while it runs/);
    await running;
    binding.release();
    await expect(binding.run()).rejects.toThrow(/released/);
    await session.release();
    expect(() => session.bind(blocks)).toThrow(/released/);
    runner.close();
    await expect(runner.open(doubling)).rejects.toThrow(/closed/);
  });

  test("shared memory can be bound", async () => {
    const runner = await openCApi(1);
    const session = await runner.open(doubling);
    const memory = openFlatMemory(3, { shared: true });
    memory.parameters.set([1, 2, 3]);
    const binding = session.bind(
      new Map<string, Block>([
        ["x", memory.parameters],
        ["y", memory.gradient],
        ["total", new Float32Array(1)],
      ]),
    );
    await binding.run();
    expect([...memory.gradient]).toEqual([2, 4, 6]);
    await session.release();
    runner.close();
  });

  test("sessions and bindings give their memory back", async () => {
    const runner = await openCApi(1);
    const blocks = networkBlocks();
    const cycle = async () => {
      const session = await runner.open(network);
      for (let i = 0; i < 5; i++) await session.bind(blocks).run();
      await session.release();
    };
    for (let i = 0; i < 20; i++) await cycle();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 100; i++) await cycle(); // each holds 0.5 MB of tensors: a leak would show as 50 MB
    expect(process.memoryUsage().rss - before).toBeLessThan(25e6);
    runner.close();
  });
});
