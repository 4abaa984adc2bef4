import type { Model } from "@gmc/core";
import { supervisedContractModel, variationalContractModel } from "@gmc/testkit";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { traceEncoding, traceTraining } from "./model-graph.ts";

/** A model of one parameter; `forward` is what a test is about. */
const modelOf = (forward: Model["forward"], buffers: Model["buffers"] = []): Model => ({
  parameters: [
    { name: "w", shape: [3, 2], initialiser: { kind: "constant", value: 1 }, part: "a" },
    { name: "idle", shape: [5], initialiser: { kind: "constant", value: 1 }, part: "b" },
  ],
  buffers,
  modalities: ["x"],
  inputs: (rows) => [{ name: "x", shape: [rows, 3], source: { kind: "modality" } }],
  forward,
  encode: (p, _buffers, x) => ({ code: tf.matMul(x.x as tf.Tensor2D, p.w as tf.Tensor2D) }),
});
const code = (p: Record<string, tf.Tensor>, x: Record<string, tf.Tensor>) =>
  tf.matMul(x.x as tf.Tensor2D, p.w as tf.Tensor2D);

test("the forward keeps what the backward needs, and the backward computes none of it again", () => {
  const { forward, backward } = traceTraining(supervisedContractModel(), 4);
  const saved = backward?.inputs.filter(({ name }) => name.startsWith("saved/")) ?? [];
  expect(saved.length).toBeGreaterThan(0);
  expect(forward.outputs.map(({ name }) => name)).toEqual(expect.arrayContaining(saved.map(({ name }) => name)));
  expect(backward?.operations.Tanh).toBeUndefined();
  expect(forward.operations).toMatchObject({ Tanh: 2, Log: 1 });
  expect(backward?.operations.Log).toBeUndefined();
  expect(backward?.inputs.map(({ name }) => name)).toEqual(expect.arrayContaining(["dz", "localWeight"]));
});

test("a model without embeddings has no dz, one with buffers gives their statistics", () => {
  const program = traceTraining(variationalContractModel(), 4);
  expect(program.embeddingsShape).toBeUndefined();
  expect(program.backward?.inputs.map(({ name }) => name)).not.toContain("dz");
  expect(program.forward.outputs.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["localLoss", "statistics/encoder.norm.mean", "statistics/encoder.norm.variance"]),
  );
});

test("parameters that the objective does not read are left to be zero", () => {
  const program = traceTraining(
    modelOf((p, _, x) => ({ localLoss: tf.mean(tf.square(code(p, x))) })),
    2,
  );
  expect(program.zeroGradient).toEqual([{ start: 6, end: 11 }]);
  expect(program.backward?.outputs.map(({ name }) => name)).toEqual(["gradient/w"]);
});

test("a model with nothing to train on has no backward", () => {
  const program = traceTraining(
    modelOf((_p, _buffers, x) => ({ localLoss: tf.mean(x.x as tf.Tensor) as tf.Scalar })),
    2,
  );
  expect(program.backward).toBeUndefined();
});

test("an encoding reads only the modalities that are present", () => {
  const model = supervisedContractModel();
  const names = traceEncoding(model, 3, ["vector"]).program.inputs.map(({ name }) => name);
  expect(names.filter((name) => name.startsWith("input/"))).toEqual(["input/vector"]);
  expect(names.filter((name) => name.startsWith("parameter/image"))).toEqual([]);
  expect(traceEncoding(model, 3, ["image", "vector"]).outputs).toEqual(["prediction"]);
});

test("what a forward returns is checked against what the model declares", () => {
  const buffer = { name: "mean", shape: [2], initial: 0, momentum: 0.1 };
  const wrong = (forward: Model["forward"], buffers: Model["buffers"] = []) =>
    expect(() => traceTraining(modelOf(forward, buffers), 4));
  wrong(() => ({})).toThrow(/neither embeddings nor a localLoss/);
  wrong((p, _, x) => ({ embeddings: tf.reshape(code(p, x), [1, 4, 2]) })).toThrow(
    /embeddings \[M\+1, rows, d\]: expected shape \[2,4,2\], received \[1,4,2\]/,
  );
  wrong((p, _, x) => ({ localLoss: tf.sum(code(p, x), 0) as unknown as tf.Scalar })).toThrow(
    /localLoss: expected shape \[\]/,
  );
  wrong((p, _, x) => ({ localLoss: tf.mean(code(p, x)) }), [buffer]).toThrow(
    /no batchStatistics for the buffer "mean"/,
  );
  wrong(
    (p, _, x) => ({ localLoss: tf.mean(code(p, x)), batchStatistics: { mean: tf.mean(code(p, x)) } }),
    [buffer],
  ).toThrow(/batchStatistics of "mean": expected shape \[2\], received \[\]/);
});
