import { CheckpointError } from "@gmc/core";
import { expect, test } from "vitest";
import { checkSameRun, differingPaths } from "./run-identity.ts";

const run = (training: object = {}, rest: object = {}, dataSha256 = "d1") => ({
  config: {
    seed: 1,
    training: { batchSize: 64, epochs: 5, schedule: { kind: "constant" }, checkpoint: { everyEpochs: 1 }, ...training },
    ...rest,
  },
  dataSha256,
});

test("the same run, and one whose logging, paths or evaluation changed, goes on", () => {
  expect(() => checkSameRun(run(), run())).not.toThrow();
  const changed = run(
    { checkpoint: { everyEpochs: 7 }, metrics: { everySteps: 3 } },
    { data: { path: "elsewhere" }, evaluation: { rows: 8 } },
  );
  expect(() => checkSameRun(run(), changed)).not.toThrow();
});

test("epochs may grow under a constant rate, and only then", () => {
  const cosine = { schedule: { kind: "cosine" } };
  expect(() => checkSameRun(run(), run({ epochs: 6 }))).not.toThrow();
  expect(() => checkSameRun(run(), run({ epochs: 4 }))).toThrow("training.epochs was 5, is 4");
  expect(() => checkSameRun(run(cosine), run({ ...cosine, epochs: 6 }))).toThrow("training.epochs was 5, is 6");
});

test("whatever else differs is refused, and all of it is named", () => {
  const other = run({ batchSize: 128, clipNorm: 1 }, { seed: 2 }, "d2");
  expect(() => checkSameRun(run(), other)).toThrow(CheckpointError);
  expect(() => checkSameRun(run(), other)).toThrow(
    "The checkpoint belongs to another run: seed was 1, is 2; training.batchSize was 64, is 128; " +
      "training.clipNorm was absent, is 1; the data set's sha256 was d1, is d2. Resume without these changes, or start a new run.",
  );
});

test("lists are compared whole, absent and undefined are the same", () => {
  expect(differingPaths({ a: [1, 2], b: undefined }, { a: [1, 3] })).toEqual(["a"]);
  expect(differingPaths({ a: { b: 1 } }, { a: 1 })).toEqual(["a"]);
});

test("another wire format is another run; one from before there was a choice was fp32", () => {
  const of = (cluster?: object) => ({ config: { seed: 1, ...(cluster && { cluster }) }, dataSha256: "d" });
  const fp32 = { wire: "fp32", chunkKiB: 1024, timeoutMs: 60_000, allowMixed: false };
  expect(() => checkSameRun(of(), of(fp32))).not.toThrow();
  expect(() => checkSameRun(of(), of({ ...fp32, wire: "bf16" }))).toThrow('cluster.wire was absent, is "bf16"');
  expect(() => checkSameRun(of(fp32), of({ ...fp32, wire: "bf16" }))).toThrow(CheckpointError);
  expect(() => checkSameRun(of(fp32), of({ ...fp32, chunkKiB: 64, timeoutMs: 100 }))).not.toThrow();
});
