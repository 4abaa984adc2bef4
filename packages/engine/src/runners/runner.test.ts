import { createHash } from "node:crypto";
import { EnvironmentError, normalAt, randomKey, silentLogger, sizeOf } from "@gmc/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { arithmetic, compare, unary } from "../ir/elementwise.ts";
import { Graph } from "../ir/graph.ts";
import { matMul } from "../ir/matmul.ts";
import { reduce } from "../ir/reduce.ts";
import { gather } from "../ir/views.ts";
import { openFlatMemory } from "../kernels/flat-memory.ts";
import type { Program } from "../onnx/emit.ts";
import { emitProgram } from "../onnx/emit.ts";
import { allocateBlock } from "./blocks.ts";
import type { CApiRunner } from "./c-api.ts";
import { openCApi } from "./c-api.ts";
import { DeviceError } from "./device-search.ts";
import { openOnnxruntimeNode } from "./onnxruntime-node.ts";
import { openRunner } from "./open-runner.ts";
import type { Block, Runner, Session } from "./runner.ts";

function program(build: (graph: Graph) => void): Program {
  const graph = new Graph();
  build(graph);
  return emitProgram(graph, graph.outputs);
}

/** y = x + x, a scalar: total = sum of x. */
const doubling = program((graph) => {
  const x = graph.input("x", [3]);
  graph.output("y", arithmetic(graph, "Add", x, x));
  graph.output("total", reduce(graph, "ReduceSum", x, [0], false));
});

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
const stepOf = (from: string, to: string): Program =>
  program((graph) => {
    const doubled = arithmetic(graph, "Mul", graph.input(from, [4]), graph.uniform(2, [4]));
    graph.output(to, arithmetic(graph, "Add", doubled, graph.uniform(1, [4])));
  });

describe.each([
  ["C API, one thread", (): Promise<Runner> => openCApi(1), 1e6],
  ["C API, two threads, small programs", (): Promise<Runner> => openCApi(2), 1],
  ["C API, lanes", (): Promise<Runner> => openCApi(2), 1e6],
  ["C API, lanes of replicas", (): Promise<Runner> => openCApi(3, 3), 1e6],
  ["onnxruntime-node", (): Promise<Runner> => openOnnxruntimeNode(1), 1e6],
] as const)("pipeline: %s", (_name, open, work) => {
  /** a → b → c, b → d, c and d → e: programs that read what others wrote. */
  let runner: Runner;
  beforeAll(async () => {
    runner = await open();
  });
  afterAll(() => runner.close());

  async function opened() {
    const blocks = new Map<string, Block>(["a", "b", "c", "d", "e"].map((name) => [name, new Float32Array(4)]));
    const index = new Int32Array(4);
    blocks.set("index", index);
    const picking = program((graph) => {
      graph.output("d", gather(graph, graph.input("b", [4]), graph.input("index", [4], "int32"), 0));
    });
    const sum = program((graph) => {
      graph.output("e", arithmetic(graph, "Add", graph.input("c", [4]), graph.input("d", [4])));
    });
    const sessions: Session[] = [];
    for (const one of [stepOf("a", "b"), stepOf("b", "c"), picking, sum]) sessions.push(await runner.open(one));
    const after = [[], [0], [0], [1, 2]];
    const tasks = sessions.map((session, i) => ({ binding: session.bind(blocks), after: after[i] ?? [], work }));
    const pipeline = runner.pipeline(tasks);
    const close = async () => {
      pipeline.release();
      for (const session of sessions) await session.release();
    };
    return { blocks, pipeline, close, index };
  }

  test("programs run as they depend on each other, again and again, and ends are told in one order", async () => {
    const { blocks, pipeline, close } = await opened();
    const orders: string[] = [];
    for (const first of [1, 5, -2]) {
      const told: number[] = [];
      blocks.get("a")?.fill(first);
      blocks.get("e")?.fill(0);
      await pipeline.run((task) => told.push(task));
      const b = 2 * first + 1;
      expect([...(blocks.get("e") ?? [])]).toEqual(Array(4).fill(2 * b + 1 + b));
      orders.push(told.join());
    }
    expect(new Set(orders).size).toBe(1);
    expect(orders[0]?.split(",").sort().join()).toBe("0,1,2,3");
    await pipeline.run();
    await close();
  });

  test("when a task's end is told, what it wrote is there", async () => {
    const { blocks, pipeline, close } = await opened();
    const seen: Record<number, number | undefined> = {};
    const written = ["b", "c", "d", "e"];
    for (const name of written) blocks.get(name)?.fill(Number.NaN);
    blocks.get("a")?.fill(1);
    await pipeline.run((task) => {
      seen[task] = blocks.get(written[task] ?? "")?.[3];
    });
    expect(seen).toEqual({ 0: 3, 1: 7, 2: 3, 3: 10 });
    await close();
  });

  test("a program that fails is the error, in onnxruntime's words; the next run is good again", async () => {
    const { blocks, pipeline, close, index } = await opened();
    index.fill(99);
    await expect(pipeline.run()).rejects.toThrow(/onnxruntime.*out of|indices|99/i);
    index.fill(0);
    blocks.get("a")?.fill(1);
    await pipeline.run();
    expect(blocks.get("e")?.[0]).toBe(10);
    await close();
  });

  test("an error of who is told is the run's error, once nothing runs any more", async () => {
    const { blocks, pipeline, close } = await opened();
    const telling = () => {
      throw new TypeError("told");
    };
    await expect(pipeline.run(telling)).rejects.toThrow("told");
    blocks.get("a")?.fill(0);
    await pipeline.run();
    expect(blocks.get("e")?.[0]).toBe(4);
    await close();
  });
});

describe("lanes", () => {
  let runner: CApiRunner;
  let session: Session;
  beforeAll(async () => {
    runner = await openCApi(2, 2);
    session = await runner.open(doubling);
  });
  afterAll(async () => {
    await session.release();
    await runner.close();
  });
  const WORK = 1e6;
  const blocksOf = (x: number) =>
    new Map<string, Block>([
      ["x", new Float32Array(3).fill(x)],
      ["y", new Float32Array(3)],
      ["total", new Float32Array(1)],
    ]);

  test("more pipelines at once than lanes all come to their turn", async () => {
    const all = Array.from({ length: 7 }, (_, i) => {
      const blocks = blocksOf(i);
      return { blocks, pipeline: runner.pipeline([{ binding: session.bind(blocks), after: [], work: WORK }]) };
    });
    await Promise.all(all.map(({ pipeline }) => pipeline.run()));
    expect(all.map(({ blocks }) => blocks.get("y")?.[0])).toEqual([0, 2, 4, 6, 8, 10, 12]);
  });

  test("a pipeline does not run twice at once, nor is a binding released under it", async () => {
    const binding = session.bind(blocksOf(1));
    const pipeline = runner.pipeline([{ binding, after: [], work: WORK }]);
    const runs = [pipeline.run(), pipeline.run(), binding.run()];
    expect(() => binding.release()).toThrow(/while it runs/);
    const [first, ...others] = await Promise.allSettled(runs);
    expect(first).toMatchObject({ status: "fulfilled" });
    for (const other of others) expect(String(other.status === "rejected" && other.reason)).toMatch(/once at a time/);
    binding.release();
    await expect(pipeline.run()).rejects.toThrow(/released/);
  });

  test("the event loop goes on while lanes compute", async () => {
    const product = program((graph) => {
      const a = graph.input("a", [700, 700]);
      let value = a;
      for (let i = 0; i < 6; i++) value = unary(graph, "Tanh", matMul(graph, value, a));
      graph.output("y", value);
    });
    expect(product.work).toBeGreaterThan(10_000);
    const heavy = await runner.open(product);
    const blocks = new Map<string, Block>([
      ["a", new Float32Array(490_000).fill(0.01)],
      ["y", new Float32Array(490_000)],
    ]);
    const pipeline = runner.pipeline([{ binding: heavy.bind(blocks), after: [], work: product.work }]);
    let [turns, over] = [0, false];
    const running = pipeline.run().then(() => {
      over = true;
    });
    while (!over && turns < 1e6) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
    await running;
    expect(turns).toBeGreaterThan(10);
    await heavy.release();
  });

  test("another runner's binding is refused, and nothing runs after close", async () => {
    const node = await openOnnxruntimeNode(1);
    const foreign = (await node.open(doubling)).bind(blocksOf(1));
    expect(() => runner.pipeline([{ binding: foreign, after: [], work: WORK }])).toThrow(/another runner/);
    const other = await openCApi(2);
    const own = await other.open(doubling);
    const pipeline = other.pipeline([{ binding: own.bind(blocksOf(1)), after: [], work: WORK }]);
    await other.close();
    await expect(pipeline.run()).rejects.toThrow(/close/);
    await own.release();
  });
});

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

describe("openRunner", () => {
  const ONE = { threads: 1, replicas: 1 };
  const fake = (name: string): Runner => ({
    name,
    runsAtOnce: 1,
    programsAtOnce: 1,
    open: () => Promise.reject(new Error("fake")),
    pipeline: () => {
      throw new Error("fake");
    },
    close: () => {},
  });
  const failing = {
    "c-api": () => Promise.reject(new EnvironmentError("no koffi")),
    "onnxruntime-node": async () => fake("node"),
  };

  test("auto is the C API where it loads", async () => {
    const runner = await openRunner("auto", ONE, silentLogger);
    expect(runner.name).toMatch(/^onnxruntime 1\..* \(C API\)$/);
    runner.close();
  });

  test("auto falls back to onnxruntime-node and logs why", async () => {
    const warnings: unknown[] = [];
    const logger = { info() {}, warn: (event: string, fields?: object) => warnings.push({ event, ...fields }) };
    expect((await openRunner("auto", ONE, logger, failing)).name).toBe("node");
    expect(warnings).toEqual([{ event: "engine.runnerFallback", runner: "onnxruntime-node", reason: "no koffi" }]);
  });

  test("a device that is not to be had is an error, not another runner's device", async () => {
    const deviceless = {
      ...failing,
      "c-api": () => Promise.reject(new DeviceError("webgpu", "no card", { lookedFor: [], advice: "" })),
    };
    await expect(openRunner("auto", ONE, silentLogger, deviceless)).rejects.toThrow(/no card/);
  });

  test("a runner that was asked for by name is not replaced", async () => {
    await expect(openRunner("c-api", ONE, silentLogger, failing)).rejects.toThrow(/no koffi/);
  });

  test("an error that is no fact about the machine is not hidden", async () => {
    const broken = { ...failing, "c-api": () => Promise.reject(new TypeError("a bug")) };
    await expect(openRunner("auto", ONE, silentLogger, broken)).rejects.toThrow(/a bug/);
  });
});
