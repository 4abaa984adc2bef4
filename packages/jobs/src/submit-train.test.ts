import { ConfigError } from "@gmc/core";
import { parseRunConfig } from "@gmc/experiment";
import { runKeys } from "@gmc/protocol";
import { expect, test } from "vitest";
import type { JobQueue } from "./open-queue.ts";
import { submitTrain } from "./submit-train.ts";

function queueThatKeeps(): { readonly queue: JobQueue; readonly added: unknown[][] } {
  const added: unknown[][] = [];
  const train = { add: async (...words: unknown[]) => void added.push(words) };
  return { queue: { train } as unknown as JobQueue, added };
}
const config = (shards: number, name = "a") =>
  parseRunConfig({ name, data: { path: "d" }, training: { shards, batchSize: 24 } });

test("a job's id can be part of a key, whatever the run is called", async () => {
  const { queue, added } = queueThatKeeps();
  for (const name of ["Größe 3: {x}", "---", "a".repeat(200), "7"]) {
    const id = await submitTrain(queue, { config: config(1, name), out: "runs/a" });
    expect(() => runKeys(id)).not.toThrow();
    expect(id).not.toMatch(/^\d+$/); // the queue wants no number
    expect(added.at(-1)?.[2]).toEqual({ jobId: id });
  }
});

test("without a wish a run begins with one worker and takes as many as there are shards", async () => {
  const { queue, added } = queueThatKeeps();
  await submitTrain(queue, { config: config(4), out: "o" });
  expect(added[0]?.[1]).toMatchObject({ workers: { min: 1, max: 4 }, resume: false, out: "o", name: "a" });
});

test("more workers than shards are refused, naming both; so are numbers that are none", async () => {
  const { queue, added } = queueThatKeeps();
  const submit = (min: number, max: number) =>
    submitTrain(queue, { config: config(2), out: "o", workers: { min, max } });
  await expect(submit(3, 3)).rejects.toThrow(/3 workers cannot share training.shards 2/);
  for (const [min, max] of [
    [0, 1],
    [2, 1],
    [1.5, 2],
    [Number.NaN, 2],
  ] as const) {
    await expect(submit(min, max)).rejects.toThrow(ConfigError);
  }
  expect(added).toEqual([]);
  await submit(2, 2);
});
