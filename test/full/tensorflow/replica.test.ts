import type { Logger, Range, Replica } from "@gmc/core";
import { EnvironmentError, initialTrainState, partRanges, silentLogger, TraceError, tensorLayout } from "@gmc/core";
import { EngineConfig, openReplica } from "@gmc/engine";
import { randomInputs, relativeError, supervisedContractModel } from "@gmc/testkit";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compiledStep } from "../../support/compiled-step.ts";
import { tensorflowMissing } from "../../support/tensorflow.ts";

const RULE = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
const CONFIG = EngineConfig.parse({ kind: "tensorflow", threads: 1 });
const ROWS = 4;

describe.skipIf(tensorflowMissing)("a replica on TensorFlow", () => {
  const model = supervisedContractModel();
  const inputs = (seed: number) => randomInputs(model.inputs(ROWS, "train"), seed);
  const length = tensorLayout(model.parameters).length;
  let replica: Replica;
  beforeAll(async () => {
    replica = await openReplica(model, CONFIG);
    await replica.write(initialTrainState(model, 1));
  });
  afterAll(() => replica?.close());

  test("says what computes", () => {
    expect(replica.device).toMatchObject({ kind: "cpu", library: expect.stringMatching(/^TensorFlow \d+\.\d+/) });
    expect(replica.shardsAtOnce ?? 1).toBe(1);
  });

  test("the number of tensors is flat over 1,000 steps with validation between, and all are gone at the end", async () => {
    const before = tf.memory();
    const trained = await openReplica(model, CONFIG);
    await trained.write(initialTrainState(model, 1));
    const compiled = await trained.compile(ROWS);
    const encoder = await trained.encoder(ROWS, ["image"]);
    const held = new Set<string>();
    let residentBytes = 0;
    for (let step = 1; step <= 1000; step++) {
      const { gradient } = await compiledStep(model, compiled, [inputs(0)]);
      await trained.update(gradient, RULE, new Float32Array(0));
      if (step % 10 > 0) continue;
      await compiled.forward(0, inputs(2)); // a validation's forward has no backward; the next forward takes its place
      await encoder.encode(inputs(3));
      const { numTensors, numBytes } = tf.memory();
      held.add(`${numTensors} tensors, ${numBytes} bytes`);
      if (step === 200) residentBytes = process.memoryUsage.rss();
    }
    expect([...held]).toHaveLength(1);
    expect(process.memoryUsage.rss() / residentBytes).toBeLessThan(1.1);
    await trained.close();
    expect(tf.memory().numTensors).toBe(before.numTensors);
  });

  test("parts come in one order for every shard, whole, each when its gradient is complete", async () => {
    const compiled = await replica.compile(ROWS);
    const orders: Range[][] = [];
    for (const shard of [0, 1]) {
      const { embeddings } = await compiled.forward(shard, inputs(shard));
      const dz = embeddings!.map((_, i) => Math.cos(i));
      const gradient = new Float32Array(length).fill(Number.NaN);
      const copies: (readonly [Range, Float32Array])[] = [];
      let turns = 0;
      const timer = setInterval(() => turns++, 0);
      await compiled.backward(shard, { dz, localWeight: 0.5 }, gradient, async (part) => {
        copies.push([part, gradient.slice(part.start, part.end)]);
      });
      clearInterval(timer);
      for (const [{ start, end }, copy] of copies) expect(copy).toEqual(gradient.slice(start, end));
      expect(gradient.every(Number.isFinite)).toBe(true);
      orders.push(copies.map(([part]) => part));
    }
    expect(orders[0]).toEqual(orders[1]);
    const byStart = (a: Range, b: Range) => a.start - b.start;
    expect([...orders[0]!].sort(byStart)).toEqual([...partRanges(model.parameters).values()].sort(byStart));
    expect(orders[0]).not.toEqual([...orders[0]!].sort(byStart)); // what is computed last in the forward comes first
  });

  test("backward settles when onPart has, and throws what it threw", async () => {
    const compiled = await replica.compile(ROWS);
    const { embeddings } = await compiled.forward(0, inputs(0));
    const gradient = new Float32Array(length);
    let late = false;
    const failing = compiled.backward(0, { dz: embeddings!, localWeight: 1 }, gradient, async (part) => {
      if (part.start > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
      late = true;
      throw new RangeError("the wire is cut");
    });
    await expect(failing).rejects.toThrow("the wire is cut");
    expect(late).toBe(true);
  });

  test("backwards of two shards may overlap, with the gradients of one after the other", async () => {
    const compiled = await replica.compile(ROWS);
    const results = [await compiled.forward(0, inputs(0)), await compiled.forward(1, inputs(1))];
    const alone = [new Float32Array(length), new Float32Array(length)];
    const back = (shard: number, gradient: Float32Array) =>
      compiled.backward(shard, { dz: results[shard]!.embeddings!.map(Math.sin), localWeight: 0.5 }, gradient);
    for (const shard of [0, 1]) await back(shard, alone[shard]!);
    for (const shard of [0, 1]) await compiled.forward(shard, inputs(shard));
    const together = [new Float32Array(length), new Float32Array(length)];
    await Promise.all([0, 1].map((shard) => back(shard, together[shard]!)));
    expect(together).toEqual(alone);
  });

  test("inputs belong to the caller again once a forward has settled", async () => {
    const compiled = await replica.compile(ROWS);
    const gradients = [];
    for (const overwrite of [false, true]) {
      const given = inputs(4);
      const { embeddings } = await compiled.forward(0, given);
      const dz = embeddings!.map(Math.cos);
      if (overwrite) for (const values of Object.values(given)) values.fill(Number.NaN);
      const gradient = new Float32Array(length);
      await compiled.backward(0, { dz, localWeight: 1 }, gradient);
      gradients.push(gradient);
    }
    expect(gradients[1]).toEqual(gradients[0]);
  });

  test("a misuse is refused, and nothing stays of it", async () => {
    const compiled = await replica.compile(ROWS);
    const gradient = new Float32Array(length);
    await compiled.forward(0, inputs(0));
    await compiled.backward(0, { dz: new Float32Array(3 * ROWS * 5), localWeight: 1 }, gradient);
    const before = tf.memory().numTensors;
    await expect(compiled.backward(0, { localWeight: 1 }, gradient)).rejects.toThrow(/no forward waiting/);
    await expect(compiled.forward(-1, inputs(0))).rejects.toThrow(RangeError);
    await expect(compiled.forward(0, {})).rejects.toThrow(/Input "image": expected \[4,4,4,1\]/);
    await compiled.forward(0, inputs(0));
    await expect(compiled.backward(0, { localWeight: 1 }, gradient)).rejects.toThrow(/dz is \[3,4,5\]/);
    await compiled.forward(0, inputs(0));
    await expect(
      compiled.backward(0, { dz: new Float32Array(60), localWeight: 1 }, new Float32Array(3)),
    ).rejects.toThrow(/the gradient has/);
    await compiled.backward(0, { dz: new Float32Array(60), localWeight: 1 }, gradient);
    await expect(replica.compile(0)).rejects.toThrow(RangeError);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("a model's op that TensorFlow cannot run is a TraceError that names it, and nothing stays", async () => {
    const wrong = {
      ...model,
      forward: (...args: Parameters<typeof model.forward>) => {
        const image = args[2].image as tf.Tensor4D;
        const result = model.forward(...args);
        return { ...result, localLoss: tf.mean(tf.maxPool(image, 2, 2, 1)) as tf.Scalar };
      },
    };
    const other = await openReplica(wrong, CONFIG);
    await other.write(initialTrainState(model, 1));
    const before = tf.memory().numTensors;
    const failing = (await other.compile(ROWS)).forward(0, inputs(0));
    await expect(failing).rejects.toThrow(TraceError);
    await expect(failing).rejects.toThrow(/MaxPool/);
    await other.close();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("other engines are not disturbed: both train in one process, in turns", async () => {
    const compiled = await replica.compile(ROWS);
    const onnx = await openReplica(model, EngineConfig.parse({ threads: 1 }));
    await onnx.write(await replica.read());
    const [ours, theirs] = [
      await compiledStep(model, compiled, [inputs(0)]),
      await compiledStep(model, await onnx.compile(ROWS), [inputs(0)]),
    ];
    expect(relativeError(ours.gradient, theirs.gradient)).toBeLessThan(1e-5);
    await onnx.close();
  });

  test("threads are the process's: another number is a warning; a card that is not there is refused", async () => {
    const warnings: unknown[] = [];
    const logger: Logger = { ...silentLogger, warn: (event, fields) => warnings.push({ event, ...fields }) };
    await (await openReplica(model, EngineConfig.parse({ kind: "tensorflow", threads: 2 }), logger)).close();
    expect(warnings).toEqual([{ event: "engine.tensorflowThreads", wanted: 2, inUse: 1 }]);
    const onCard = openReplica(model, EngineConfig.parse({ kind: "tensorflow", device: "gpu:0" }));
    await expect(onCard).rejects.toThrow(EnvironmentError);
    await expect(onCard).rejects.toThrow(/engine.device is "gpu:0".*already computes on the CPU/);
  });
});
