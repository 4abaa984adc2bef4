import type { Inputs, Model, Replica, TrainState } from "@gmc/core";
import { initialTrainState, tensorLayout, tensorViews } from "@gmc/core";
import { EngineConfig, openReplica } from "@gmc/engine";
import type { GoldenModel, TensorFile } from "@gmc/testkit";
import { fromTorch, goldenInputs, packTensors, relativeError } from "@gmc/testkit";
import { expect } from "vitest";
import type { CompiledStep } from "./compiled-step.ts";
import { compiledStep, movedBuffers } from "./compiled-step.ts";

const RULE = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/** A golden model on the engine, from the weights of a golden file. */
export class GoldenRun {
  readonly model: Model;
  readonly golden: GoldenModel;
  readonly weights: TensorFile;
  readonly replica: Replica;

  static async open(
    model: Model,
    golden: GoldenModel,
    weights: TensorFile,
    config: Partial<EngineConfig> = {},
  ): Promise<GoldenRun> {
    const replica = await openReplica(model, EngineConfig.parse({ threads: 1, ...config }));
    return new GoldenRun(model, golden, weights, replica);
  }

  private constructor(model: Model, golden: GoldenModel, weights: TensorFile, replica: Replica) {
    this.model = model;
    this.golden = golden;
    this.weights = weights;
    this.replica = replica;
  }

  stateFrom(file: TensorFile, prefix: string): TrainState {
    const tensors = fromTorch(this.golden, file, prefix);
    return {
      ...initialTrainState(this.model, 0),
      parameters: packTensors(this.model.parameters, tensors),
      buffers: packTensors(this.model.buffers, tensors),
    };
  }

  reset(): Promise<void> {
    return this.replica.write(this.stateFrom(this.weights, "param."));
  }

  async step(batch: number, shards: number): Promise<CompiledStep> {
    const rows = batch / shards;
    const inputs = Array.from(
      { length: shards },
      (_, v): Inputs => goldenInputs(this.golden, this.weights, { start: v * rows, end: (v + 1) * rows }),
    );
    return compiledStep(this.model, await this.replica.compile(rows), inputs);
  }

  /** Five training steps; their losses. */
  async train(batch: number, shards: number): Promise<number[]> {
    const losses: number[] = [];
    for (let step = 0; step < 5; step++) {
      const { loss, gradient, statistics } = await this.step(batch, shards);
      losses.push(loss);
      const { buffers } = await this.replica.read();
      await this.replica.update(gradient, RULE, movedBuffers(this.model, buffers, statistics));
    }
    return losses;
  }

  /** Codes of every single modality and of all of them, [M+1, batch, d], as the golden `eval.z`. */
  async evaluate(batch: number): Promise<Float32Array> {
    const codes: number[] = [];
    for (const present of [...this.model.modalities.map((name) => [name]), this.model.modalities]) {
      const encoder = await this.replica.encoder(batch, present);
      codes.push(...(await encoder.encode(goldenInputs(this.golden, this.weights))).code);
    }
    return Float32Array.from(codes);
  }

  gradients(step: CompiledStep): Record<string, Float32Array> {
    return tensorViews(tensorLayout(this.model.parameters), step.gradient);
  }
}

/** Every tensor's relative error is below the tolerance; names the ones that are not. */
export function expectClose(
  actual: Readonly<Record<string, Float32Array>>,
  reference: Readonly<Record<string, Float32Array>>,
  tolerance: number,
): void {
  const errors = Object.entries(reference).map(
    ([name, values]) => [name, relativeError(actual[name]!, values)] as const,
  );
  expect(errors.length).toBeGreaterThan(0);
  expect(errors.filter(([, error]) => !(error < tolerance))).toEqual([]);
}
