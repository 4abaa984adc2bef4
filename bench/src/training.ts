import type { Inputs, Model, Replica } from "@gmc/core";
import { initialTrainState, integerAt, randomKey, sizeOf, uniformAt } from "@gmc/core";
import type { GlobalBatch } from "@gmc/data";
import { EngineConfig, openReplica } from "@gmc/engine";
import { buildModel, ModelConfig } from "@gmc/models";
import { goldenMhd } from "@gmc/testkit";
import type { StepContext, StepGroup } from "@gmc/trainer";
import { stepContext } from "@gmc/trainer";

/** What a training step is measured on. */
export interface TrainingArguments {
  readonly threads: number;
  /** Rows of the global batch, B. */
  readonly batch: number;
  /** V */
  readonly shards: number;
  /** Further fields of the engine's configuration. */
  readonly engine: Readonly<Record<string, unknown>>;
}

/** The paper's model of the Multimodal Handwritten Digits, ready for `trainStep`. */
export interface Training {
  readonly context: StepContext;
  /** Random values of the peer's shapes; the same at every step but for its number. */
  batch(step: number): GlobalBatch;
  close(): Promise<void>;
}

/** Adam as the peer has it. */
export const RULE = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/** What a training may be given beside what it is measured on. */
export interface TrainingSurroundings {
  /** Sees the replica before anything else does. */
  readonly watch?: (replica: Replica) => Replica;
  /** Whose shards are trained; absent: all. */
  readonly group?: StepGroup;
}

/** The paper's model on a replica with its initial weights, and batches of the shards that are trained here. */
export async function openTraining(
  { threads, batch, shards, engine }: TrainingArguments,
  { watch = (replica) => replica, group }: TrainingSurroundings = {},
): Promise<Training> {
  const model = await buildModel(ModelConfig.parse({ preset: "mhd" }), goldenMhd.modalities);
  const replica = watch(await openReplica(model, EngineConfig.parse({ threads, ...engine })));
  const state = initialTrainState(model, 0);
  await replica.write(state);
  const own = group?.collective.shardsOfWorkers[group.collective.rank] ?? Array.from({ length: shards }, (_, v) => v);
  const values = own.map((v) => randomShard(model, batch / shards, v));
  return {
    context: stepContext(model, replica, 0, state.buffers.slice(), group && { group }),
    batch: (step) => ({ step, epoch: 0, shards: values, total: shards }),
    close: () => replica.close(),
  };
}

/** Uniform in [0, 1), labels one-hot: what the peer draws. */
function randomShard(model: Model, rows: number, shard: number): Inputs {
  const kinds = new Map<string, string>(goldenMhd.modalities.map(({ name, kind }) => [name, kind]));
  const values = model.inputs(rows, "train").map(({ name, shape }) => {
    const key = randomKey(0, `bench/${name}`, shard);
    const out = new Float32Array(sizeOf(shape));
    const classes = shape.at(-1) ?? 1;
    if (kinds.get(name) === "label") {
      for (let row = 0; row < rows; row++) out[row * classes + integerAt(key, row, classes)] = 1;
    } else {
      for (let i = 0; i < out.length; i++) out[i] = uniformAt(key, i);
    }
    return [name, out] as const;
  });
  return Object.fromEntries(values);
}
