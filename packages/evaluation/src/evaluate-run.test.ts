import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Model, Replica } from "@gmc/core";
import { CancelledError, ConfigError, DataError, initialTrainState, NonFiniteError } from "@gmc/core";
import type { Dataset } from "@gmc/data";
import { openDataset, trainBatches } from "@gmc/data";
import { EngineConfig, openReplica } from "@gmc/engine";
import { TrainingConfig, train } from "@gmc/trainer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EvaluationConfig } from "./config.ts";
import { encodeSplit } from "./encode-split.ts";
import { evaluateRun } from "./evaluate-run.ts";
import { toyModel, writeToyData } from "./toy-data.testing.ts";

interface Trained {
  readonly dataset: Dataset;
  readonly model: Model;
  readonly replica: Replica;
}
let folder: string;
let labelled: Trained;
let plain: Trained;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-evaluation-"));
  labelled = await trained("labelled", true, { train: 200, test: 70 });
  plain = await trained("plain", false, { train: 200, test: 12 });
});
afterAll(async () => {
  for (const { dataset, replica } of [labelled, plain]) {
    await replica.close();
    await dataset.close();
  }
  await rm(folder, { recursive: true, force: true });
});

async function trained(name: string, labels: boolean, splits: Record<string, number>): Promise<Trained> {
  const out = join(folder, name);
  await writeToyData(out, { labelled: labels, splits });
  const dataset = await openDataset(out);
  const model = await toyModel(dataset.modalities);
  const replica = await openReplica(model, EngineConfig.parse({ threads: 1 }));
  const config = TrainingConfig.parse({ batchSize: 20, epochs: 15, optimizer: { learningRate: 5e-3 } });
  const inputs = model.inputs(20, "train");
  const source = trainBatches({
    dataset,
    split: "train",
    inputs,
    batchSize: 20,
    shards: 1,
    seed: 1,
    lastBatch: "drop",
    threads: 0,
  });
  await train({ model, replica, source, config, seed: 1, state: initialTrainState(model, 1) });
  await source.close();
  return { dataset, model, replica };
}

const CONFIG = EvaluationConfig.parse({
  classifier: { widths: [16], epochs: 20, batchSize: 16, learningRate: 1e-2 },
  subsets: [["right", "left"]],
  rows: 32,
});

describe("with labels", () => {
  test("every case is classified far above chance; the result is a function of the seed", async () => {
    const result = await evaluateRun({ ...labelled, config: CONFIG, seed: 1 });
    expect(Object.keys(result)).toEqual(["accuracy", "samples"]);
    expect(result.samples).toBe(70);
    expect(Object.keys(result.accuracy!)).toEqual(["complete", "left", "right", "label", "left+right"]);
    for (const accuracy of Object.values(result.accuracy!)) {
      expect(accuracy).toBeGreaterThan(0.9);
      expect(accuracy).toBeLessThanOrEqual(1);
    }
    expect(await evaluateRun({ ...labelled, config: CONFIG, seed: 1 })).toEqual(result);
  });

  test("fewer training codes are drawn from the whole split", async () => {
    const config = EvaluationConfig.parse({ ...CONFIG, classifier: { ...CONFIG.classifier, samples: 60 } });
    const labels: string[] = [];
    const result = await evaluateRun({
      ...labelled,
      config,
      seed: 1,
      onProgress: ({ label, total }) => labels.push(`${label}: ${total}`),
    });
    expect(result.accuracy!.complete).toBeGreaterThan(0.8);
    expect(new Set(labels)).toEqual(
      new Set([
        "Encoding train from everything: 60",
        "Training the classifier: 20",
        "Encoding test from everything: 70",
        "Encoding test from left: 70",
        "Encoding test from right: 70",
        "Encoding test from label: 70",
        "Encoding test from left+right: 70",
      ]),
    );
  });

  test("a code does not depend on how many are asked for, nor on the others", async () => {
    const given = { ...labelled, split: "test", present: ["left"], rows: 32 };
    const whole = await encodeSplit(given);
    expect(whole).toMatchObject({ dim: 8, samples: 70 });
    expect(whole.labels).toHaveLength(70);
    for (const subset of [
      Uint32Array.of(5),
      Uint32Array.of(69, 0, 33),
      Uint32Array.from({ length: 40 }, (_, i) => i + 30),
    ]) {
      const some = await encodeSplit({ ...given, subset });
      for (const [place, sample] of subset.entries()) {
        expect(some.codes.slice(8 * place, 8 * place + 8)).toEqual(whole.codes.slice(8 * sample, 8 * sample + 8));
      }
      expect([...some.labels!]).toEqual([...subset].map((sample) => whole.labels![sample]));
    }
  });

  test("mistakes are refused by name: a subset, a split", async () => {
    const config = EvaluationConfig.parse({ subsets: [["left", "video"]] });
    await expect(evaluateRun({ ...labelled, config, seed: 1 })).rejects.toThrow(ConfigError);
    await expect(evaluateRun({ ...labelled, config: CONFIG, seed: 1, testSplit: "dev" })).rejects.toThrow(DataError);
  });

  test("a signal stops the evaluation", async () => {
    const stop = new AbortController();
    const onProgress = ({ label }: { label: string }) => label.startsWith("Training") && stop.abort();
    await expect(
      evaluateRun({ ...labelled, config: CONFIG, seed: 1, signal: stop.signal, onProgress }),
    ).rejects.toThrow(CancelledError);
  });

  test("a model that has diverged is said to have", async () => {
    const { model, dataset } = labelled;
    const replica = await openReplica(model, EngineConfig.parse({ threads: 1 }));
    const state = initialTrainState(model, 1);
    await replica.write({ ...state, parameters: state.parameters.fill(Number.NaN) });
    await expect(evaluateRun({ model, dataset, replica, config: CONFIG, seed: 1 })).rejects.toThrow(NonFiniteError);
    await replica.close();
  });
});

describe("without labels", () => {
  test("codes find their own sample: recall between every two of the codes, both ways", async () => {
    const { retrieval, samples, ...rest } = await evaluateRun({
      ...plain,
      config: EvaluationConfig.parse({ rows: 32 }),
      seed: 1,
    });
    expect(rest).toEqual({});
    expect(samples).toBe(12);
    expect(Object.fromEntries(Object.entries(retrieval!).map(([from, to]) => [from, Object.keys(to).sort()]))).toEqual({
      left: ["complete", "right"],
      right: ["complete", "left"],
      complete: ["left", "right"],
    });
    const { complete } = retrieval!;
    expect(complete!.left!["recall@1"]).toBeGreaterThan(2 / 12); // chance is 1 / 12
    for (const to of Object.values(retrieval!)) {
      for (const recall of Object.values(to)) {
        expect(recall["recall@5"]).toBeGreaterThanOrEqual(recall["recall@1"]);
        expect(recall["recall@10"]).toBeGreaterThanOrEqual(recall["recall@5"]);
      }
    }
  });

  test("only so many candidates are compared as asked for", async () => {
    const config = EvaluationConfig.parse({ rows: 32, retrieval: { samples: 4 } });
    const { retrieval, samples } = await evaluateRun({ ...plain, config, seed: 1 });
    expect(samples).toBe(4);
    expect(retrieval!.left!.right!["recall@5"]).toBe(1);
  });
});
