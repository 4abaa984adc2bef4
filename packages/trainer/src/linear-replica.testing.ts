import type { CompiledModel, Inputs, Model, Replica, ShardForward, TrainState, UpdateRule } from "@gmc/core";
import { NonFiniteError } from "@gmc/core";
import type { BatchSource, GlobalBatch } from "@gmc/data";

/** Linear regression of 3 numbers on 1, with a running mean of the input and a mask on it: losses and gradients by hand. */
export const linearModel: Model = {
  parameters: [
    { name: "weight", shape: [3], initialiser: { kind: "uniform", bound: 0.5 }, part: "linear" },
    { name: "bias", shape: [1], initialiser: { kind: "constant", value: 0 }, part: "linear" },
  ],
  buffers: [{ name: "mean", shape: [3], initial: 0, momentum: 0.1 }],
  modalities: ["x"],
  inputs: (rows) => [
    { name: "x", shape: [rows, 3], source: { kind: "modality" } },
    { name: "y", shape: [rows, 1], source: { kind: "target" } },
    { name: "drop", shape: [rows, 3], source: { kind: "mask", keep: 0.9 } },
  ],
  forward: () => ({}),
  encode: () => {
    throw new Error("not used");
  },
};

const EMPTY = { x: new Float32Array(0), error: new Float32Array(0) };

/** What a test may do to a shard's results before the step sees them. */
export interface Faults {
  forward?(step: number, shard: number, forward: ShardForward): ShardForward;
  gradient?(step: number, shard: number, gradient: Float32Array): void;
  /** Gradients come in two parts, with this between them. */
  parts?(shard: number): Promise<void>;
}

/** A replica of the linear model in plain TypeScript, with plain gradient descent under Adam's signature. */
export function linearReplica(faults: Faults = {}): Replica & { readonly rules: readonly UpdateRule[] } {
  let state: TrainState | undefined;
  const rules: UpdateRule[] = [];
  const current = (): TrainState => {
    if (!state) throw new Error("nothing was written");
    return state;
  };
  const compiled = (rows: number): CompiledModel => {
    const kept = new Map<number, { x: Float32Array; error: Float32Array }>();
    return {
      rows,
      async forward(shard, inputs) {
        const { step, parameters } = current();
        const { x, error } = residuals(parameters, inputs, rows);
        kept.set(shard, { x, error });
        const localLoss = error.reduce((sum, e) => sum + e * e, 0) / rows;
        const forward = { localLoss, batchStatistics: columnMeans(x, rows) };
        return faults.forward?.(step, shard, forward) ?? forward;
      },
      async backward(shard, { localWeight }, gradient, onPart) {
        const { x, error } = kept.get(shard) ?? EMPTY;
        gradient.fill(0);
        for (let r = 0; r < rows; r++) {
          const scale = (2 * localWeight * (error[r] ?? 0)) / rows;
          for (let i = 0; i < 3; i++) gradient[i] = (gradient[i] ?? 0) + scale * (x[3 * r + i] ?? 0);
          gradient[3] = (gradient[3] ?? 0) + scale;
        }
        faults.gradient?.(current().step, shard, gradient);
        if (!faults.parts) return;
        const taken = [onPart?.({ start: 0, end: 3 })];
        await faults.parts(shard);
        await Promise.all([...taken, onPart?.({ start: 3, end: 4 })]);
      },
    };
  };
  return {
    rules,
    compile: async (rows) => compiled(rows),
    encoder: () => Promise.reject(new Error("not used")),
    async write(written) {
      state = { ...written, parameters: written.parameters.slice(), firstMoment: written.firstMoment.slice() };
    },
    read: async () => ({ ...current(), parameters: current().parameters.slice() }),
    async update(gradient, rule, buffers, commit) {
      const before = current();
      const gradientNorm = Math.hypot(...gradient);
      if (!Number.isFinite(gradientNorm)) throw new NonFiniteError("not finite");
      await commit?.();
      rules.push(rule);
      const scale = rule.maxNorm !== undefined && gradientNorm > rule.maxNorm ? rule.maxNorm / gradientNorm : 1;
      const firstMoment = before.firstMoment.map((m, i) => rule.beta1 * m + scale * (gradient[i] ?? 0));
      state = {
        ...before,
        step: before.step + 1,
        parameters: before.parameters.map((p, i) => p - rule.learningRate * (firstMoment[i] ?? 0)),
        firstMoment,
        buffers: buffers.slice(),
        beta1Power: before.beta1Power * rule.beta1,
        beta2Power: before.beta2Power * rule.beta2,
      };
      return { gradientNorm };
    },
    close: async () => {},
  };
}

function residuals(parameters: Float32Array, { x: raw, y, drop }: Inputs, rows: number) {
  const x = (raw ?? new Float32Array()).map((value, i) => value * (drop?.[i] ?? 0));
  const error = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let sum = (parameters[3] ?? 0) - (y?.[r] ?? 0);
    for (let i = 0; i < 3; i++) sum += (parameters[i] ?? 0) * (x[3 * r + i] ?? 0);
    error[r] = sum;
  }
  return { x, error };
}

function columnMeans(x: Float32Array, rows: number): Float32Array {
  const means = new Float32Array(3);
  for (let i = 0; i < x.length; i++) means[i % 3] = (means[i % 3] ?? 0) + (x[i] ?? 0) / rows;
  return means;
}

/** Batches whose values are functions of (sample, column); the same samples in the same order for any number of shards. */
export function linearSource(options: {
  samples: number;
  batchSize: number;
  shards: number;
  own?: readonly number[];
}): BatchSource {
  const { samples, batchSize, shards, own = Array.from({ length: shards }, (_, v) => v) } = options;
  const stepsPerEpoch = Math.floor(samples / batchSize);
  const rows = batchSize / shards;
  const shardOf = (first: number): Inputs => {
    const x = Float32Array.from({ length: 3 * rows }, (_, i) => Math.fround(Math.sin(7 * (first * 3 + i) + 1)));
    const y = Float32Array.from({ length: rows }, (_, r) => 2 * (x[3 * r] ?? 0) - (x[3 * r + 1] ?? 0) + 0.5);
    return { x, y };
  };
  return {
    samples,
    stepsPerEpoch,
    async *batches(fromStep): AsyncGenerator<GlobalBatch, void, void> {
      for (let step = fromStep; ; step++) {
        const first = (step % stepsPerEpoch) * batchSize;
        const indices = own.map((v) => shardOf(first + v * rows));
        yield { step, epoch: Math.floor(step / stepsPerEpoch), shards: indices, total: shards };
      }
    },
  };
}
