import { relativeError } from "@gmc/testkit";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import type { Op } from "./compiled-op.testing.ts";
import { normal, runCompiled, runEager, useCpuBackend } from "./compiled-op.testing.ts";
import type { Case } from "./op-cases.testing.ts";
import { differentiable, valueOnly } from "./op-cases.testing.ts";
import { traceKernels } from "./register-kernels.ts";

beforeAll(useCpuBackend);

/** Both sides are float32; exp, log and long sums differ in their last bits. */
const TOLERANCE = 3e-6;

async function expectParity([, op, inputs]: Case, differentiate: boolean): Promise<void> {
  const eager = runEager(op, inputs, differentiate);
  const compiled = await runCompiled(op, inputs, differentiate);
  expect(Object.keys(compiled)).toEqual(Object.keys(eager));
  for (const [name, { shape, data }] of Object.entries(compiled)) {
    expect(shape, name).toEqual(eager[name]?.shape);
    expect(relativeError(data, eager[name]?.data ?? []), `relative error of ${name}`).toBeLessThan(TOLERANCE);
  }
}

test.each(differentiable)("%s: compiled result and gradient are tfjs's", (...op) => expectParity(op, true));
test.each(valueOnly)("%s: the compiled result is tfjs's", (...op) => expectParity(op, false));

test("every kernel of the tracer is in a case", async () => {
  const seen = new Set<string>();
  for (const [cases, differentiate] of [
    [differentiable, true],
    [valueOnly, false],
  ] as const) {
    for (const [, op, inputs] of cases) {
      const { kernelNames } = await tf.profile(() => {
        runEager(op, inputs, differentiate);
        return [];
      });
      for (const name of kernelNames) seen.add(name);
    }
  }
  expect(Object.keys(traceKernels).filter((name) => !seen.has(name))).toEqual([]);
});

test("the gradient of an average over padded windows divides by the pixels in the window, where tfjs's own divides by all", async () => {
  const op: Op = (x) => tf.avgPool(x as tf.Tensor4D, 3, 2, "same");
  const ones: Op = (x) => tf.conv2d(x as tf.Tensor4D, tf.ones([3, 3, 1, 1]), 2, "same"); // the same as sums over a count of real pixels
  const inputs = [normal(2, 5, 5, 1)];
  const count: Op = (x) => tf.div(ones(x!) as tf.Tensor, ones(tf.onesLike(x!)) as tf.Tensor);
  const [pooled, reference] = [await runCompiled(op, inputs, true), runEager(count, inputs, true)];
  for (const name of ["y0", "dx0"]) {
    expect(relativeError(pooled[name]?.data ?? [], reference[name]?.data ?? []), name).toBeLessThan(TOLERANCE);
  }
});
