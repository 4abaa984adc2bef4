import type {
  CompiledModel,
  ComputeDevice,
  Encoder,
  GradientBlocks,
  Inputs,
  Logger,
  Model,
  Present,
  Replica,
  TrainState,
  UpdateRule,
} from "@gmc/core";
import { tensorLayout } from "@gmc/core";
import * as tf from "@tensorflow/tfjs-core";
import { CallsUnderWay } from "../calls-under-way.ts";
import { FlatState } from "../flat-state.ts";
import type { FlatMemory } from "../kernels/flat-memory.ts";
import { openFlatMemory } from "../kernels/flat-memory.ts";
import type { Binding, BindingRequest } from "./binding.ts";
import { openBinding } from "./binding.ts";
import { EagerTraining } from "./eager-training.ts";
import { inputTensors, StateTensors } from "./state-tensors.ts";

/** Gradients beside the first that are added in WASM SIMD: log2 of the shards. */
const SPARE_GRADIENTS = 8;

/**
 * A copy of `model` that computes op by op on TensorFlow, in this thread. It starts at zeros: `write` a state first.
 *
 * @throws {EnvironmentError} when TensorFlow cannot be loaded, or the card is not to be had
 */
export const openTensorflowReplica = async (model: Model, request: BindingRequest, logger: Logger): Promise<Replica> =>
  openEagerReplica(model, await openBinding(request, logger));

/** The same on any binding. @throws {EnvironmentError} when the model is too large for this machine */
export const openEagerReplica = (model: Model, binding: Binding): Replica =>
  new EagerReplica(model, binding, openFlatMemory(tensorLayout(model.parameters).length, { spare: SPARE_GRADIENTS }));

class EagerReplica implements Replica {
  readonly device: ComputeDevice;
  readonly #model: Model;
  readonly #binding: Binding;
  readonly #memory: FlatMemory;
  readonly #state: FlatState;
  readonly #tensors: StateTensors;
  readonly #training = new Map<number, EagerTraining>();
  readonly #calls = new CallsUnderWay();

  constructor(model: Model, binding: Binding, memory: FlatMemory) {
    const { card, threads } = binding.settings;
    const onThreads = card === undefined ? ` on ${threads} ${threads === 1 ? "thread" : "threads"}` : ""; // its sums depend on them
    const library = `TensorFlow ${binding.tensorflow}${onThreads}`;
    this.device = card === undefined ? { kind: "cpu", library } : { kind: "cuda", library, adapter: `gpu:${card}` };
    this.#model = model;
    this.#binding = binding;
    this.#memory = memory;
    this.#state = new FlatState(memory, tensorLayout(model.buffers).length);
    this.#tensors = new StateTensors(model, memory.parameters, this.#state.buffers);
  }

  get gradient(): Float32Array {
    return this.#memory.gradient;
  }

  get gradientBlocks(): GradientBlocks {
    return this.#memory;
  }

  async compile(rows: number): Promise<CompiledModel> {
    this.#calls.checkOpen("compile");
    checkRows("compile", rows);
    const training = this.#training.get(rows) ?? new EagerTraining(this.#model, rows, this.#binding, this.#tensors);
    this.#training.set(rows, training);
    return {
      rows,
      forward: (shard, inputs) => this.#calls.track("forward", () => training.forward(shard, inputs)),
      backward: (shard, cotangent, gradient, onPart) =>
        this.#calls.track("backward", () => training.backward(shard, cotangent, gradient, onPart)),
    };
  }

  async encoder(rows: number, present: Present): Promise<Encoder> {
    this.#calls.checkOpen("encoder");
    checkRows("encoder", rows);
    this.#model.inputs(rows, present); // a modality that the model does not know shows here
    return { rows, encode: (inputs) => this.#calls.track("encode", async () => this.#encode(rows, present, inputs)) };
  }

  async write(state: TrainState): Promise<void> {
    this.#calls.checkOpen("write");
    this.#state.write(state);
    this.#tensors.release();
  }

  async read(): Promise<TrainState> {
    this.#calls.checkOpen("read");
    return this.#state.read();
  }

  async update(
    gradient: Float32Array,
    rule: UpdateRule,
    buffers: Float32Array,
    commit?: () => Promise<void>,
  ): Promise<{ gradientNorm: number }> {
    this.#calls.checkOpen("update");
    const updated = await this.#state.update(gradient, rule, buffers, commit);
    this.#tensors.release();
    return updated;
  }

  close(): Promise<void> {
    return this.#calls.close(() => this.#release());
  }

  async #release(): Promise<void> {
    for (const training of this.#training.values()) training.release();
    this.#tensors.release();
    this.#memory.close();
  }

  #encode(rows: number, present: Present, inputs: Inputs) {
    return this.#binding.run(() => {
      let code = new Float32Array(0);
      const outputs: Record<string, Float32Array> = {};
      tf.tidy(() => {
        const { parameters, buffers } = this.#tensors.get();
        const x = inputTensors(this.#model.inputs(rows, present), inputs);
        const encoding = this.#model.encode(parameters, buffers, x, present);
        code = Float32Array.from(encoding.code.dataSync());
        for (const [name, tensor] of Object.entries(encoding.outputs ?? {})) {
          outputs[name] = Float32Array.from(tensor.dataSync());
        }
      });
      return { code, outputs };
    });
  }
}

function checkRows(what: string, rows: number): void {
  if (!Number.isSafeInteger(rows) || rows < 1)
    throw new RangeError(`${what}: rows is a number from 1, received ${rows}.`);
}
