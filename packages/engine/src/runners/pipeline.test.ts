import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { arithmetic, unary } from "../ir/elementwise.ts";
import { matMul } from "../ir/matmul.ts";
import { gather } from "../ir/views.ts";
import type { Program } from "../onnx/emit.ts";
import type { CApiRunner } from "./c-api.ts";
import { openCApi } from "./c-api.ts";
import { openOnnxruntimeNode } from "./onnxruntime-node.ts";
import { doubling, program } from "./programs.testing.ts";
import type { Block, Runner, Session } from "./runner.ts";

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
