import type { Inputs, Model, Replica } from "@gmc/core";
import { initialTrainState, tensorLayout } from "@gmc/core";
import { randomInputs, supervisedContractModel, variationalContractModel } from "@gmc/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EngineConfig } from "./config.ts";
import { openReplica } from "./replica.ts";

const ROWS = 4;
const RULE = { learningRate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
const model = supervisedContractModel();
const length = tensorLayout(model.parameters).length;
const noBuffers = new Float32Array(0);
const inputs = (seed: number, of: Model = model): Inputs => randomInputs(of.inputs(ROWS, "train"), seed);
const dz = new Float32Array(3 * ROWS * 5).map((_, i) => Math.cos(i));

let replica: Replica;
beforeEach(async () => {
  replica = await openReplica(model, EngineConfig.parse({ threads: 1 }));
  await replica.write(initialTrainState(model, 1));
});
afterEach(() => replica.close());

async function gradientOf(shard: number, seed: number): Promise<Float32Array> {
  const compiled = await replica.compile(ROWS);
  await compiled.forward(shard, inputs(seed));
  const gradient = new Float32Array(length);
  await compiled.backward(shard, { dz, localWeight: 1 }, gradient);
  return gradient;
}

test("every shard keeps its own activations: all forwards may come before all backwards", async () => {
  const alone = [await gradientOf(0, 10), await gradientOf(0, 11), await gradientOf(0, 12)];
  const compiled = await replica.compile(ROWS);
  for (const shard of [0, 1, 2]) await compiled.forward(shard, inputs(10 + shard));
  for (const shard of [2, 0, 1]) {
    const gradient = new Float32Array(length);
    await compiled.backward(shard, { dz, localWeight: 1 }, gradient);
    expect(gradient).toEqual(alone[shard]);
  }
});

describe.each([
  ["c-api", 2],
  ["onnxruntime-node", 1],
] as const)("shards at once on %s", (runner, expected) => {
  test("forwards, then backwards, that overlap give the bits of one after another", async () => {
    const parallel = await openReplica(model, EngineConfig.parse({ threads: 2, replicas: 2, runner }));
    expect(parallel.shardsAtOnce).toBe(expected);
    await parallel.write(initialTrainState(model, 1));
    const compiled = await parallel.compile(ROWS);
    const shards = [0, 1, 2, 3, 4, 5];
    const alone: Float32Array[] = [];
    for (const shard of shards) alone.push(await gradientOf(shard, 10 + shard));
    for (let repeat = 0; repeat < 20; repeat++) {
      await Promise.all(shards.map((shard) => compiled.forward(shard, inputs(10 + shard))));
      const gradients = await Promise.all(
        shards.map(async (shard) => {
          const gradient = parallel.gradientBlocks!.allocate();
          await compiled.backward(shard, { dz, localWeight: 1 }, gradient);
          return gradient;
        }),
      );
      expect(gradients).toEqual(alone);
    }
    await parallel.close();
  });
});

test("a shard that runs, and a gradient that is being written, are not taken twice", async () => {
  const compiled = await replica.compile(ROWS);
  const gradient = new Float32Array(length);
  const [first, second] = [compiled.forward(0, inputs(1)), compiled.forward(1, inputs(2))];
  await expect(compiled.forward(0, inputs(3))).rejects.toThrow(/forward: this shard is still running/);
  await expect(compiled.backward(0, { dz, localWeight: 1 }, gradient)).rejects.toThrow(/backward: .* still running/);
  await Promise.all([first, second]);
  const backward = compiled.backward(0, { dz, localWeight: 1 }, gradient);
  await expect(compiled.backward(1, { dz, localWeight: 1 }, gradient)).rejects.toThrow(
    /another shard is still writing/,
  );
  await backward;
  expect(gradient).toEqual(await gradientOf(0, 1));
});

test("without replicas asked for, one shard is computed at a time", () => {
  expect(replica.shardsAtOnce).toBe(1);
});

test("what a forward gave stays when the caller's arrays change, and until the shard's next forward", async () => {
  const expected = await gradientOf(0, 10);
  const compiled = await replica.compile(ROWS);
  const given = inputs(10);
  const { embeddings } = await compiled.forward(0, given);
  const before = embeddings?.slice();
  for (const values of Object.values(given)) values.fill(Number.NaN);
  await compiled.forward(1, inputs(11));
  const gradient = new Float32Array(length);
  await compiled.backward(0, { dz, localWeight: 1 }, gradient);
  expect(embeddings).toEqual(before);
  expect(gradient).toEqual(expected);
});

test("the gradient is linear in dz and in the local weight", async () => {
  const compiled = await replica.compile(ROWS);
  const of = async (scale: number, localWeight: number) => {
    await compiled.forward(0, inputs(3));
    const gradient = new Float32Array(length);
    await compiled.backward(0, { dz: dz.map((value) => value * scale), localWeight }, gradient);
    return gradient;
  };
  const [both, contrastive, local] = [await of(2, 0.5), await of(2, 0), await of(0, 0.5)];
  for (const [i, value] of both.entries()) expect(value).toBeCloseTo(contrastive[i]! + local[i]!, 5);
  expect(Math.hypot(...local)).toBeGreaterThan(0);
});

test.each([1, 2])("parts finish in one fixed order and cover the gradient, on %i threads", async (threads) => {
  const other = await openReplica(model, EngineConfig.parse({ threads }));
  const compiled = await other.compile(ROWS);
  await compiled.forward(0, inputs(1));
  const gradient = new Float32Array(length).fill(Number.NaN);
  const finite = () => gradient.filter(Number.isFinite).length;
  const parts: string[] = [];
  const early: boolean[] = []; // nothing of the last part was there yet
  let [released, covered] = [0, 0];
  await compiled.backward(0, { dz, localWeight: 1 }, gradient, async ({ start, end }) => {
    parts.push(`${start}-${end}`);
    covered += end - start;
    expect(gradient.subarray(start, end).every(Number.isFinite)).toBe(true);
    early.push(finite() < length);
    await new Promise((resolve) => setTimeout(resolve, 5));
    released++;
  });
  await other.close();
  expect(parts).toEqual(["416-434", "371-416", "187-371", "0-131", "131-187"]);
  expect(covered).toBe(length);
  expect(released).toBe(parts.length);
  if (threads === 1) expect(early.slice(0, -2)).toEqual([true, true, true]);
});

test("a part that cannot be taken fails the backward, after the others", async () => {
  const compiled = await replica.compile(ROWS);
  await compiled.forward(0, inputs(1));
  let taken = 0;
  const refused = compiled.backward(0, { dz, localWeight: 1 }, new Float32Array(length), async ({ end }) => {
    taken++;
    if (end === length) throw new Error("no room");
  });
  await expect(refused).rejects.toThrow("no room");
  expect(taken).toBe(5);
});

test("a gradient array is written whole, whatever was in it", async () => {
  const idle: Model = {
    ...model,
    parameters: [
      ...model.parameters,
      { name: "idle", shape: [7], initialiser: { kind: "constant", value: 1 }, part: "idle" },
    ],
  };
  const other = await openReplica(idle, EngineConfig.parse({ threads: 1 }));
  const compiled = await other.compile(ROWS);
  await compiled.forward(0, inputs(1));
  const gradient = new Float32Array(length + 7).fill(Number.NaN);
  await compiled.backward(0, { dz, localWeight: 1 }, gradient);
  expect(gradient.some(Number.isNaN)).toBe(false);
  expect(gradient.subarray(length)).toEqual(new Float32Array(7));
  await other.close();
});

test("many gradient arrays in turn give the same values", async () => {
  const expected = await gradientOf(0, 5);
  for (let i = 0; i < 40; i++) expect(await gradientOf(0, 5)).toEqual(expected);
});

test("graphs are compiled once for a number of rows, and once for a set of modalities", async () => {
  const events: unknown[] = [];
  const logged = await openReplica(model, EngineConfig.parse({ threads: 1 }), {
    info: (event) => events.push(event),
    warn: () => {},
  });
  await Promise.all([logged.compile(ROWS), logged.compile(ROWS)]);
  await logged.encoder(2, ["image"]);
  await logged.encoder(2, ["image"]);
  expect(events).toEqual(["engine.compiled", "engine.compiled"]);
  await logged.close();
});

test("the state read is a copy of what was written, moved by updates", async () => {
  const state = initialTrainState(model, 3);
  await replica.write({ ...state, step: 7, beta1Power: 0.5, beta2Power: 0.25 });
  const gradient = new Float32Array(length).fill(0.5);
  const { gradientNorm } = await replica.update(gradient, RULE, noBuffers);
  expect(gradientNorm).toBeCloseTo(0.5 * Math.sqrt(length), 5);
  const read = await replica.read();
  expect(read).toMatchObject({ step: 8, beta1Power: 0.45, beta2Power: 0.25 * 0.999, progress: state.progress });
  expect(read.firstMoment[0]).toBeCloseTo(0.05, 6);
  expect(read.parameters).not.toEqual(state.parameters);
  read.parameters.fill(0);
  expect((await replica.read()).parameters).not.toEqual(read.parameters);
});

test("an encoder sees the parameters and buffers of the moment, in training they are read too", async () => {
  const vae = variationalContractModel();
  const other = await openReplica(vae, EngineConfig.parse({ threads: 1 }));
  const state = initialTrainState(vae, 1);
  await other.write(state);
  const encoder = await other.encoder(ROWS, ["vector"]);
  const first = await encoder.encode(inputs(1, vae));
  await other.update(
    new Float32Array(state.parameters.length),
    { ...RULE, learningRate: 0 },
    state.buffers.map((value) => value + 1),
  );
  const second = await encoder.encode(inputs(1, vae));
  expect(second.code).not.toEqual(first.code);
  await other.write(state);
  expect(await encoder.encode(inputs(1, vae))).toEqual(first);
  expect(Object.keys(first.outputs)).toEqual(["reconstruction"]);
  await other.close();
});

test("encodings asked for at once take turns", async () => {
  const encoder = await replica.encoder(ROWS, ["image", "vector"]);
  const alone = [await encoder.encode(inputs(1)), await encoder.encode(inputs(2))];
  expect(await Promise.all([encoder.encode(inputs(1)), encoder.encode(inputs(2))])).toEqual(alone);
});

describe("clipping", () => {
  const step = async (gradient: Float32Array, maxNorm?: number) => {
    await replica.write(initialTrainState(model, 1));
    const { gradientNorm } = await replica.update(gradient, { ...RULE, ...(maxNorm ? { maxNorm } : {}) }, noBuffers);
    return { gradientNorm, firstMoment: (await replica.read()).firstMoment };
  };
  const gradient = new Float32Array(length).fill(2);

  test("a long gradient is scaled to the limit, its own norm is reported", async () => {
    const { gradientNorm, firstMoment } = await step(gradient, 1);
    expect(gradientNorm).toBeCloseTo(2 * Math.sqrt(length), 4);
    expect(10 * Math.hypot(...firstMoment)).toBeCloseTo(1, 5);
  });

  test("a short one is left alone", async () => {
    expect(await step(gradient, 1e6)).toEqual(await step(gradient));
  });
});

describe("misuse is refused with what to do", () => {
  test("a backward without its forward, and a second one", async () => {
    const compiled = await replica.compile(ROWS);
    const gradient = new Float32Array(length);
    await expect(compiled.backward(0, { dz, localWeight: 1 }, gradient)).rejects.toThrow(/shard 0 has had no forward/);
    await compiled.forward(0, inputs(1));
    await compiled.backward(0, { dz, localWeight: 1 }, gradient);
    await expect(compiled.backward(0, { dz, localWeight: 1 }, gradient)).rejects.toThrow(/call forward first/);
  });

  test("missing inputs, arrays of the wrong length, a missing or needless dz", async () => {
    const compiled = await replica.compile(ROWS);
    const { vector: _, ...incomplete } = inputs(1);
    await expect(compiled.forward(0, incomplete)).rejects.toThrow(
      /Input "vector": expected \[4,6\].*received inputs image/,
    );
    await expect(compiled.forward(0, { ...inputs(1), vector: new Float32Array(3) })).rejects.toThrow(
      /received 3 elements/,
    );
    await expect(compiled.forward(-1, inputs(1))).rejects.toThrow(/shard is a number from 0/);
    await compiled.forward(0, inputs(1));
    const gradient = new Float32Array(length);
    await expect(compiled.backward(0, { localWeight: 1 }, gradient)).rejects.toThrow(
      /dz is \[3,4,5\] \(60 elements\), received none/,
    );
    await expect(compiled.backward(0, { dz, localWeight: 1 }, new Float32Array(9))).rejects.toThrow(
      /434 elements, received 9/,
    );
    await expect(replica.update(new Float32Array(9), RULE, noBuffers)).rejects.toThrow(
      /update: gradient: expected 434/,
    );
    await expect(replica.update(gradient, RULE, new Float32Array(1))).rejects.toThrow(/update: buffers: expected 0/);
    await expect(replica.write({ ...initialTrainState(model, 1), parameters: new Float32Array(1) })).rejects.toThrow(
      /parameters/,
    );
    await expect(replica.compile(0)).rejects.toThrow(/rows is a number from 1/);
    const vae = await openReplica(variationalContractModel(), EngineConfig.parse({}));
    const other = await vae.compile(ROWS);
    await other.forward(0, inputs(1, variationalContractModel()));
    const all = new Float32Array(tensorLayout(variationalContractModel().parameters).length);
    await expect(other.backward(0, { dz, localWeight: 1 }, all)).rejects.toThrow(/no embeddings/);
    await vae.close();
  });

  test("anything after close; close waits for what runs and may be called twice", async () => {
    const compiled = await replica.compile(ROWS);
    const encoder = await replica.encoder(ROWS, ["image"]);
    const running = compiled.forward(0, inputs(1));
    await Promise.all([replica.close(), replica.close()]);
    await running;
    await expect(compiled.forward(0, inputs(1))).rejects.toThrow(/forward was called after close/);
    await expect(encoder.encode(inputs(1))).rejects.toThrow(/after close/);
    await expect(replica.read()).rejects.toThrow(/after close/);
    await expect(replica.compile(ROWS)).rejects.toThrow(/after close/);
    await expect(replica.update(new Float32Array(length), RULE, noBuffers)).rejects.toThrow(/after close/);
  });
});
