import type { InputSpec, Inputs, Model, Shape, Tensors } from "@gmc/core";
import { sizeOf, tensorLayout } from "@gmc/core";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

type Specs = readonly { readonly name: string; readonly shape: Shape }[];

/**
 * The model's parameters and buffers as tensors, made from the flat vectors when they are first asked for and again once
 * the vectors have changed. On the CPU a tensor may be the vector's own memory: it changes with it.
 */
export class StateTensors {
  readonly #model: Model;
  readonly #parameters: Float32Array;
  readonly #buffers: Float32Array;
  #tensors: { readonly parameters: Tensors; readonly buffers: Tensors } | undefined;

  constructor(model: Model, parameters: Float32Array, buffers: Float32Array) {
    this.#model = model;
    this.#parameters = parameters;
    this.#buffers = buffers;
  }

  /** To be called on TensorFlow; they outlive a `tf.tidy` and are not the caller's to dispose. */
  get(): { readonly parameters: Tensors; readonly buffers: Tensors } {
    this.#tensors ??= {
      parameters: flatTensors(this.#model.parameters, this.#parameters),
      buffers: flatTensors(this.#model.buffers, this.#buffers),
    };
    return this.#tensors;
  }

  /** The vectors have changed, or nobody will ask again. */
  release(): void {
    const { parameters = {}, buffers = {} } = this.#tensors ?? {};
    for (const tensor of [...Object.values(parameters), ...Object.values(buffers)]) tensor.dispose();
    this.#tensors = undefined;
  }
}

const flatTensors = (specs: Specs, flat: Float32Array): Tensors =>
  Object.fromEntries(
    tensorLayout(specs).entries.map(({ name, shape, start, end }) => [
      name,
      tf.keep(tf.tensor(flat.subarray(start, end), [...shape])),
    ]),
  );

/** A caller's values as tensors of their own. @throws {TypeError} when one is missing or has the wrong length */
export const inputTensors = (specs: readonly InputSpec[], inputs: Inputs): Tensors =>
  Object.fromEntries(specs.map(({ name, shape }) => [name, inputTensor(name, shape, inputs)]));

function inputTensor(name: string, shape: Shape, inputs: Inputs): Tensor {
  const values = inputs[name];
  if (!values || values.length !== sizeOf(shape)) {
    const received = values ? `${values.length} elements` : `inputs ${Object.keys(inputs).join(", ") || "(none)"}`;
    throw new TypeError(`Input "${name}": expected [${shape}] (${sizeOf(shape)} elements), received ${received}.`);
  }
  return tf.tensor(values.slice(), [...shape]); // what the caller writes into its array later is not the tensor's
}
