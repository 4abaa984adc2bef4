import { readdirSync, readlinkSync } from "node:fs";
import { copyFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { GlobalBatch } from "./batch-source.ts";
import { type Dataset, openDataset } from "./dataset.ts";
import { memoryBatches } from "./memory-batches.ts";
import { epochOrder } from "./sampler.ts";
import { imageOf, labelOf, penOf, tinyInputs, writeTinyDataset } from "./tiny-dataset.testing.ts";
import { type TrainBatchesOptions, trainBatches } from "./train-batches.ts";

const openTiny = async (made?: Parameters<typeof writeTinyDataset>[0]): Promise<Dataset> => {
  const dataset = await openDataset(await writeTinyDataset(made));
  onTestFinished(() => dataset.close());
  return dataset;
};

const optionsFor = (dataset: Dataset): TrainBatchesOptions => ({
  dataset,
  split: "train",
  inputs: tinyInputs(4),
  batchSize: 8,
  shards: 2,
  seed: 9,
  lastBatch: "drop",
  threads: 0,
});

async function take(source: ReturnType<typeof trainBatches>, fromStep: number, count: number): Promise<GlobalBatch[]> {
  const batches: GlobalBatch[] = [];
  for await (const batch of source.batches(fromStep)) {
    batches.push(batch);
    if (batches.length === count) break;
  }
  return batches;
}

test("shard v of step s holds permutation[s·B + v·B/V …], labels and targets as one-hot, no masks or noise", async () => {
  const [batch] = await take(trainBatches(optionsFor(await openTiny())), 8, 1);
  const rows = [...epochOrder(9, 1, 50).subarray(16, 24)]; // 6 steps an epoch: step 8 is the third of epoch 1
  expect(batch).toMatchObject({ step: 8, epoch: 1 });
  for (const [v, shard] of batch!.shards.entries()) {
    const own = rows.slice(v * 4, v * 4 + 4);
    expect(Object.keys(shard)).toEqual(["image", "pen", "label", "target"]);
    expect([...shard.image!]).toEqual([...Float32Array.from(own.flatMap(imageOf), (value) => value / 255)]);
    expect([...shard.pen!]).toEqual(own.flatMap(penOf));
    const oneHot = own.flatMap((row) => [0, 1, 2].map((c) => Number(c === labelOf(row))));
    expect([...shard.label!]).toEqual(oneHot);
    expect([...shard.target!]).toEqual(oneHot);
  }
});

test.each([1, 2])("%i threads give the same bytes in the same order as none, over epochs' ends", async (threads) => {
  const dataset = await openTiny();
  const alone = await take(trainBatches(optionsFor(dataset)), 0, 15);
  const source = trainBatches({ ...optionsFor(dataset), threads });
  expect(await take(source, 0, 15)).toEqual(alone);
  await source.close();
});

test("iterations resume from any step with equal batches", async () => {
  const dataset = await openTiny();
  const source = trainBatches(optionsFor(dataset));
  const all = await take(source, 0, 14);
  for (const step of [1, 5, 6, 13]) expect(await take(source, step, 1)).toEqual([all[step]]);
});

test("the shards of any V put together are the same batch", async () => {
  const dataset = await openTiny();
  const whole = async (shards: number) => {
    const [batch] = await take(trainBatches({ ...optionsFor(dataset), shards }), 3, 1);
    expect(batch!.shards).toHaveLength(shards);
    return batch!.shards.flatMap((shard) => [...shard.pen!]);
  };
  expect(await whole(4)).toEqual(await whole(1));
  expect(await whole(2)).toEqual(await whole(1));
});

test.each([[[0]], [[3, 1]], [[2, 0, 1]]])("a worker that owns shards %j gets them alone, in its order", async (own) => {
  const dataset = await openTiny({ train: 52 });
  const whole = { ...optionsFor(dataset), shards: 4, inputs: tinyInputs(2), lastBatch: "drop" } as const;
  const all = await take(trainBatches(whole), 3, 5);
  const part = await take(trainBatches({ ...whole, own }), 3, 5);
  for (const [i, { shards, total, ...batch }] of part.entries()) {
    expect(total).toBe(4);
    expect(batch).toMatchObject({ step: all[i]!.step, epoch: all[i]!.epoch });
    expect(shards).toEqual(own.map((shard) => all[i]!.shards[shard]));
  }
  const { pen, image } = await dataset.split("train").read({ start: 0, end: 52 }, ["pen", "image"]);
  const inputs = tinyInputs(2).filter(({ name }) => name === "pen" || name === "image");
  const memory = memoryBatches({ ...whole, own, inputs, samples: 52, values: { pen: pen!, image: image! } });
  const filed = await take(trainBatches({ ...whole, own, inputs }), 0, 1);
  for await (const batch of memory.batches(0)) {
    expect(batch).toEqual(filed[0]);
    break;
  }
});

test("shards that a worker cannot own are refused", async () => {
  const dataset = await openTiny();
  for (const own of [[], [2], [0, 0], [0.5]])
    expect(() => trainBatches({ ...optionsFor(dataset), own })).toThrow("some of 0 to 1, each once");
});

test("a kept last batch is smaller, and its shards equal", async () => {
  const dataset = await openTiny({ train: 52 });
  const source = trainBatches({ ...optionsFor(dataset), lastBatch: "keep" });
  expect(source.stepsPerEpoch).toBe(7);
  const [last, next] = await take(source, 6, 2);
  expect(last!.shards.map((shard) => shard.pen!.length)).toEqual([12, 12]);
  expect(next).toMatchObject({ epoch: 1 });
  expect(next!.shards[0]!.pen).toHaveLength(24);
});

test("only samples of the subset come up, each once an epoch", async () => {
  const dataset = await openTiny();
  const subset = Uint32Array.from({ length: 16 }, (_, i) => 3 * i + 1);
  const source = trainBatches({ ...optionsFor(dataset), subset });
  expect(source).toMatchObject({ samples: 16, stepsPerEpoch: 2 });
  const batches = await take(source, 2, 2);
  const first = batches.flatMap(({ shards }) =>
    shards.flatMap((shard) => [...shard.pen!].filter((_, i) => i % 6 === 0)),
  );
  expect(first.sort((a, b) => a - b)).toEqual([...subset]);
});

test("arrays in memory come in the order of files", async () => {
  const dataset = await openTiny();
  const { pen, image } = await dataset.split("train").read({ start: 0, end: 50 }, ["pen", "image"]);
  const inputs = tinyInputs(4).filter(({ name }) => name !== "label");
  const labels = await dataset.split("train").readLabels();
  const source = memoryBatches({
    ...optionsFor(dataset),
    inputs,
    samples: 50,
    values: { pen: pen!, image: image! },
    labels,
  });
  const filed = await take(trainBatches({ ...optionsFor(dataset), inputs }), 4, 5);
  let step = 0;
  for await (const batch of source.batches(4)) {
    expect(batch).toEqual(filed[step++]);
    if (step === 5) break;
  }
});

test("the model's shape, a missing modality and missing labels are told before any thread starts", async () => {
  const dataset = await openTiny({ labels: false });
  const options = optionsFor(dataset);
  const [image] = tinyInputs(4);
  expect(() => trainBatches({ ...options, inputs: [{ ...image!, shape: [4, 28, 28, 1] }] })).toThrow(
    /Input "image".*expected shape \[28,28,1\], received \[2,2,1\]/,
  );
  expect(() => trainBatches({ ...options, inputs: [{ ...image!, name: "smell" }] })).toThrow(/no modality "smell"/);
  expect(() => trainBatches({ ...options, inputs: tinyInputs(4).slice(3, 4) })).toThrow(/has no labels/);
  expect(() => trainBatches({ ...options, batchSize: 9 })).toThrow(/batchSize 9 cannot be cut into 2/);
});

test("a file that fails under a thread gives the same error as without one", async () => {
  const dataset = await openTiny();
  const file = join(dataset.path, "train", "pen.npy");
  await copyFile(file, `${file}.whole`);
  await truncate(file, 200);
  for (const threads of [0, 1]) {
    const source = trainBatches({ ...optionsFor(dataset), threads });
    await expect(take(source, 0, 20)).rejects.toMatchObject({ code: "ERR_DATA", details: { path: file } });
    await source.close();
  }
});

/** What this process holds open under a folder (Linux only). */
const openFiles = (folder: string): string[] =>
  readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(folder) ? [target] : [];
    } catch {
      return []; // the handle of this very listing
    }
  });
const threadCount = (): number => readdirSync("/proc/self/task").length;

test.skipIf(process.platform !== "linux").each(["break", "abort", "close"] as const)(
  "%s in the middle of an iteration leaves no thread and no open file",
  async (way) => {
    const dataset = await openTiny();
    const source = trainBatches({ ...optionsFor(dataset), threads: 2 });
    await take(source, 0, 1); // whatever a first thread starts for good
    const threads = threadCount();
    const abort = new AbortController();
    const work = (async () => {
      let seen = 0;
      for await (const _ of source.batches(0, abort.signal)) {
        seen++;
        if (seen === 3) {
          expect(openFiles(dataset.path).length).toBeGreaterThan(0);
          expect(threadCount()).toBeGreaterThan(threads);
          if (way === "break") break;
          if (way === "abort") abort.abort();
          else await source.close();
        }
      }
    })();
    if (way === "break") await work;
    else await expect(work).rejects.toMatchObject({ code: "ERR_CANCELLED" });
    expect(openFiles(dataset.path)).toEqual([]);
    expect(threadCount()).toBe(threads);
    await source.close();
  },
);

test("an abort while a batch is awaited ends the iteration", async () => {
  const dataset = await openTiny();
  const source = trainBatches({ ...optionsFor(dataset), threads: 1 });
  const abort = new AbortController();
  const first = source.batches(0, abort.signal).next(); // the thread is still starting
  abort.abort();
  await expect(first).rejects.toMatchObject({ code: "ERR_CANCELLED" });
});
