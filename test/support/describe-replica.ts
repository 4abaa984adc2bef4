import { createHash } from "node:crypto";
import type { Model, Replica } from "@gmc/core";
import { initialTrainState, sizeOf, tensorLayout, tensorViews } from "@gmc/core";
import { randomInputs, relativeError } from "@gmc/testkit";
import { beforeAll, describe, expect, test } from "vitest";
import { compiledStep, movedBuffers } from "./compiled-step.ts";
import type { Arrays } from "./eager-shard.ts";
import { eagerEncode, eagerShard, useCpuBackend } from "./eager-shard.ts";

/** Both sides are float32 and round in another order; a device's exp, sqrt and division may be less exact, too. */
const TOLERANCE = 1e-5;
const RULE = { learningRate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/**
 * What every engine must do with every model: `open` gives a replica that computes on so many threads.
 *
 * @param threads  numbers of them that must give the same bits; the first is what the rest of the suite runs on
 */
export function describeReplica(
  engine: string,
  models: Readonly<Record<string, () => Model | Promise<Model>>>,
  open: (model: Model, threads: number) => Promise<Replica>,
  threads: readonly [number, ...number[]] = [1, 2],
): void {
  beforeAll(useCpuBackend);
  describe.each(Object.entries(models))(`${engine}, the %s model`, (_name, build) => {
    const rows = 4;

    /** Runs `use` on an open replica with the state of seed 1. */
    async function withReplica<T>(threads: number, use: (replica: Replica, model: Model) => Promise<T>): Promise<T> {
      const model = await build();
      const replica = await open(model, threads);
      await replica.write(initialTrainState(model, 1));
      try {
        return await use(replica, model);
      } finally {
        await replica.close();
      }
    }

    test("forward and every gradient are those of the model's own ops", () =>
      withReplica(threads[0], async (replica, model) => {
        const compiled = await replica.compile(rows);
        const inputs = randomInputs(model.inputs(rows, "train"), 5);
        const { embeddings, localLoss, batchStatistics } = await compiled.forward(0, inputs);
        const dz = (embeddings ?? new Float32Array(0)).map((_, i) => Math.sin(i));
        const gradient = new Float32Array(tensorLayout(model.parameters).length).fill(Number.NaN);
        await compiled.backward(0, { localWeight: 0.25, ...(embeddings && { dz }) }, gradient);
        const eager = eagerShard(model, await replica.read(), inputs, rows, { dz, localWeight: 0.25 });
        const statistics = batchStatistics ? tensorViews(tensorLayout(model.buffers), batchStatistics) : {};
        const given = {
          ...statistics,
          ...(embeddings && { embeddings }),
          ...(localLoss !== undefined && { localLoss: Float32Array.of(localLoss) }),
        };
        expect(Object.keys(given).sort()).toEqual(Object.keys(eager.forward).sort());
        const actual: Arrays = { ...given, ...tensorViews(tensorLayout(model.parameters), gradient) };
        for (const [name, reference] of Object.entries(eager.forward)) {
          expect(relativeError(actual[name]!, reference), name).toBeLessThan(TOLERANCE);
        }
        const whole = norm(gradient);
        for (const [name, reference] of Object.entries(eager.gradient)) {
          const difference = norm(reference.map((value, i) => value - actual[name]![i]!));
          const size = Math.max(norm(reference), 0.01 * whole); // a bias before a batch norm has gradient 0 and noise
          expect(difference / size, name).toBeLessThan(TOLERANCE);
        }
      }));

    test("encodings of every single modality and of all are those of the model's own ops", () =>
      withReplica(threads[0], async (replica, model) => {
        for (const present of [...model.modalities.map((name) => [name]), model.modalities]) {
          const inputs = randomInputs(model.inputs(rows, present), 6);
          const { code, outputs } = await (await replica.encoder(rows, present)).encode(inputs);
          const eager = eagerEncode(model, await replica.read(), inputs, rows, present);
          expect(relativeError(code, eager.code), present.join("+")).toBeLessThan(TOLERANCE);
          expect(Object.keys(outputs)).toEqual(Object.keys(eager.outputs));
          for (const [name, reference] of Object.entries(eager.outputs)) {
            expect(relativeError(outputs[name]!, reference), name).toBeLessThan(TOLERANCE);
          }
        }
      }));

    /** sha256 of the whole state after three steps of two shards. */
    const trainedDigest = (threads: number) =>
      withReplica(threads, async (replica, model) => {
        const compiled = await replica.compile(rows);
        for (let step = 0; step < 3; step++) {
          const shards = [0, 1].map((shard) => randomInputs(model.inputs(rows, "train"), 10 * step + shard));
          const { gradient, statistics } = await compiledStep(model, compiled, shards);
          const { buffers } = await replica.read();
          await replica.update(gradient, RULE, movedBuffers(model, buffers, statistics));
        }
        const { parameters, firstMoment, secondMoment, buffers } = await replica.read();
        const hash = createHash("sha256");
        for (const block of [parameters, firstMoment, secondMoment, buffers]) hash.update(new Uint8Array(block.buffer));
        expect(parameters.every(Number.isFinite)).toBe(true);
        return hash.digest("hex");
      });

    test(`training gives the same bits again, with threads: ${threads.join(", ")}`, async () => {
      const digest = await trainedDigest(threads[0]);
      for (const count of threads) expect(await trainedDigest(count)).toBe(digest);
    });

    test("a state goes through write and read unchanged", () =>
      withReplica(threads[0], async (replica, model) => {
        const state = { ...initialTrainState(model, 9), step: 41, beta1Power: 0.125, beta2Power: 0.75 };
        state.secondMoment.fill(0.5);
        await replica.write(state);
        expect(await replica.read()).toEqual(state);
        expect(state.parameters.length).toBe(model.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0));
      }));
  });
}
