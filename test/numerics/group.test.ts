import type { Collective } from "@gmc/collectives";
import { openLocalGroup } from "@gmc/collectives";
import type { Model, Replica, TrainState } from "@gmc/core";
import { initialTrainState, tensorLayout, tensorViews } from "@gmc/core";
import { buildModel } from "@gmc/models";
import type { GoldenModel, TensorFile } from "@gmc/testkit";
import {
  fixturePath,
  fromTorch,
  goldenInputs,
  goldenMhd,
  goldenMhdModel,
  goldenSmall,
  goldenSmallModel,
  packTensors,
  readTensorFile,
  relativeError,
  scalarOf,
  sharedPath,
} from "@gmc/testkit";
import { stepContext, trainStep } from "@gmc/trainer";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { expectClose } from "../support/golden-run.ts";
import { groupModel } from "../support/group-model.ts";
import type { GroupRun, MemberExtras } from "../support/group-run.ts";
import {
  changed,
  openTestReplica,
  sha256Of,
  trainAlone,
  trainMembers,
  uncommitted,
  withoutParts,
} from "../support/group-run.ts";

/** The project's bar for the loss and every parameter's gradient, against float64. */
const GRADIENT_TOLERANCE = 1e-5;
const RULE = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

function localMembers(shares: readonly (readonly number[])[], wire: "fp32" | "bf16" = "fp32"): readonly Collective[] {
  const group = openLocalGroup(shares, { wire, timeoutMs: 60_000 });
  onTestFinished(() => group.close());
  return group.members;
}

describe("the same bits whoever trains", () => {
  let model: Model;
  beforeAll(async () => {
    model = await groupModel();
  });
  const runOf = (more: Partial<GroupRun> = {}): GroupRun => ({
    model,
    batchSize: 12,
    shards: 4,
    wire: "fp32",
    validationSamples: 25,
    training: { schedule: { kind: "cosine", warmupSteps: 2 }, clipNorm: 5 },
    ...more,
  });
  const train = (run: GroupRun, shares: readonly (readonly number[])[], extras?: MemberExtras) =>
    trainMembers(run, localMembers(shares, run.wire), extras);

  describe.each(["fp32", "bf16"] as const)("%s", (wire) => {
    let alone: Awaited<ReturnType<typeof trainAlone>>;
    beforeAll(async () => {
      alone = await trainAlone(runOf({ wire }));
    });

    test.each([
      [[[0, 1, 2, 3]]],
      [
        [
          [0, 1],
          [2, 3],
        ],
      ], // prettier-ignore
      [[[0], [1, 2], [3]]],
      [[[0], [1], [2], [3]]],
      [
        [
          [3, 0],
          [2, 1],
        ],
      ], // prettier-ignore
      [[[2], [3, 1, 0]]],
    ])("shards 4 shared as %j end with the state of one process, batch norm and dropout on", async (shares) => {
      const results = await train(runOf({ wire }), shares);
      for (const result of results) {
        expect(sha256Of(model, result)).toBe(sha256Of(model, alone));
        expect(result.state).toEqual(alone.state);
        expect(result).toMatchObject({ status: "finished", steps: 8, lossPerEpoch: alone.lossPerEpoch });
      }
    });
  });

  test("shards 3 on 2 workers end with the state of one process", async () => {
    const run = runOf({ shards: 3 });
    const alone = await trainAlone(run);
    for (const shares of [
      [[0], [1, 2]],
      [[1], [2, 0]],
    ]) {
      // prettier-ignore
      for (const result of await train(run, shares)) expect(result.state).toEqual(alone.state);
    }
  });

  test("a kept last batch, smaller than the others, is shared like them", async () => {
    const run = runOf({ samples: 12 * 2 + 8, training: { lastBatch: "keep" } });
    const alone = await trainAlone(run);
    expect(alone.steps).toBe(6);
    for (const result of await train(run, [[3], [0, 1, 2]])) expect(result.state).toEqual(alone.state);
  });

  test.each([
    [12, 0],
    [640, 2],
  ])(
    "of a batch of %d everyone computes the normalisers or asks for them, with the same bits",
    async (batchSize, asked) => {
      const run = runOf({ batchSize, samples: 2 * batchSize, validationSamples: 0, training: { epochs: 1 } });
      const alone = await trainAlone(run);
      const gathers: string[] = [];
      const members = localMembers([
        [0, 1],
        [2, 3],
      ]).map((member): Collective => {
        const gather: Collective["gather"] = (tag, ...call) => {
          if (member.rank === 0) gathers.push(tag);
          return member.gather(tag, ...call);
        };
        return changed(member, { gather });
      }); // prettier-ignore
      for (const result of await trainMembers(run, members)) expect(result.state).toEqual(alone.state);
      expect(gathers.filter((tag) => tag.endsWith("/forwards"))).toHaveLength(2);
      expect(gathers.filter((tag) => tag.endsWith("/normalisers"))).toHaveLength(asked);
    },
  );

  test("bf16 rounds, on one worker too; and the tree is not that of another number of shards", async () => {
    const [fp32, bf16, two] = await Promise.all([
      trainAlone(runOf()),
      trainAlone(runOf({ wire: "bf16" })),
      trainAlone(runOf({ shards: 2 })),
    ]);
    expect(sha256Of(model, bf16)).not.toBe(sha256Of(model, fp32));
    expect(sha256Of(model, two)).not.toBe(sha256Of(model, fp32));
  });

  test.each(["fp32", "bf16"] as const)(
    "%s: reduced while the next part's backward runs, or after all of it: the same bits, also with two shards at once",
    async (wire) => {
      const run = runOf({ wire });
      const shares = [
        [0, 1],
        [2, 3],
      ]; // prettier-ignore
      const [overlapped] = await train(run, shares);
      const [afterwards] = await train(run, shares, { watch: withoutParts });
      const [sideBySide] = await train(run, shares, { engine: { threads: 2, replicas: 2 } });
      expect(afterwards!.state).toEqual(overlapped!.state);
      expect(sideBySide!.state).toEqual(overlapped!.state);
    },
  );
});

/** The gradient, loss and running buffers of one step of a group of four workers, as every worker has them. */
async function gatheredStep(model: Model, golden: GoldenModel, weights: TensorFile, batch: number) {
  const tensors = fromTorch(golden, weights, "param.");
  const state: TrainState = {
    ...initialTrainState(model, 0),
    parameters: packTensors(model.parameters, tensors),
    buffers: packTensors(model.buffers, tensors),
  };
  const rows = batch / 4;
  return await Promise.all(
    localMembers([[0], [1], [2], [3]]).map(async (collective) => {
      const replica = await openTestReplica(model);
      try {
        await replica.write(state);
        const gradients: Float32Array[] = [];
        const kept = changed(replica, {
          update: (
            gradient: Float32Array,
            ...more: Parameters<Replica["update"]> extends [unknown, ...infer R] ? R : never
          ) => {
            gradients.push(gradient.slice());
            return replica.update(gradient, ...more);
          },
        });
        const group = uncommitted(collective);
        const context = stepContext(model, kept, 0, state.buffers.slice(), { group });
        const { rank } = collective;
        const inputs = goldenInputs(golden, weights, { start: rank * rows, end: (rank + 1) * rows });
        const { loss } = await trainStep(context, { step: 0, epoch: 0, shards: [inputs], total: 4 }, RULE);
        return { gradient: gradients[0]!, loss, buffers: context.buffers };
      } finally {
        await replica.close();
      }
    }),
  );
}

test("a batch gathered from four workers gives the small golden model's gradient in four shards", async () => {
  const model = await goldenSmallModel(buildModel);
  const file = readTensorFile(fixturePath("small-model.safetensors"));
  for (const { gradient, loss } of await gatheredStep(model, goldenSmall, file, 12)) {
    const views = tensorViews(tensorLayout(model.parameters), gradient);
    expectClose(views, fromTorch(goldenSmall, file, "shards4.grad."), GRADIENT_TOLERANCE);
    expect(relativeError([loss], [scalarOf(file, "shards4.loss")])).toBeLessThan(GRADIENT_TOLERANCE);
  }
});

const large = {
  weights: sharedPath("golden/train-step.safetensors"),
  shards: sharedPath("golden/train-step-4-shards.safetensors"),
  buffers: sharedPath("golden/running-buffers-4-shards.safetensors"),
};
const absent = Object.values(large).includes(undefined);
const suffix = absent ? " (skipped: the golden files are not in GMC_SHARED or ../shared)" : "";

test.skipIf(absent)(
  `a batch gathered from four workers gives the golden gradients of train-step-4-shards${suffix}`,
  async () => {
    const model = await goldenMhdModel(buildModel);
    const [weights, shards, buffers] = [large.weights!, large.shards!, large.buffers!].map(readTensorFile);
    for (const step of await gatheredStep(model, goldenMhd, weights!, 16)) {
      const views = tensorViews(tensorLayout(model.parameters), step.gradient);
      expectClose(views, fromTorch(goldenMhd, shards!, "grad."), GRADIENT_TOLERANCE);
      expect(relativeError([step.loss], [scalarOf(shards!, "output.loss")])).toBeLessThan(GRADIENT_TOLERANCE);
      const moved = tensorViews(tensorLayout(model.buffers), step.buffers);
      expectClose(moved, fromTorch(goldenMhd, buffers!, ""), GRADIENT_TOLERANCE);
    }
  },
);
