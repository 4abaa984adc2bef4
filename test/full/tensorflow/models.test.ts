import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Model, Replica } from "@gmc/core";
import { initialTrainState, tensorLayout, tensorViews } from "@gmc/core";
import { EngineConfig, openReplica } from "@gmc/engine";
import { runConfigFields } from "@gmc/experiment";
import { buildModel, classifierModel } from "@gmc/models";
import {
  goldenMhd,
  goldenSmallModel,
  randomInputs,
  relativeError,
  supervisedContractModel,
  variationalContractModel,
} from "@gmc/testkit";
import { describe, expect, test } from "vitest";
import { compiledStep, movedBuffers } from "../../support/compiled-step.ts";
import { tensorflowMissing } from "../../support/tensorflow.ts";

const RULE = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };
const STEPS = 20;
/** Both sides are float32 and round in another order. */
const TOLERANCE = 1e-5;

const label = { name: "label", kind: "label", shape: [5] } as const;
const image = { name: "image", kind: "image", shape: [12, 12, 3] } as const;
const small = { commonDim: 16, latentDim: 8, head: { widths: [16] } };

/** Every preset, every kind of encoder, and the models that are no GMC. */
const MODELS: Readonly<Record<string, () => Model | Promise<Model>>> = {
  "preset mhd": () => buildModel({ preset: "mhd" }, goldenMhd.modalities),
  "encoder conv2d": () =>
    buildModel(
      {
        ...small,
        modalities: { image: { encoder: { kind: "conv2d", channels: [4, 8], kernel: 3, stride: 1 } }, label: {} },
      },
      [image, label],
    ),
  "encoder spectrogram": () =>
    buildModel({ ...small, modalities: { sound: { encoder: { kind: "spectrogram", channels: [4, 6] } }, label: {} } }, [
      { name: "sound", kind: "spectrogram", shape: [16, 10, 1] },
      label,
    ]),
  "encoder mlp": () =>
    buildModel({ ...small, modalities: { image: { encoder: { kind: "mlp", widths: [20] } }, label: {} } }, [
      image,
      label,
    ]),
  "encoder linear": () =>
    buildModel({ ...small, modalities: { image: { encoder: { kind: "linear" } }, label: {} } }, [image, label]),
  "encoder module": withModule,
  classifier: () => classifierModel({ inputDim: 6, widths: [12, 12], classes: 4 }),
  "small GMC": () => goldenSmallModel(buildModel),
  supervised: supervisedContractModel,
  variational: variationalContractModel,
};

/** A trunk of a user's own: a convolution in one dimension and batch norm. */
async function withModule(): Promise<Model> {
  const folder = await mkdtemp(join(tmpdir(), "gmc-trunk-"));
  const path = join(folder, "trunk.mjs");
  await writeFile(
    path,
    `export function createTrunk({ modality, tf, layers }) {
      const [length] = modality.shape;
      const kernel = { name: "kernel", shape: [3, 1, 4], initialiser: { kind: "uniform", bound: 0.5 } };
      return {
        width: 4 * length,
        parameters: [kernel, ...layers.batchNormParameters("norm", 4)],
        buffers: layers.batchNormBuffers("norm", 4),
        apply(x, scope) {
          const convolved = tf.conv1d(tf.expandDims(x, 2), scope.parameter("kernel"), 1, "same");
          return tf.reshape(tf.tanh(layers.batchNorm(convolved, "norm", scope)), [x.shape[0], 4 * length]);
        },
      };
    }`,
  );
  const vector = { name: "vector", kind: "vector", shape: [9] } as const;
  try {
    return await buildModel({ ...small, modalities: { vector: { encoder: { kind: "module", path } }, label: {} } }, [
      vector,
      label,
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

interface Trained {
  readonly losses: readonly number[];
  readonly gradient: Readonly<Record<string, Float32Array>>;
  readonly statistics: Float32Array;
  readonly embeddings: Float32Array | undefined;
  readonly weights: Readonly<Record<string, Float32Array>>;
  readonly codes: readonly Float32Array[];
}

/** Codes, then twenty steps of two shards; gradient, embeddings and statistics are those of the first. */
async function trained(model: Model, replica: Replica, rows: number): Promise<Trained> {
  await replica.write(initialTrainState(model, 3));
  const codes: Float32Array[] = [];
  for (const present of [...model.modalities.map((name) => [name]), model.modalities]) {
    const encoder = await replica.encoder(rows, present);
    codes.push((await encoder.encode(randomInputs(model.inputs(rows, present), 6))).code);
  }
  const compiled = await replica.compile(rows);
  const losses: number[] = [];
  let first: Omit<Trained, "losses" | "weights" | "codes"> | undefined;
  for (let step = 0; step < STEPS; step++) {
    const shards = [0, 1].map((shard) => randomInputs(model.inputs(rows, "train"), 2 * (step % 4) + shard));
    const { loss, gradient, statistics, embeddings } = await compiledStep(model, compiled, shards);
    first ??= {
      gradient: { ...tensorViews(tensorLayout(model.parameters), gradient.slice()) },
      statistics,
      embeddings,
    };
    losses.push(loss);
    const { buffers } = await replica.read();
    await replica.update(gradient, RULE, movedBuffers(model, buffers, statistics));
  }
  const { parameters } = await replica.read();
  return { losses, ...first!, weights: tensorViews(tensorLayout(model.parameters), parameters), codes };
}

async function withEngine(model: Model, kind: EngineConfig["kind"], rows: number): Promise<Trained> {
  const replica = await openReplica(model, EngineConfig.parse({ kind, threads: 1 }));
  try {
    return await trained(model, replica, rows);
  } finally {
    await replica.close();
  }
}

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

describe.skipIf(tensorflowMissing).each(Object.entries(MODELS))("%s on TensorFlow", (_, build) => {
  test("forward, gradients, 20 steps of training and encodings are onnxruntime's", async () => {
    const model = await build();
    const rows = 8;
    const [reference, actual] = [
      await withEngine(model, "onnxruntime", rows),
      await withEngine(model, "tensorflow", rows),
    ];
    if (reference.embeddings) expect(relativeError(actual.embeddings!, reference.embeddings)).toBeLessThan(TOLERANCE);
    if (reference.statistics.length > 0) {
      expect(relativeError(actual.statistics, reference.statistics)).toBeLessThan(TOLERANCE);
    }
    const whole = Math.sqrt(Object.values(reference.gradient).reduce((sum, values) => sum + norm(values) ** 2, 0));
    for (const [name, values] of Object.entries(reference.gradient)) {
      const difference = norm(values.map((value, i) => value - actual.gradient[name]![i]!));
      // A bias before a batch norm has gradient 0 and noise; a ReLU at zero may fall on either side.
      expect(difference / Math.max(norm(values), 0.01 * whole), name).toBeLessThan(1e-4);
    }
    expect(reference.losses).toHaveLength(STEPS);
    for (const [step, loss] of reference.losses.entries()) {
      expect(Math.abs(actual.losses[step]! - loss) / Math.abs(loss), `loss of step ${step + 1}`).toBeLessThan(1e-4);
    }
    // What has no gradient but rounding (a bias before a batch norm) Adam moves at random, and nothing depends on it.
    const moved = Object.keys(reference.weights).filter((name) => norm(reference.gradient[name]!) > 1e-5 * whole);
    const weights = ({ weights: all }: Trained) => Float32Array.from(moved.flatMap((name) => [...all[name]!]));
    expect(relativeError(weights(actual), weights(reference))).toBeLessThan(1e-3);
    expect(actual.codes).toHaveLength(reference.codes.length);
    for (const [i, code] of reference.codes.entries())
      expect(relativeError(actual.codes[i]!, code)).toBeLessThan(TOLERANCE);
  });
});

test("every preset and kind of encoder that a config can name is among these models", () => {
  const values = (path: string) =>
    runConfigFields()
      .find((field) => field.path === path)!
      .type.split(" | ");
  const wanted = [
    ...values("model.preset").map((name) => `preset ${name}`),
    ...values("model.modalities.<name>.encoder.kind").map((kind) => `encoder ${kind}`),
  ];
  expect(wanted.filter((name) => !(name in MODELS))).toEqual([]);
});
