import type { Initialiser, InputSpec, Model, ParameterSpec, Tensors } from "@gmc/core";
import type { Scalar, Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

const uniform = (fanIn: number): Initialiser => ({ kind: "uniform", bound: 1 / Math.sqrt(fanIn) });

const denseSpecs = (part: string, name: string, inputs: number, outputs: number): ParameterSpec[] => [
  { name: `${name}.weight`, shape: [inputs, outputs], initialiser: uniform(inputs), part },
  { name: `${name}.bias`, shape: [outputs], initialiser: uniform(inputs), part },
];

function named(tensors: Tensors, name: string): Tensor {
  const tensor = tensors[name];
  if (!tensor) throw new RangeError(`contract model: no tensor ${name}`);
  return tensor;
}

const dense = (p: Tensors, name: string, x: Tensor2D): Tensor2D =>
  tf.add(tf.matMul(x, named(p, `${name}.weight`) as Tensor2D), named(p, `${name}.bias`));

const unitRows = (x: Tensor2D): Tensor2D => tf.div(x, tf.sqrt(tf.add(tf.sum(tf.square(x), 1, true), 1e-12)));

/**
 * A supervised model with a contrastive term: two modalities (`image` [4, 4, 1], `vector` [6]), a head with dropout that is
 * called three times and so reads three masks a row, Gaussian noise on the vector, and the cross entropy of a class
 * predicted from the joint code. It has everything a training graph can have but batch statistics.
 */
export function supervisedContractModel(): Model {
  const [dim, hidden, classes, keep] = [5, 8, 3, 0.75];
  const modalities = ["image", "vector"];
  const modalitySpecs = (rows: number): InputSpec[] => [
    { name: "image", shape: [rows, 4, 4, 1], source: { kind: "modality" } },
    { name: "vector", shape: [rows, 6], source: { kind: "modality" } },
  ];
  const features = (p: Tensors, x: Tensors, noise?: Tensor) => ({
    image: (): Tensor2D => {
      const convolved = tf.relu(
        tf.conv2d(named(x, "image") as tf.Tensor4D, named(p, "image.conv.weight") as tf.Tensor4D, 2, "same"),
      );
      return dense(p, "image.dense", tf.reshape(convolved, [convolved.shape[0], 12]));
    },
    vector: (): Tensor2D => {
      const vector = named(x, "vector") as Tensor2D;
      return tf.tanh(dense(p, "vector.dense", noise ? tf.add(vector, tf.mul(noise, 0.1)) : vector));
    },
    joint: (): Tensor2D => {
      const image = named(x, "image");
      const all = tf.concat(
        [tf.reshape(image, [image.shape[0] ?? 0, 16]), named(x, "vector") as Tensor2D],
        1,
      ) as Tensor2D;
      return tf.tanh(dense(p, "joint.dense", all));
    },
  });
  /** k × [b, hidden] → [k, b, dim]; masks [b, k, hidden] */
  const head = (p: Tensors, parts: Tensor2D[], masks?: Tensor): Tensor3D => {
    const stacked = tf.concat(parts, 0) as Tensor2D; // [k·b, hidden]
    const dropped = masks
      ? tf.mul<Tensor2D>(stacked, tf.reshape(tf.transpose(masks, [1, 0, 2]), stacked.shape))
      : stacked;
    return tf.reshape(unitRows(dense(p, "head.dense", dropped)), [parts.length, -1, dim]);
  };
  return {
    parameters: [
      { name: "image.conv.weight", shape: [3, 3, 1, 3], initialiser: uniform(9), part: "image" },
      ...denseSpecs("image", "image.dense", 12, hidden),
      ...denseSpecs("vector", "vector.dense", 6, hidden),
      ...denseSpecs("joint", "joint.dense", 22, hidden),
      ...denseSpecs("head", "head.dense", hidden, dim),
      ...denseSpecs("predictor", "predictor.dense", dim, classes),
    ],
    buffers: [],
    modalities,
    contrastive: { loss: "nt_xent", temperature: 0.3 },
    inputs: (rows, use) =>
      use === "train"
        ? [
            ...modalitySpecs(rows),
            { name: "target", shape: [rows, classes], source: { kind: "target" } },
            { name: "head.mask", shape: [rows, 3, hidden], source: { kind: "mask", keep } },
            { name: "vector.noise", shape: [rows, 6], source: { kind: "noise" } },
          ]
        : modalitySpecs(rows).filter(({ name }) => use.includes(name)),
    forward(p, _buffers, x) {
      const of = features(p, x, named(x, "vector.noise"));
      const embeddings = head(p, [of.image(), of.vector(), of.joint()], named(x, "head.mask"));
      const [, rows] = embeddings.shape;
      const joint = tf.reshape(tf.slice(embeddings, [2, 0, 0], [1, rows, dim]), [rows, dim]) as Tensor2D;
      const logProbabilities = tf.logSoftmax(dense(p, "predictor.dense", joint));
      return { embeddings, localLoss: tf.mul<Scalar>(tf.sum(tf.mul(logProbabilities, named(x, "target"))), -1 / rows) };
    },
    encode(p, _buffers, x, present) {
      const of = features(p, x);
      const parts = present.length === 2 ? [of.joint()] : [present[0] === "image" ? of.image() : of.vector()];
      const code = tf.reshape(head(p, parts), [-1, dim]) as Tensor2D;
      return { code, outputs: { prediction: dense(p, "predictor.dense", code) } };
    },
  };
}

/**
 * A small variational autoencoder of `vector` [8]: batch norm, noise, reconstruction and KL in the local loss, nothing
 * contrasted, so no embeddings. Encoding gives the posterior's mean and the reconstruction.
 */
export function variationalContractModel(): Model {
  const [inputs, hidden, latent] = [8, 10, 3];
  const encoder = (p: Tensors, normalised: Tensor2D): { mean: Tensor2D; logVariance: Tensor2D } => {
    const h = tf.elu(normalised);
    return { mean: dense(p, "encoder.mean", h), logVariance: dense(p, "encoder.logVariance", h) };
  };
  const decode = (p: Tensors, z: Tensor2D): Tensor2D =>
    tf.sigmoid(dense(p, "decoder.out", tf.relu(dense(p, "decoder.dense", z))));
  const affine = (p: Tensors, centred: Tensor, variance: Tensor): Tensor2D =>
    tf.add(
      tf.mul(centred, tf.mul(named(p, "encoder.norm.scale"), tf.rsqrt(tf.add(variance, 1e-5)))),
      named(p, "encoder.norm.shift"),
    );
  return {
    parameters: [
      ...denseSpecs("encoder", "encoder.dense", inputs, hidden),
      { name: "encoder.norm.scale", shape: [hidden], initialiser: { kind: "constant", value: 1 }, part: "encoder" },
      { name: "encoder.norm.shift", shape: [hidden], initialiser: { kind: "constant", value: 0 }, part: "encoder" },
      ...denseSpecs("encoder", "encoder.mean", hidden, latent),
      ...denseSpecs("encoder", "encoder.logVariance", hidden, latent),
      ...denseSpecs("decoder", "decoder.dense", latent, hidden),
      ...denseSpecs("decoder", "decoder.out", hidden, inputs),
    ],
    buffers: [
      { name: "encoder.norm.mean", shape: [hidden], initial: 0, momentum: 0.1 },
      { name: "encoder.norm.variance", shape: [hidden], initial: 1, momentum: 0.1 },
    ],
    modalities: ["vector"],
    inputs: (rows, use) => {
      const vector: InputSpec = { name: "vector", shape: [rows, inputs], source: { kind: "modality" } };
      return use === "train"
        ? [vector, { name: "posterior.noise", shape: [rows, latent], source: { kind: "noise" } }]
        : [vector];
    },
    forward(p, _buffers, x) {
      const vector = named(x, "vector") as Tensor2D;
      const rows = vector.shape[0];
      const h = dense(p, "encoder.dense", vector);
      const batchMean = tf.mean(h, 0);
      const centred = tf.sub(h, batchMean);
      const variance = tf.mean(tf.square(centred), 0);
      const { mean, logVariance } = encoder(p, affine(p, centred, variance));
      const z = tf.add<Tensor2D>(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), named(x, "posterior.noise")));
      const reconstruction = tf.sum(tf.squaredDifference(decode(p, z), vector));
      const kl = tf.mul(0.5, tf.sum(tf.sub(tf.add(tf.square(mean), tf.exp(logVariance)), tf.add(logVariance, 1))));
      return {
        localLoss: tf.mul<Scalar>(tf.add(reconstruction, kl), 1 / rows),
        batchStatistics: {
          "encoder.norm.mean": batchMean,
          "encoder.norm.variance": tf.mul(variance, rows / (rows - 1)),
        },
      };
    },
    encode(p, buffers, x) {
      const h = dense(p, "encoder.dense", named(x, "vector") as Tensor2D);
      const centred = tf.sub(h, named(buffers, "encoder.norm.mean"));
      const { mean } = encoder(p, affine(p, centred, named(buffers, "encoder.norm.variance")));
      return { code: mean, outputs: { reconstruction: decode(p, mean) } };
    },
  };
}
