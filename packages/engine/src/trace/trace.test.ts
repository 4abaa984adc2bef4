import { TraceError } from "@gmc/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { useCpuBackend } from "./compiled-op.testing.ts";
import type { Tracing } from "./trace.ts";
import { trace } from "./trace.ts";

beforeAll(useCpuBackend);

/** The error of tracing `build` on a [64, 32] input. */
function failureOf(build: (x: tf.Tensor, tracing: Tracing) => unknown): TraceError {
  try {
    trace((tracing) => build(tracing.input("x", [64, 32]), tracing));
  } catch (error) {
    if (error instanceof TraceError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("what cannot be compiled is refused with its name and a way out", () => {
  test("an op without a kernel", () => {
    const error = failureOf((x) => tf.topk(x, 3));
    expect(error.message).toMatch(/TopK cannot be compiled.*other tfjs ops/s);
    expect(error.details).toEqual({ operation: "TopK" });
  });

  test("the value of a tensor", () => {
    expect(failureOf((x) => tf.exp(x).dataSync()).message).toMatch(/asks for the value.*tf\.where/s);
    expect(failureOf((x) => (Number(tf.sum(x).arraySync()) > 0 ? x : tf.neg(x))).message).toMatch(/control flow/);
  });

  test("tf.dropout", () => {
    expect(failureOf((x) => tf.dropout(x, 0.5)).message).toMatch(/tf\.dropout: a constant of shape \[64,32\].*"mask"/s);
  });

  test("random draws of any size", () => {
    expect(failureOf((x) => tf.mul(x, tf.randomUniform([32]))).message).toMatch(/tf\.randomUniform.*"noise"/s);
    expect(failureOf((x) => tf.add(x, tf.randomNormal([64, 1]))).details).toMatchObject({ operation: "randomNormal" });
  });

  test("a long table that is no parameter and that no deterministic op made", () => {
    const drawn = Float32Array.from({ length: 2048 }, (_, i) => Math.sin(i));
    expect(failureOf((x) => tf.mul(x, tf.tensor(drawn, [64, 32]))).message).toMatch(/fixed table is a parameter/);
    const elsewhere = tf.tensor(drawn, [64, 32]); // lives on the cpu backend
    expect(failureOf((x) => tf.mul(x, elsewhere)).message).toMatch(/2048 elements/);
    elsewhere.dispose();
  });

  test("convolutions in another layout, and string tensors", () => {
    const nchw = failureOf((_, { input }) =>
      tf.conv2d(input("i", [1, 2, 5, 5]) as tf.Tensor4D, input("w", [3, 3, 2, 1]) as tf.Tensor4D, 1, "same", "NCHW"),
    );
    expect(nchw.message).toMatch(/use "NHWC"/);
    expect(failureOf(() => tf.tensor(["a"])).message).toMatch(/string tensor/);
  });

  test("an op whose gradient tfjs lacks or gets wrong", () => {
    const gradientOf = (f: (x: tf.Tensor) => tf.Tensor) => failureOf((x) => tf.grad(f)(x));
    expect(gradientOf((x) => tf.prod(x)).message).toMatch(/Prod has no gradient/);
    expect(gradientOf((x) => tf.squaredDifference(x, tf.mean(x, 0))).message).toMatch(
      /cannot differentiate SquaredDifference/,
    );
  });
});

test("deterministic tables of any size, and short ones, are allowed", () => {
  trace(({ input }) => {
    const x = input("x", [64, 64]);
    const short = tf.tensor1d([1, 2, 3, 4]);
    expect(short.dataSync()[1]).toBe(2); // constants have values
    return tf.add(tf.mul(x, tf.eye(64)), tf.mul(tf.reshape(tf.range(0, 4096), [64, 64]), tf.tile(short, [16])));
  });
});

test("the backend is as before and no tensor is left, after an error too", () => {
  const before = tf.memory();
  trace(({ input }) => tf.grad((x: tf.Tensor) => tf.sum(tf.square(x)))(input("x", [3])));
  failureOf((x) => tf.topk(tf.exp(x), 3));
  failureOf((x) => tf.grad((y: tf.Tensor) => tf.prod(tf.exp(y)))(x));
  expect(tf.getBackend()).toBe("cpu");
  const { numTensors, numDataBuffers } = tf.memory();
  expect({ numTensors, numDataBuffers }).toEqual({
    numTensors: before.numTensors,
    numDataBuffers: before.numDataBuffers,
  });
  expect(tf.sum(tf.tensor1d([1, 2])).dataSync()[0]).toBe(3);
});

test("a trace within a trace is refused, and the outer one survives", () => {
  trace(({ input }) => {
    const x = input("x", [3]);
    expect(() => trace(() => undefined)).toThrow(/while another one is/);
    return tf.exp(x);
  });
  expect(tf.getBackend()).toBe("cpu");
});

test("the forward is shared by its gradient: common subexpressions exist once", () => {
  const { forward, both } = trace(({ input, graph }) => {
    const x = input("x", [8, 8]);
    tf.sum(tf.sigmoid(x));
    const forward = graph.values.length;
    tf.grad((y: tf.Tensor) => tf.sum(tf.sigmoid(y)))(x);
    return { forward, both: graph.values.length };
  });
  expect(both - forward).toBeLessThanOrEqual(5); // 1 - s, s·(1 - s) and its constants, not another sigmoid
});

test("nothing is printed", () => {
  const spies = (["log", "warn", "error", "info"] as const).map((method) => vi.spyOn(console, method));
  trace(({ input }) => tf.add(input("x", [3]), 1));
  for (const spy of spies) {
    expect(spy).not.toHaveBeenCalled();
    spy.mockRestore();
  }
});
