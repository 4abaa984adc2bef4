import { readFileSync } from "node:fs";
import { parseRunConfig } from "@gmc/experiment";
import { expect, test } from "vitest";
import { DEMO_CONFIG } from "./demo-config.ts";

const example = (name: string) =>
  parseRunConfig(readFileSync(new URL(`../../../examples/${name}`, import.meta.url), "utf8"));

test("the demo trains what examples/demo.yaml says", () => {
  expect(parseRunConfig(DEMO_CONFIG)).toEqual(example("demo.yaml"));
});

test("examples/mhd.yaml is the paper's experiment", () => {
  const { model, training, evaluation } = example("mhd.yaml");
  expect(model).toMatchObject({ preset: "mhd", loss: "nt_xent", temperature: 0.1, commonDim: 64, latentDim: 64 });
  expect(training).toMatchObject({ batchSize: 64, shards: 1, epochs: 100, schedule: { kind: "constant" } });
  expect(training.optimizer).toMatchObject({ kind: "adam", learningRate: 1e-3 });
  expect(evaluation.classifier).toMatchObject({ widths: [256, 128], epochs: 50, batchSize: 64, learningRate: 1e-3 });
});
