import type { Model } from "@gmc/core";
import { supervisedContractModel, variationalContractModel } from "@gmc/testkit";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import type { TrainingProgram } from "./model-graph.ts";
import { traceEncoding, traceTraining } from "./model-graph.ts";
import type { Program } from "./onnx/emit.ts";
import { isGradient } from "./tensor-names.ts";

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

const programsOf = (half: TrainingProgram["forward" | "backward"]) => half.flatMap(({ program }) => program ?? []);
const parametersOf = ({ inputs }: Program) =>
  namesOf(inputs).flatMap((name) => (name.startsWith("parameter/") ? name.slice("parameter/".length) : []));
const namesOf = (specs: readonly { name: string }[]) => specs.map(({ name }) => name);

test("the forward keeps what the backward needs, and the backward computes none of it again", () => {
  const traced = traceTraining(supervisedContractModel(), 4);
  const [forward, backward] = [programsOf(traced.forward), programsOf(traced.backward)];
  const inputs = backward.flatMap((part) => namesOf(part.inputs));
  const saved = inputs.filter((name) => name.startsWith("saved/"));
  expect(saved.length).toBeGreaterThan(0);
  const made = [...forward, ...backward].flatMap(({ outputs }) => namesOf(outputs));
  expect(made).toEqual(expect.arrayContaining(saved));
  expect(new Set(made).size).toBe(made.length);
  const count = (operation: string) => forward.reduce((sum, { operations }) => sum + (operations[operation] ?? 0), 0);
  expect([count("Tanh"), count("ReduceLogSum")]).toEqual([2, 1]);
  for (const { operations } of backward) expect(operations).not.toMatchObject({ Tanh: expect.anything() });
  for (const { operations } of backward) expect(operations).not.toMatchObject({ ReduceLogSum: expect.anything() });
  expect(inputs).toEqual(expect.arrayContaining(["dz", "localWeight"]));
});

test("every part has a forward and a backward of its own; those whose weights others read come first, of the rest the largest", () => {
  const parts = ["small", "large", "head"];
  const widths = [2, 7, 3];
  const model: Model = {
    parameters: parts.map((part, i) => ({
      name: `${part}.w`,
      shape: part === "head" ? [9, 3] : [3, widths[i] ?? 0],
      initialiser: { kind: "constant", value: 1 },
      part,
    })),
    buffers: [],
    modalities: [],
    inputs: (rows) => [{ name: "x", shape: [rows, 3], source: { kind: "modality" } }],
    forward(p, _buffers, x) {
      const [small, large] = ["small", "large"].map((part) =>
        tf.tanh(tf.matMul(x.x as tf.Tensor2D, p[`${part}.w`] as tf.Tensor2D)),
      );
      const joined = tf.concat([small as tf.Tensor2D, large as tf.Tensor2D], 1);
      return { localLoss: tf.mean(tf.square(tf.matMul(joined, p["head.w"] as tf.Tensor2D))) };
    },
    encode: () => {
      throw new Error("not encoded here");
    },
  };
  const program = traceTraining(model, 4);
  expect(program.backward.flatMap(({ ranges }) => ranges)).toEqual([
    { start: 27, end: 54 },
    { start: 6, end: 27 },
    { start: 0, end: 6 },
  ]);
  expect(program.backward.map(({ after }) => after)).toEqual([[], [0], [0]]); // they do not wait for each other
  expect(program.forward.map(({ after }) => after)).toEqual([[], [], [1, 0]]);
  expect(program.forward.map(({ program }) => parametersOf(program))).toEqual([["large.w"], ["small.w"], ["head.w"]]);
  const gradients = programsOf(program.backward).map(({ outputs }) =>
    namesOf(outputs).filter((name) => isGradient(name)),
  );
  expect(gradients).toEqual([["gradient/head.w"], ["gradient/large.w"], ["gradient/small.w"]]);
});

test("uncut, each half is one program that gives all that the pieces give, and reads nothing of them", () => {
  const [pieces, whole] = [true, false].map((byPart) => traceTraining(supervisedContractModel(), 4, byPart));
  for (const half of ["forward", "backward"] as const) {
    const outputs = pieces?.[half].flatMap(({ program }) => namesOf(program.outputs)) ?? [];
    expect(whole?.[half]).toHaveLength(1);
    expect(namesOf(whole?.[half][0]?.program.outputs ?? []).sort()).toEqual(outputs.sort());
    const inputs = namesOf(whole?.[half][0]?.program.inputs ?? []);
    expect(inputs.filter((name) => outputs.includes(name))).toEqual([]);
  }
  expect(whole?.backward[0]?.ranges).toEqual(pieces?.backward.flatMap(({ ranges }) => ranges));
});

test("a model without embeddings has no dz, one with buffers gives their statistics", () => {
  const program = traceTraining(variationalContractModel(), 4);
  expect(program.embeddingsShape).toBeUndefined();
  expect(programsOf(program.backward).flatMap(({ inputs }) => namesOf(inputs))).not.toContain("dz");
  expect(programsOf(program.forward).flatMap(({ outputs }) => namesOf(outputs))).toEqual(
    expect.arrayContaining(["localLoss", "statistics/encoder.norm.mean", "statistics/encoder.norm.variance"]),
  );
});

test("parameters that the objective does not read are left to be zero", () => {
  const program = traceTraining(
    modelOf((p, _, x) => ({ localLoss: tf.mean(tf.square(code(p, x))) })),
    2,
  );
  expect(program.zeroGradient).toEqual([{ start: 6, end: 11 }]);
  expect(program.idleParts).toEqual([{ start: 6, end: 11 }]);
  expect(program.backward.map((part) => namesOf(part.program.outputs))).toEqual([["gradient/w"]]);
});

test("a model with nothing to train on has no backward", () => {
  const program = traceTraining(
    modelOf((_p, _buffers, x) => ({ localLoss: tf.mean(x.x as tf.Tensor) as tf.Scalar })),
    2,
  );
  expect(programsOf(program.backward)).toEqual([]);
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
