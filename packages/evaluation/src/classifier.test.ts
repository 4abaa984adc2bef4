import { CancelledError, integerAt, normalAt, randomKey } from "@gmc/core";
import { EngineConfig } from "@gmc/engine";
import { expect, test } from "vitest";
import type { ClassifierOptions } from "./classifier.ts";
import { accuracyOf, trainClassifier } from "./classifier.ts";
import { EvaluationConfig } from "./config.ts";

const DIM = 5;

/** Codes that lie around a corner of their own for each class. */
function easySet(samples: number, classes: number, seed: number) {
  const labels = Int32Array.from({ length: samples }, (_, i) => integerAt(randomKey(seed, "label"), i, classes));
  const codes = Float32Array.from({ length: samples * DIM }, (_, i) => {
    const on = labels[Math.floor(i / DIM)] === i % DIM;
    return (on ? 1 : 0) + 0.15 * normalAt(randomKey(seed, "code"), i);
  });
  return { codes, labels };
}

const options = (samples: number, classifier: object = {}): ClassifierOptions => ({
  ...easySet(samples, 4, 1),
  dim: DIM,
  classes: 4,
  config: EvaluationConfig.parse({
    classifier: { widths: [16, 8], epochs: 20, batchSize: 32, learningRate: 1e-2, ...classifier },
  }).classifier,
  seed: 3,
  engine: EngineConfig.parse({ threads: 1 }),
  rows: 64,
});

async function withClassifier<T>(
  given: ClassifierOptions,
  work: (c: Awaited<ReturnType<typeof trainClassifier>>) => Promise<T>,
): Promise<T> {
  const classifier = await trainClassifier(given);
  try {
    return await work(classifier);
  } finally {
    await classifier.close();
  }
}

test("an easy set is learned and unseen codes are classified, whatever their number", async () => {
  await withClassifier(options(300), async (classifier) => {
    const unseen = easySet(130, 4, 2);
    const predicted = await classifier.predict(unseen.codes);
    expect(accuracyOf(predicted, unseen.labels)).toBeGreaterThan(0.97);
    expect(classifier.finalLoss).toBeLessThan(0.2);
    expect([...(await classifier.predict(unseen.codes.slice(0, 3 * DIM)))]).toEqual([...predicted.slice(0, 3)]);
  });
});

test("the same seed gives the same predictions, another seed other weights", async () => {
  const losses = [];
  for (const seed of [3, 3, 4]) losses.push(await withClassifier({ ...options(100), seed }, async (c) => c.finalLoss));
  expect(losses[1]).toBe(losses[0]);
  expect(losses[2]).not.toBe(losses[0]);
});

test.each([
  [10, "drop"],
  [33, "drop"],
  [33, "keep"],
  [50, "keep"],
])("%i codes in batches of 32, last one %s", async (samples, lastBatch) => {
  const loss = await withClassifier(options(samples, { lastBatch, epochs: 1 }), async (c) => c.finalLoss);
  expect(loss).toBeGreaterThan(0);
});

test("progress counts epochs, a signal stops", async () => {
  const seen: string[] = [];
  const given = options(64, { epochs: 2 });
  await withClassifier(
    { ...given, onProgress: ({ label, done, total }) => seen.push(`${label} ${done}/${total}`) },
    async () => {},
  );
  expect(seen).toEqual(["Training the classifier 1/2", "Training the classifier 2/2"]);
  await expect(trainClassifier({ ...given, signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
});

test("accuracy is the share of equal classes", () => {
  expect(accuracyOf(Int32Array.of(1, 2, 3, 0), Int32Array.of(1, 2, 0, 0))).toBe(0.75);
});
