import type { Model, Replica } from "@gmc/core";
import { initialTrainState } from "@gmc/core";
import { EngineConfig, openReplica } from "@gmc/engine";
import { buildModel, classifierModel } from "@gmc/models";
import {
  goldenSmallModel,
  randomInputs,
  relativeError,
  supervisedContractModel,
  variationalContractModel,
} from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeSmallGolden } from "../support/describe-golden.ts";
import { describeReplica } from "../support/describe-replica.ts";
import { useSoftwareGpu } from "../support/software-gpu.ts";

const models = {
  "supervised (local loss, masks, noise)": supervisedContractModel,
  "variational (no embeddings, batch statistics)": variationalContractModel,
  "small GMC": () => goldenSmallModel(buildModel),
};

const missing = useSoftwareGpu();
const open = (model: Model, threads = 1, more = {}) =>
  openReplica(model, EngineConfig.parse({ threads, device: "webgpu", ...more }));

describe.skipIf(missing)(`webgpu on a software GPU${missing ? ` (skipped: ${missing})` : ""}`, () => {
  // The device forgets its compiled shaders when nobody uses it any more, and compiling them is most of the work here.
  let keeper: Replica | undefined;
  beforeAll(async () => {
    keeper = await open(tiny());
  });
  afterAll(() => keeper?.close());

  describeReplica("onnxruntime on webgpu", models, open);

  test.each(Object.keys(models))("the %s model is computed on the device, every operation of it", async (name) => {
    const events: unknown[] = [];
    const logger = { info: (event: string) => events.push(event), warn: (...event: unknown[]) => events.push(event) };
    const model = await models[name as keyof typeof models]();
    const replica = await openReplica(model, EngineConfig.parse({ device: "webgpu" }), logger);
    await replica.compile(4);
    await replica.encoder(4, model.modalities);
    await replica.close();
    expect(events).toEqual(["engine.device", "engine.compiled", "engine.compiled"]);
  });

  describeSmallGolden("onnxruntime on webgpu", { device: "webgpu" }, [4]); // SwiftShader: seconds a step

  test("a device's Adam follows the CPU's: decoupled decay, clipping, gradients that are zero", async () => {
    const rule = { learningRate: 1e-2, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, maxNorm: 0.5 };
    const model = tiny();
    const states = [];
    for (const device of ["cpu", "webgpu"] as const) {
      const replica = await openReplica(model, EngineConfig.parse({ threads: 1, device }));
      const state = initialTrainState(model, 3);
      await replica.write(state);
      for (let step = 0; step < 4; step++) {
        const gradient = state.parameters.map((_, i) => (i % 3 === 0 ? 0 : Math.sin(i + step)));
        await replica.update(gradient, rule, new Float32Array(0));
      }
      states.push(await replica.read());
      await replica.close();
    }
    const [cpu, device] = states;
    expect(device?.beta2Power).toBe(cpu?.beta2Power);
    for (const name of ["parameters", "firstMoment", "secondMoment"] as const) {
      expect(relativeError(device?.[name] ?? [], cpu?.[name] ?? []), name).toBeLessThan(1e-6); // a few roundings a step
    }
  });

  test("a gradient that is not finite changes nothing", async () => {
    const model = tiny();
    const replica = await open(model);
    const state = initialTrainState(model, 3);
    await replica.write(state);
    const gradient = new Float32Array(state.parameters.length).fill(Number.NaN);
    const rule = { learningRate: 1e-2, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 };
    await expect(replica.update(gradient, rule, new Float32Array(0))).rejects.toThrow(/not committed/);
    expect(await replica.read()).toEqual(state);
    await replica.close();
  });

  test("onnxruntime-node computes on the device, too", async () => {
    const model = tiny();
    const inputs = randomInputs(model.inputs(4, "train"), 5);
    const losses = [];
    for (const more of [{ device: "cpu" }, { runner: "onnxruntime-node" }]) {
      const replica = await open(model, 1, more);
      await replica.write(initialTrainState(model, 3));
      const { localLoss = Number.NaN } = await (await replica.compile(4)).forward(0, inputs);
      losses.push(localLoss);
      await replica.close();
    }
    expect(relativeError([losses[1] ?? 0], [losses[0] ?? 0])).toBeLessThan(1e-6);
  });

  test("close gives the device's memory back, with what a shard was in the middle of", async () => {
    const model = classifierModel({ inputDim: 512, widths: [1024], classes: 8 }); // 0.5 million parameters
    const inputs = randomInputs(model.inputs(4, "train"), 5);
    const cycle = async () => {
      const replica = await open(model);
      await replica.write(initialTrainState(model, 3));
      await (await replica.compile(4)).forward(0, inputs);
      await replica.close();
    };
    for (let i = 0; i < 3; i++) await cycle(); // the driver's own books
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 8; i++) await cycle(); // 14 MB each in vectors and tensors of parameters
    expect(process.memoryUsage().rss - before).toBeLessThan(56e6);
  });
});

const tiny = (): Model => classifierModel({ inputDim: 6, widths: [5], classes: 3 });
