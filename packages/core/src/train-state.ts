import { createHash } from "node:crypto";
import type { Model } from "./model.ts";
import { randomKey, uniformAt } from "./random.ts";
import type { TensorLayout } from "./tensor-layout.ts";
import { tensorLayout } from "./tensor-layout.ts";

/**
 * Everything a run needs to go on with the same bits: what a checkpoint holds, what a joining worker gets.
 * The sampler's place is `step` (steps an epoch are fixed by config and data).
 */
export interface TrainState {
  /** Committed optimiser steps. */
  readonly step: number;
  /** [P] flat parameters. */
  readonly parameters: Float32Array;
  /** [P] Adam's moments. */
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  /** [Q] flat buffers. */
  readonly buffers: Float32Array;
  /** β1^step and β2^step by repeated multiplication. */
  readonly beta1Power: number;
  readonly beta2Power: number;
  /** What the loop remembers between epochs. */
  readonly progress: TrainProgress;
}

/** The loop's own memory: sums of the epoch under way, the best epoch so far, early stopping. */
export interface TrainProgress {
  /** Sum of the losses of the open epoch's committed steps. */
  readonly epochLossSum: number;
  /**
   * Mean training loss of every closed epoch. An epoch is closed after its last step, once it was validated and checked
   * for an early stop: a state with more steps than closed epochs cover has that still to do.
   */
  readonly epochLosses: readonly number[];
  /** Lowest monitored loss and the epoch (from 1) that reached it; null before the first. */
  readonly best: { readonly loss: number; readonly epoch: number } | null;
}

/** State before the first step: parameters drawn from (seed, parameter name, element), buffers at their initial values. */
export function initialTrainState(model: Model, seed: number): TrainState {
  const layout = tensorLayout(model.parameters);
  const parameters = new Float32Array(layout.length);
  for (const [i, { name, initialiser }] of model.parameters.entries()) {
    const entry = layout.entries[i];
    if (!entry) continue;
    const block = parameters.subarray(entry.start, entry.end);
    if (initialiser.kind === "constant") block.fill(initialiser.value);
    else {
      const key = randomKey(seed, `initialise/${name}`);
      for (let e = 0; e < block.length; e++) block[e] = (2 * uniformAt(key, e) - 1) * initialiser.bound;
    }
  }
  const bufferLayout = tensorLayout(model.buffers);
  const buffers = new Float32Array(bufferLayout.length);
  for (const [i, { initial }] of model.buffers.entries()) {
    buffers.fill(initial, bufferLayout.entries[i]?.start, bufferLayout.entries[i]?.end);
  }
  return {
    step: 0,
    parameters,
    firstMoment: new Float32Array(layout.length),
    secondMoment: new Float32Array(layout.length),
    buffers,
    beta1Power: 1,
    beta2Power: 1,
    progress: { epochLossSum: 0, epochLosses: [], best: null },
  };
}

/** sha256 (hex) of the parameters' and buffers' little-endian float32 bytes in name order. */
export function weightsSha256(model: Model, state: Pick<TrainState, "parameters" | "buffers">): string {
  const blocks = [
    ...namedBlocks(tensorLayout(model.parameters), state.parameters),
    ...namedBlocks(tensorLayout(model.buffers), state.buffers),
  ];
  const hash = createHash("sha256");
  for (const { block } of blocks.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    hash.update(new Uint8Array(block.buffer, block.byteOffset, block.byteLength)); // every platform we run on is little-endian
  }
  return hash.digest("hex");
}

const namedBlocks = (layout: TensorLayout, flat: Float32Array) =>
  layout.entries.map(({ name, start, end }) => ({ name, block: flat.subarray(start, end) }));
