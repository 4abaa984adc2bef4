import type { InputSpec, Logger, Model, Tensors } from "@gmc/core";
import { silentLogger } from "@gmc/core";
import { holdOut, openDataset, trainBatches } from "@gmc/data";
import { openReplica } from "@gmc/engine";
import type { RunConfig, Training } from "@gmc/experiment";
import { buildModel } from "@gmc/models";
import * as tf from "@tensorflow/tfjs-core";

/** As `openTraining`, but values of the vector modality are dropped at random: the paper's model has nothing random in a step. */
export async function openDropoutTraining(config: RunConfig, logger: Logger = silentLogger): Promise<Training> {
  const { data, training, seed } = config;
  const dataset = await openDataset(data.path, { splits: [data.trainSplit], logger });
  const vector = dataset.modalities.find(({ kind }) => kind === "vector");
  if (!vector) throw new RangeError("a vector modality is needed");
  const model = withDropout(await buildModel(config.model, dataset.modalities), vector.name, vector.shape);
  const { fraction } = training.validation;
  const parts = holdOut(seed, dataset.split(data.trainSplit).samples, fraction);
  const inputs = model.inputs(training.batchSize / training.shards, "train");
  const replica = await openReplica(model, { ...config.engine, replicas: 1 }, logger);
  return {
    dataset,
    model,
    replica,
    sources(own) {
      const { batchSize, shards, lastBatch } = training;
      const { threads, prefetch, trainSplit: split } = data;
      const common = { dataset, split, inputs, batchSize, shards, seed, threads, prefetch, ...(own && { own }) };
      const source = trainBatches({ ...common, lastBatch, subset: parts.train });
      const validation = trainBatches({ ...common, lastBatch: "drop", subset: parts.validation });
      return {
        source,
        validation,
        async close() {
          await source.close();
          await validation.close();
        },
      };
    },
    async close() {
      await replica.close();
      await dataset.close();
    },
  };
}

const KEEP = 0.75;

/** The model with a dropout mask on one of its inputs, in training. */
function withDropout(model: Model, name: string, shape: readonly number[]): Model {
  const mask = `${name}.mask`;
  const maskOf = (rows: number): InputSpec => ({
    name: mask,
    shape: [rows, ...shape],
    source: { kind: "mask", keep: KEEP },
  });
  return {
    ...model,
    inputs: (rows, use) => (use === "train" ? [...model.inputs(rows, use), maskOf(rows)] : model.inputs(rows, use)),
    forward: (parameters, buffers, x) => model.forward(parameters, buffers, dropped(x, name, mask)),
  };
}

function dropped(x: Tensors, name: string, mask: string): Tensors {
  const [values, factors] = [x[name], x[mask]];
  return values && factors ? { ...x, [name]: tf.mul(values, factors) } : x;
}
