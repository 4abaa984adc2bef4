import * as tf from "@tensorflow/tfjs-core";
import type { Op, OpInput } from "./compiled-op.testing.ts";
import { bits, integers, normal, positive, small } from "./compiled-op.testing.ts";

/** A name, ops, and what they are given. */
export type Case = readonly [name: string, op: Op, inputs: readonly OpInput[]];

const x4 =
  (op: (x: tf.Tensor4D) => tf.Tensor): Op =>
  (x) =>
    op(x as tf.Tensor4D);
const unary = (name: string, op: (x: tf.Tensor) => tf.Tensor, input = normal(3, 4)): Case => [
  name,
  (x) => op(x!),
  [input],
];
const binary = (
  name: string,
  op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  a = normal(3, 4),
  b = normal(3, 4),
): Case => [name, (x, y) => op(x!, y!), [a, b]];

/** Ops whose result and gradient are compared. */
export const differentiable: readonly Case[] = [
  unary("exp", tf.exp),
  unary("log", tf.log, positive(3, 4)),
  unary("sqrt", tf.sqrt, positive(3, 4)),
  unary("rsqrt", tf.rsqrt, positive(3, 4)),
  unary("square", tf.square),
  unary("reciprocal", tf.reciprocal, positive(3, 4)),
  unary("sigmoid", tf.sigmoid),
  unary("tanh", tf.tanh),
  unary("softplus", tf.softplus),
  unary("erf", tf.erf),
  unary("sin", tf.sin),
  unary("cos", tf.cos),
  unary("tan", tf.tan, small(3, 4)),
  unary("asin", tf.asin, small(3, 4)),
  unary("acos", tf.acos, small(3, 4)),
  unary("atan", tf.atan),
  unary("sinh", tf.sinh),
  unary("cosh", tf.cosh),
  unary("asinh", tf.asinh),
  unary("atanh", tf.atanh, small(3, 4)),
  unary("acosh", (x) => tf.acosh(tf.add(x, 1)), positive(3, 4)),
  unary("log1p", tf.log1p, positive(3, 4)),
  unary("expm1", tf.expm1),
  unary("abs", tf.abs),
  unary("neg", tf.neg),
  unary("relu", tf.relu),
  unary("relu6", (x) => tf.relu6(tf.mul(x, 6))),
  unary("elu", tf.elu),
  unary("selu", tf.selu),
  unary("leakyRelu", (x) => tf.leakyRelu(x, 0.3)),
  unary("clipByValue", (x) => tf.clipByValue(x, -0.5, 0.7)),
  unary("pow with a constant", (x) => tf.pow(x, 3), positive(3, 4)),
  unary("scalar arithmetic", (x) => tf.sub(tf.div(tf.mul(x, 3), 7), 2)),
  binary("prelu", (x, alpha) => tf.prelu(x, alpha), normal(3, 4), small(4)),
  binary("add", tf.add),
  binary("sub with broadcasting", tf.sub, normal(3, 4), normal(4)),
  binary("mul of a row and a column", tf.mul, normal(3, 1), normal(1, 4)),
  binary("div", tf.div, normal(3, 4), positive(1, 4)),
  binary("pow", tf.pow, positive(3, 4), small(3, 4)),
  binary("maximum", tf.maximum),
  binary("minimum", tf.minimum),
  binary("squaredDifference", tf.squaredDifference),
  ["addN", (...x) => tf.addN(x), [normal(3, 4), normal(3, 4), normal(3, 4)]],
  ["where", (c, a, b) => tf.where(c!, a!, b!), [bits(3, 4), normal(3, 4), normal(3, 4)]],
  ["where on rows", (c, a, b) => tf.where(tf.reshape(c!, [3, 1]), a!, b!), [bits(3), normal(3, 4), normal(3, 4)]],
  unary("where on a comparison", (x) => tf.where(tf.greater(x, 0.2), tf.square(x), tf.neg(x))),
  unary("reshape", (x) => tf.mul(tf.reshape(x, [2, 6]), 2)),
  unary("expandDims and squeeze", (x) => tf.squeeze(tf.expandDims(x, 1))),
  unary("transpose", (x) => tf.transpose(x, [2, 0, 1]), normal(2, 3, 4)),
  ["concat", (...x) => tf.concat(x, 1), [normal(3, 4), normal(3, 2), normal(3, 1)]],
  ["stack", (...x) => tf.stack(x, 1), [normal(3, 4), normal(3, 4)]],
  ["unstack", (x) => tf.unstack(x!, 1), [normal(3, 4)]],
  ["split", (x) => tf.split(x!, [1, 2, 1], 1), [normal(3, 4)]],
  ["split into equal parts", (x) => tf.split(x!, 2, -1), [normal(3, 4)]],
  unary("slice", (x) => tf.slice(x, [1, 0], [2, 3])),
  unary("slice to the end", (x) => tf.slice(x, [1, 2], [-1, -1])),
  unary("reverse", (x) => tf.reverse(x, 1)),
  unary("tile", (x) => tf.tile(x, [2, 3])),
  unary("tile of a thin axis", (x) => tf.tile(x, [1, 3]), normal(3, 1)),
  unary("broadcastTo", (x) => tf.broadcastTo(x, [3, 4]), normal(1, 4)),
  unary("pad", (x) =>
    tf.pad(
      x,
      [
        [1, 0],
        [0, 2],
      ],
      1.5,
    ),
  ),
  unary("sum", (x) => tf.sum(x)),
  unary("sum over an axis", (x) => tf.sum(x, 1, true), normal(2, 3, 4)),
  unary("sum over long leading axes", (x) => tf.sum(x, [0, 1]), normal(30, 11, 3)),
  unary("sum over a prime number of rows", (x) => tf.sum(x, 0), normal(307, 3)),
  unary("mean", (x) => tf.mean(x, [0, 2]), normal(2, 3, 4)),
  unary("max", (x) => tf.max(x, 1)),
  unary("min", (x) => tf.min(x, 0)),
  unary("logSumExp", (x) => tf.logSumExp(x, 1)),
  unary("norm", (x) => tf.norm(x, 2, 1)),
  unary("moments", (x) => tf.moments(x, 0).variance),
  unary("softmax", (x) => tf.softmax(x)),
  unary("logSoftmax", (x) => tf.logSoftmax(x)),
  unary("cumsum", (x) => tf.cumsum(x, 1)),
  unary("cumsum, exclusive and reversed", (x) => tf.cumsum(x, 1, true, true)),
  binary("matMul", (a, b) => tf.matMul(a, b), normal(3, 4), normal(4, 5)),
  binary("matMul of transposed operands", (a, b) => tf.matMul(a, b, true, true), normal(4, 3), normal(5, 4)),
  binary("matMul in batches", (a, b) => tf.matMul(a, b, false, true), normal(2, 3, 4), normal(2, 5, 4)),
  binary(
    "matMul of a transposed tensor",
    (a, b) => tf.matMul(tf.transpose(a, [0, 2, 1]), b),
    normal(2, 4, 3),
    normal(2, 4, 5),
  ),
  binary("dot", (a, b) => tf.dot(a, b), normal(4), normal(4)),
  [
    "fused matMul",
    (a, b, bias) => tf.fused.matMul({ a: a as tf.Tensor2D, b: b as tf.Tensor2D, bias: bias!, activation: "relu" }),
    [normal(3, 4), normal(4, 5), normal(5)],
  ],
  ["gather of rows", (x, i) => tf.gather(x!, i as tf.Tensor1D), [normal(4, 3), integers(4, 6)]],
  ["gather along axis 1", (x, i) => tf.gather(x!, i as tf.Tensor2D, 1), [normal(2, 4, 3), integers(4, 2, 3)]],
  ["unsortedSegmentSum", (x, i) => tf.unsortedSegmentSum(x!, i as tf.Tensor1D, 3), [normal(5, 2), integers(3, 5)]],
  [
    "batchNorm with given statistics",
    (x, mean, variance, offset, scale) =>
      tf.batchNorm(x!, mean as tf.Tensor1D, variance as tf.Tensor1D, offset as tf.Tensor1D, scale as tf.Tensor1D),
    [normal(2, 3, 4), normal(4), positive(4), normal(4), normal(4)],
  ],
  ...convolutions(),
  ["maxPool", x4((x) => tf.maxPool(x, 2, 2, "valid")), [normal(2, 6, 4, 3)]],
  ["maxPool with overlap and padding", x4((x) => tf.maxPool(x, 3, 2, "same")), [normal(2, 5, 5, 3)]],
  ["avgPool", x4((x) => tf.avgPool(x, 2, 2, "valid")), [normal(2, 6, 4, 3)]],
  [
    "conv2dTranspose",
    (x, w) => tf.conv2dTranspose(x as tf.Tensor4D, w as tf.Tensor4D, [2, 6, 6, 2], 2, "same"),
    [normal(2, 3, 3, 4), normal(3, 3, 2, 4)],
  ],
  ["conv1d", (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 2, "same"), [normal(2, 7, 3), normal(3, 3, 4)]],
  [
    "a custom gradient that saves",
    (x) =>
      tf.customGrad((input, save) => {
        const t = input as tf.Tensor;
        (save as tf.GradSaveFunc)([t]);
        return {
          value: tf.mul(t, tf.sigmoid(t)),
          gradFunc: (dy: tf.Tensor, [kept]: tf.Tensor[]) => tf.mul(dy, tf.cos(kept!)),
        };
      })(x!),
    [normal(3, 4)],
  ],
];

function convolutions(): Case[] {
  const convolve =
    (strides: number | [number, number], pad: "same" | "valid"): Op =>
    (x, w) =>
      tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, pad);
  return [
    ["conv2d, same", convolve(1, "same"), [normal(2, 5, 6, 3), normal(3, 3, 3, 4)]],
    ["conv2d, same, stride 2", convolve(2, "same"), [normal(2, 6, 6, 3), normal(4, 4, 3, 5)]],
    ["conv2d, valid, uneven strides", convolve([2, 1], "valid"), [normal(2, 7, 5, 3), normal(3, 2, 3, 4)]],
    ["conv2d, same, odd size with stride 2", convolve(2, "same"), [normal(2, 5, 7, 2), normal(3, 3, 2, 3)]],
    ["conv2d, 1 × 1", convolve(1, "valid"), [normal(2, 4, 4, 3), normal(1, 1, 3, 5)]],
    ["conv2d, 1 × 1 with stride 2", convolve(2, "valid"), [normal(2, 5, 5, 3), normal(1, 1, 3, 5)]],
    ["conv2d over whole rows", convolve(1, "valid"), [normal(2, 5, 8, 1), normal(1, 8, 1, 4)]],
    ["conv2d over the whole image", convolve(1, "valid"), [normal(2, 4, 5, 2), normal(4, 5, 2, 3)]],
    ["conv2d down the columns", convolve([2, 1], "same"), [normal(2, 8, 1, 3), normal(4, 1, 3, 5)]],
    [
      "conv2d with explicit padding",
      (x, w) =>
        tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, [
          [0, 0],
          [1, 2],
          [0, 1],
          [0, 0],
        ]),
      [normal(2, 5, 5, 2), normal(3, 3, 2, 3)],
    ],
  ];
}

/** Ops without a gradient, or without float inputs. */
export const valueOnly: readonly Case[] = [
  unary("prod", (x) => tf.prod(x, 1), positive(3, 4)),
  [
    "conv2d, valid, dilated",
    (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "valid", "NHWC", 2),
    [normal(2, 7, 7, 2), normal(3, 3, 2, 3)],
  ],
  [
    "fused conv2d with bias and activation",
    (x, filter, bias) =>
      tf.fused.conv2d({
        x: x as tf.Tensor4D,
        filter: filter as tf.Tensor4D,
        bias: bias!,
        strides: 1,
        pad: "same",
        activation: "sigmoid",
      }),
    [normal(2, 5, 5, 2), normal(3, 3, 2, 3), normal(3)],
  ],
  unary("floor, ceil, round", (x) => tf.stack([tf.floor(x), tf.ceil(x), tf.round(tf.mul(x, 4))])),
  unary("round of halves goes to even", (x) => tf.round(tf.add(tf.cast(x, "float32"), 0.5)), integers(6, 8)),
  unary("sign and step", (x) => tf.stack([tf.sign(x), tf.step(x), tf.step(x, 0.25)])),
  unary("cast to int32 truncates", (x) => tf.cast(tf.mul(x, 5), "int32")),
  unary("cast to bool and back", (x) => tf.cast(tf.cast(x, "bool"), "float32"), integers(2, 9)),
  ...[tf.greater, tf.greaterEqual, tf.less, tf.lessEqual, tf.equal, tf.notEqual].map((compare) =>
    binary(compare.name.replace("__op", ""), compare, integers(3, 3, 4), integers(3, 4)),
  ),
  binary("logicalAnd and logicalOr", (a, b) => tf.stack([tf.logicalAnd(a, b), tf.logicalOr(a, b)]), bits(8), bits(8)),
  unary("logicalNot", (x) => tf.logicalNot(x), bits(8)),
  unary("any and all", (x) => tf.stack([tf.any(x, 1), tf.all(x, 1)]), bits(5, 2)),
  binary("floorDiv of integers", (a, b) => tf.floorDiv(tf.sub(a, 6), tf.add(b, 1)), integers(12, 20), integers(4, 20)),
  binary("int32 arithmetic", (a, b) => tf.mul(tf.add(a, b), tf.sub(a, b)), integers(9, 3, 4), integers(9, 4)),
  unary("int32 sum and max", (x) => tf.stack([tf.sum(x, 0), tf.max(x, 0)]), integers(9, 3, 4)),
  unary("argMax and argMin", (x) => tf.stack([tf.argMax(x, 1), tf.argMin(x, 1)])),
  unary(
    "oneHot",
    (x) => tf.add(tf.oneHot(x as tf.Tensor1D, 4), tf.oneHot(x as tf.Tensor1D, 4, 0.9, 0.1, "float32")),
    integers(4, 5),
  ),
  unary("isNaN and friends", (x) => tf.stack([tf.isNaN(tf.log(x)), tf.isFinite(tf.log(x)), tf.isInf(tf.div(x, 0))])),
  unary("stridedSlice", (x) => tf.stridedSlice(x, [3, 0], [0, 6], [-1, 2]), normal(4, 6)),
  unary(
    "range, linspace, eye, zeros and ones",
    (x) => {
      const square = tf.add(tf.eye(4), tf.add(tf.zeros([4, 4]), tf.ones([4, 1])));
      return tf.add(tf.add(tf.mul(x, tf.range(0, 4)), square), tf.linspace(0, 1, 4));
    },
    normal(4, 4),
  ),
  ["avgPool with overlap and padding", x4((x) => tf.avgPool(x, 3, 2, "same")), [normal(2, 5, 5, 3)]],
  unary("fill", (x) => tf.add(x, tf.fill([4], 0.25))),
  unary("zerosLike and onesLike", (x) => tf.add(tf.zerosLike(x), tf.onesLike(x))),
];
