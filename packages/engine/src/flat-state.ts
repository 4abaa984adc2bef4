import type { TrainProgress, TrainState, UpdateRule } from "@gmc/core";
import { NonFiniteError } from "@gmc/core";
import type { AdamPowers, FlatMemory } from "./kernels/flat-memory.ts";

/** A step of Adam wherever the parameters lie, from the memory's gradient. */
export type AdamStep = (rule: UpdateRule, powers: AdamPowers, scale: number) => void | Promise<void>;

/** A replica's train state: flat vectors in a `FlatMemory`, buffers, counters. */
export class FlatState {
  readonly memory: FlatMemory;
  readonly buffers: Float32Array;
  readonly #adam: AdamStep;
  #step = 0;
  #beta1Power = 1;
  #beta2Power = 1;
  #progress: TrainProgress = { epochLossSum: 0, epochLosses: [], best: null };

  /**
   * @param bufferLength  elements of the flat buffers, Q
   * @param adam          default: the memory's own
   */
  constructor(
    memory: FlatMemory,
    bufferLength: number,
    adam: AdamStep = (rule, powers, scale) => memory.adamStep(rule, powers, scale),
  ) {
    this.memory = memory;
    this.buffers = new Float32Array(bufferLength);
    this.#adam = adam;
  }

  write(state: TrainState): void {
    const { parameters, firstMoment, secondMoment } = this.memory;
    setAll("write: parameters", parameters, state.parameters);
    setAll("write: firstMoment", firstMoment, state.firstMoment);
    setAll("write: secondMoment", secondMoment, state.secondMoment);
    setAll("write: buffers", this.buffers, state.buffers);
    this.#step = state.step;
    this.#beta1Power = state.beta1Power;
    this.#beta2Power = state.beta2Power;
    this.#progress = state.progress;
  }

  read(): TrainState {
    const { parameters, firstMoment, secondMoment } = this.memory;
    return {
      step: this.#step,
      parameters: Float32Array.from(parameters),
      firstMoment: Float32Array.from(firstMoment),
      secondMoment: Float32Array.from(secondMoment),
      buffers: this.buffers.slice(),
      beta1Power: this.#beta1Power,
      beta2Power: this.#beta2Power,
      progress: this.#progress,
    };
  }

  /** As `Replica.update` says. */
  async update(
    gradient: Float32Array,
    rule: UpdateRule,
    buffers: Float32Array,
    commit?: () => Promise<void>,
  ): Promise<{ gradientNorm: number }> {
    const { memory } = this;
    checkLength("update: buffers", this.buffers, buffers);
    setAll("update: gradient", memory.gradient, gradient);
    const gradientNorm = memory.gradientNorm();
    if (!Number.isFinite(gradientNorm)) throw refuseGradient(this.#step + 1, gradientNorm);
    await commit?.();
    const clipped = rule.maxNorm !== undefined && gradientNorm > rule.maxNorm;
    const scale = clipped ? (rule.maxNorm ?? 1) / gradientNorm : 1;
    const powers = { beta1Power: this.#beta1Power * rule.beta1, beta2Power: this.#beta2Power * rule.beta2 };
    await this.#adam(rule, powers, scale);
    this.buffers.set(buffers);
    this.#beta1Power = powers.beta1Power;
    this.#beta2Power = powers.beta2Power;
    this.#step++;
    return { gradientNorm };
  }
}

const refuseGradient = (step: number, gradientNorm: number): NonFiniteError =>
  new NonFiniteError(`Step ${step}: the gradient's norm is ${gradientNorm}; the step was not committed.`, {
    step,
    what: "gradient",
    value: String(gradientNorm),
  });

function setAll(what: string, target: Float32Array, source: Float32Array): void {
  checkLength(what, target, source);
  if (source !== target) target.set(source);
}

function checkLength(what: string, expected: Float32Array, received: Float32Array): void {
  if (received.length !== expected.length) {
    throw new TypeError(`${what}: expected ${expected.length} elements, received ${received.length}.`);
  }
}
