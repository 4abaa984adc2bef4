import { access } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Dataset, openDataset } from "../dataset.ts";
import type { Split } from "../split.ts";
import { temporaryFolder } from "../tiny-dataset.testing.ts";
import { synthesiseDigits } from "./synthesise-digits.ts";

async function synthesise(train: number, test_: number, seed: number): Promise<Dataset> {
  const out = join(await temporaryFolder(), "synth");
  await synthesiseDigits({ out, train, test: test_, seed });
  const dataset = await openDataset(out);
  onTestFinished(() => dataset.close());
  return dataset;
}

test("a seed gives these bytes on every machine and Node version", async () => {
  const { sha256 } = await synthesise(20, 10, 1);
  expect(sha256).toMatchInlineSnapshot(`"70c1ec10b2559645bdb3683e41877af970b23f06b081e1daa58b8857bbf7d795"`);
});

test("sample i of a split does not depend on how many there are, and other seeds give others", async () => {
  const [few, many, other] = await Promise.all([synthesise(20, 10, 5), synthesise(30, 12, 5), synthesise(20, 10, 6)]);
  for (const split of ["train", "test"]) {
    const first = await few!.split(split).read({ start: 0, end: 10 });
    expect(await many!.split(split).read({ start: 0, end: 10 })).toEqual(first);
    const { image } = await other!.split(split).read({ start: 0, end: 10 });
    expect(image).not.toEqual(first.image);
  }
});

test("modalities have the shapes and ranges of the real digits, classes are balanced", async () => {
  const dataset = await synthesise(40, 20, 2);
  expect(dataset.modalities.map(({ name, kind, shape }) => [name, kind, shape])).toEqual([
    ["image", "image", [28, 28, 1]],
    ["sound", "spectrogram", [32, 128, 1]],
    ["trajectory", "vector", [200]],
    ["label", "label", [10]],
  ]);
  const train = dataset.split("train");
  const { image, sound, trajectory } = await train.read({ start: 0, end: 40 });
  for (let i = 0; i < 40; i++) {
    const pen = trajectory!.subarray(i * 200, (i + 1) * 200);
    expect(Math.max(...pen)).toBe(1); // the longer side reaches both ends
    expect(Math.min(...pen)).toBe(-1);
    const pixels = image!.subarray(i * 784, (i + 1) * 784);
    expect(Math.max(...pixels)).toBeGreaterThan(0.9);
    expect(pixels.filter((value) => value > 0.5).length).toBeLessThan(784 / 2);
    expect(Math.max(...sound!.subarray(i * 4096, (i + 1) * 4096))).toBe(1);
  }
  const labels = await train.readLabels();
  expect([...new Set(labels)].map((digit) => labels.filter((label) => label === digit).length)).toEqual(
    Array(10).fill(4),
  );
});

test("a linear classifier tells most digits in every modality, and not all", async () => {
  const dataset = await synthesise(400, 200, 3);
  for (const modality of ["image", "sound", "trajectory"]) {
    const accuracy = await linearAccuracy(dataset, modality);
    expect(accuracy, modality).toBeGreaterThan(0.7); // of 2,000 samples it learns 90 to 98 %
    expect(accuracy, modality).toBeLessThan(1);
  }
});

test("a cancelled synthesis leaves nothing", async () => {
  const out = join(await temporaryFolder(), "synth");
  const abort = new AbortController();
  const work = synthesiseDigits({
    out,
    train: 300,
    test: 10,
    seed: 1,
    signal: abort.signal,
    onProgress: () => abort.abort(),
  });
  await expect(work).rejects.toMatchObject({ code: "ERR_CANCELLED" });
  await expect(access(out)).rejects.toThrow();
});

/** Test accuracy of softmax regression after some epochs of plain SGD. */
async function linearAccuracy(dataset: Dataset, modality: string): Promise<number> {
  const train = await load(dataset.split("train"), modality);
  const test_ = await load(dataset.split("test"), modality);
  const weights = Array.from({ length: 10 }, () => new Float64Array(train.width));
  const scores = (sample: Float32Array): number[] => weights.map((weight) => dot(weight, sample));
  const rate = 20 / train.samples.reduce((sum, sample) => Math.max(sum, dot(sample, sample)), 0);
  for (let epoch = 0; epoch < 15; epoch++) {
    for (const [i, sample] of train.samples.entries()) {
      const logits = scores(sample);
      const peak = Math.max(...logits);
      const shares = logits.map((logit) => Math.exp(logit - peak));
      const total = shares.reduce((sum, share) => sum + share, 0);
      for (const [digit, weight] of weights.entries()) {
        const slope = rate * ((shares[digit] ?? 0) / total - Number(train.labels[i] === digit));
        for (let k = 0; k < weight.length; k++) weight[k]! -= slope * sample[k]!;
      }
    }
  }
  const right = test_.samples.filter((sample, i) => {
    const logits = scores(sample);
    return logits.indexOf(Math.max(...logits)) === test_.labels[i];
  });
  return right.length / test_.samples.length;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Samples less their common mean, which a linear classifier without bias would miss. */
async function load(split: Split, modality: string) {
  const whole = (await split.read({ start: 0, end: split.samples }, [modality]))[modality]!;
  const mean = whole.reduce((sum, value) => sum + value, 0) / whole.length;
  const width = whole.length / split.samples;
  const centred = whole.map((value) => value - mean);
  const samples = Array.from({ length: split.samples }, (_, i) => centred.subarray(i * width, (i + 1) * width));
  return { width, samples, labels: await split.readLabels() };
}
