import type { Model, TrainState } from "@gmc/core";
import { DataError, tensorLayout } from "@gmc/core";

/** Layout of the packed numbers; another one is refused. */
const VERSION = 1;
/** version, step, β1 power, β2 power, sum of the open epoch's losses, best loss, best epoch (0: none), closed epochs */
const FIXED = 8;

/**
 * A state as one vector of bits, to be sent to another worker: the numbers of the loop as float64, each seen as two
 * float32, then parameters, moments and buffers.
 */
export function packTrainState(state: TrainState): Float32Array {
  const { step, beta1Power, beta2Power, progress, parameters, firstMoment, secondMoment, buffers } = state;
  const { epochLossSum, epochLosses, best } = progress;
  const fixed = [VERSION, step, beta1Power, beta2Power, epochLossSum, best?.loss ?? 0, best?.epoch ?? 0];
  const head = new Float32Array(Float64Array.of(...fixed, epochLosses.length, ...epochLosses).buffer);
  const blocks = [head, parameters, firstMoment, secondMoment, buffers];
  const packed = new Float32Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const block of blocks) {
    packed.set(block, at);
    at += block.length;
  }
  return packed;
}

/** The state in a packed vector, bit for bit. @throws {DataError} when it is not a state of this model */
export function unpackTrainState(packed: Float32Array, model: Pick<Model, "parameters" | "buffers">): TrainState {
  const fixed = new Float32Array(FIXED * 2);
  fixed.set(packed.subarray(0, fixed.length));
  const numbers = new Float64Array(fixed.buffer);
  const [version, step = 0, beta1Power = 1, beta2Power = 1, epochLossSum = 0, loss = 0, epoch = 0, epochs = 0] =
    numbers;
  const parameters = tensorLayout(model.parameters).length;
  const buffers = tensorLayout(model.buffers).length;
  const headLength = 2 * (FIXED + epochs);
  const expected = headLength + 3 * parameters + buffers;
  if (version !== VERSION || packed.length !== expected) {
    throw new DataError(
      `A packed state of this model has version ${VERSION} and ${expected} numbers; received version ${version} and ${packed.length}.`,
      { version, expected, received: packed.length },
    );
  }
  let at = headLength;
  const take = (length: number): Float32Array => {
    at += length;
    return packed.slice(at - length, at);
  };
  return {
    step,
    parameters: take(parameters),
    firstMoment: take(parameters),
    secondMoment: take(parameters),
    buffers: take(buffers),
    beta1Power,
    beta2Power,
    progress: {
      epochLossSum,
      epochLosses: [...new Float64Array(packed.slice(FIXED * 2, headLength).buffer)],
      best: epoch > 0 ? { loss, epoch } : null,
    },
  };
}
