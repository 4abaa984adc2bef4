import { createRequire } from "node:module";
import { join } from "node:path";
import { silentLogger, TraceError } from "@gmc/core";
import { findBinding } from "@gmc/engine";
import { relativeError } from "@gmc/testkit";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { Binding } from "../../../packages/engine/src/tensorflow/binding.ts";
import { openBinding } from "../../../packages/engine/src/tensorflow/binding.ts";
import type { Op } from "../../../packages/engine/src/trace/compiled-op.testing.ts";
import { runCompiled, runEager } from "../../../packages/engine/src/trace/compiled-op.testing.ts";
import type { Case } from "../../../packages/engine/src/trace/op-cases.testing.ts";
import { differentiable, valueOnly } from "../../../packages/engine/src/trace/op-cases.testing.ts";
import { traceKernels } from "../../../packages/engine/src/trace/register-kernels.ts";
import { tensorflowMissing } from "../../support/tensorflow.ts";

/** Both sides are float32; exp, log and long sums differ in their last bits. */
const TOLERANCE = 3e-6;
let binding: Binding;
beforeAll(async () => {
  if (!tensorflowMissing) binding = await openBinding({ device: "cpu", threads: 1 }, silentLogger);
});

async function expectParity([, op, inputs]: Case, differentiate: boolean): Promise<void> {
  const eager = binding.run(() => runEager(op, inputs, differentiate));
  const compiled = await runCompiled(op, inputs, differentiate);
  expect(Object.keys(eager)).toEqual(Object.keys(compiled));
  for (const [name, { shape, data }] of Object.entries(compiled)) {
    expect(eager[name]?.shape, name).toEqual(shape);
    expect(relativeError(eager[name]?.data ?? [], data), `relative error of ${name}`).toBeLessThan(TOLERANCE);
  }
}

describe.skipIf(tensorflowMissing)("operations on TensorFlow", () => {
  test.each(differentiable)("%s: result and gradient are onnxruntime's", (...op) => expectParity(op, true));
  test.each(valueOnly)("%s: the result is onnxruntime's", (...op) => expectParity(op, false));

  test("the binding and the models use one tfjs-core", () => {
    const { folder = "" } = findBinding("@tensorflow/tfjs-node");
    const theirs = createRequire(join(folder, "package.json"))("@tensorflow/tfjs-core") as typeof tf;
    expect(theirs.Tensor).toBe(tf.Tensor);
    expect(theirs.engine()).toBe(tf.engine());
  });

  test("every op that can be compiled is there", () => {
    const known = new Set(tf.getKernelsForBackend("tensorflow").map(({ kernelName }) => kernelName));
    expect(Object.keys(traceKernels).filter((name) => !known.has(name))).toEqual([]);
  });

  const refused: [string, Op, RegExp][] = [
    ["that it lacks", () => tf.searchSorted(tf.tensor1d([1, 2, 3]), tf.tensor1d([2])), /SearchSorted/],
    [
      "that it has for some arguments only",
      () => tf.maxPool(tf.ones([1, 4, 4, 1]) as tf.Tensor4D, 2, 2, 1),
      /cannot run the op MaxPool: .* engine.kind to "onnxruntime"/,
    ],
  ];
  test.each(refused)("an op %s is refused by name, and nothing stays", (_, op, message) => {
    const { run } = binding;
    const before = tf.memory().numTensors;
    expect(() => run(() => tf.tidy(() => op()))).toThrow(TraceError);
    expect(() => run(() => tf.tidy(() => op()))).toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });
});
