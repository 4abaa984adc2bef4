import { TraceError } from "@gmc/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { useCpuBackend } from "../trace/compiled-op.testing.ts";
import type { Tape } from "./tape.ts";
import { GradientWalk, recordTape, releaseTape } from "./tape.ts";

beforeAll(useCpuBackend);

let tensorsBefore: number;
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});

type Op = (...x: tf.Tensor[]) => tf.Tensor;

/** The tape of an op, its result's id, and the tensors it was given, which the caller disposes. */
function record(op: Op, ...values: number[][]): { tape: Tape; id: number; inputs: tf.Tensor[] } {
  const inputs = values.map((value) => tf.tensor1d(value));
  let recorded = { tape: { nodes: [] } as Tape, id: -1 };
  tf.tidy(() => {
    const { result, tape } = recordTape(
      inputs,
      () => op(...inputs),
      (y) => [y],
    );
    recorded = { tape, id: result.id };
  });
  return { ...recorded, inputs };
}

/** Gradients in the inputs, seeded with ones. */
function walked(op: Op, ...values: number[][]): (number[] | undefined)[] {
  const { tape, id, inputs } = record(op, ...values);
  const walk = new GradientWalk(tape, new Map([[id, tf.ones([values[0]?.length ?? 0])]]));
  walk.backTo(0);
  const gradients = inputs.map((input) => walk.take(input.id));
  const result = gradients.map((gradient) => gradient && [...gradient.dataSync()]);
  walk.close();
  for (const tensor of [...inputs, ...gradients]) tensor?.dispose();
  return result;
}

test("gradients are tfjs's own, and no tensor stays", () => {
  const op: Op = (x, y) => tf.add(tf.mul(tf.exp(x!), y!), tf.mul(x!, tf.square(y!)));
  const values = [
    [0.5, -1, 2],
    [1, 3, -2],
  ] as const;
  const [x, y] = walked(op, ...values.map((value) => [...value]));
  expect(tf.memory().numTensors).toBe(tensorsBefore);
  const { grads } = tf.valueAndGrads((a: tf.Tensor, b: tf.Tensor) => tf.sum(op(a, b)) as tf.Scalar)(
    values.map((value) => tf.tensor1d([...value])),
  );
  expect(x).toEqual([...grads[0]!.dataSync()]);
  expect(y).toEqual([...grads[1]!.dataSync()]);
});

test("a gradient that hands dy on, or gives one tensor for two inputs, is added up right", () => {
  const handOn = tf.customGrad((...args) => {
    const [a, b] = args as tf.Tensor[];
    return { value: tf.add(a!, b!), gradFunc: (dy: tf.Tensor) => [dy, dy] };
  });
  const op: Op = (x, y) => tf.add(handOn(x!, y!), tf.mul(x!, 3));
  expect(walked(op, [1, 2], [3, 4])).toEqual([
    [4, 4],
    [1, 1],
  ]);
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

test("what the result does not depend on has no gradient, and nothing of it is kept", () => {
  const op: Op = (x, y) => {
    tf.exp(y!);
    return tf.square(x!);
  };
  expect(walked(op, [3], [5])).toEqual([[6], undefined]);
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

test("a walk may stop on the way and go on later", () => {
  const { tape, id, inputs } = record((x, y) => tf.mul(tf.square(x!), y!), [3], [5]);
  const walk = new GradientWalk(tape, new Map([[id, tf.ones([1])]]));
  walk.backTo(tape.nodes.length - 1);
  const dy = walk.take(inputs[1]!.id);
  expect([...dy!.dataSync()]).toEqual([9]);
  expect(walk.take(inputs[0]!.id)).toBeUndefined();
  walk.backTo(0);
  const dx = walk.take(inputs[0]!.id);
  expect([...dx!.dataSync()]).toEqual([30]);
  walk.close();
  for (const tensor of [...inputs, dy!, dx!]) tensor.dispose();
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

test("a tape that nobody walks, and a walk that ends early, let go of what was saved", () => {
  const op: Op = (x) => tf.exp(tf.square(tf.exp(x!)));
  const unused = record(op, [1]);
  releaseTape(unused.tape);
  const { tape, id, inputs } = record(op, [1]);
  const walk = new GradientWalk(tape, new Map([[id, tf.ones([1])]]));
  walk.backTo(tape.nodes.length - 1);
  walk.close();
  for (const tensor of [...inputs, ...unused.inputs]) tensor.dispose();
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

test("an op without a gradient is refused by name; a forward that throws leaves neither tensors nor a tape", () => {
  const { tape, id, inputs } = record((x) => tf.cumprod(x!), [1, 2]);
  const walk = new GradientWalk(tape, new Map([[id, tf.ones([2])]]));
  expect(() => walk.backTo(0)).toThrow(/The op Cumprod has no gradient/);
  expect(() => walk.backTo(0)).not.toThrow(TypeError);
  walk.close();
  const failing = () =>
    tf.tidy(() => {
      recordTape(
        inputs,
        () => {
          tf.square(inputs[0]!);
          throw new TraceError("no");
        },
        () => [],
      );
    });
  expect(failing).toThrow(TraceError);
  expect(tf.engine().state.gradientDepth).toBe(0);
  for (const tensor of inputs) tensor.dispose();
  expect(tf.memory().numTensors).toBe(tensorsBefore);
  expect([
    ...tf
      .grad((x) => tf.square(x))(tf.scalar(3))
      .dataSync(),
  ]).toEqual([6]); // tfjs's own autodiff still works
});
