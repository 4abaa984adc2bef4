import type {
  CompiledModel,
  ComputeDevice,
  ContrastiveShape,
  ContrastiveSpec,
  Encoder,
  GradientBlocks,
  Logger,
  Model,
  Present,
  Replica,
  ThreadedLoss,
  TrainProgress,
  TrainState,
  UpdateRule,
} from "@gmc/core";
import { NonFiniteError, silentLogger, tensorLayout } from "@gmc/core";
import type { EngineConfig } from "./config.ts";
import { DeviceState } from "./device-state.ts";
import { chooseDevice } from "./devices.ts";
import { EncodingGraph } from "./encoding-graph.ts";
import type { FlatMemory } from "./kernels/flat-memory.ts";
import { openFlatMemory } from "./kernels/flat-memory.ts";
import { LossThreads } from "./kernels/loss-threads.ts";
import { openRunner } from "./runners/open-runner.ts";
import type { Place, Runner } from "./runners/runner.ts";
import { stateBlocks } from "./state-blocks.ts";
import { TrainingGraph } from "./training-graph.ts";

/**
 * A copy of `model` that computes as `config` says. It starts at zeros: `write` a state first. Close it to free the
 * compiled graphs. `replicas: "auto"` is 1 here, where nobody knows the shards: give what `replicasFor` says.
 *
 * @throws {EnvironmentError} when the native library cannot be loaded, or the device is not to be had
 */
export async function openReplica(model: Model, config: EngineConfig, logger: Logger = silentLogger): Promise<Replica> {
  const replicas = config.replicas === "auto" ? 1 : config.replicas;
  const device = await chooseDevice(config.device, logger);
  const runner = await openRunner(config.runner, { threads: config.threads, replicas, device: device.kind }, logger);
  try {
    const memory = openFlatMemory(tensorLayout(model.parameters).length, { spare: SPARE_GRADIENTS });
    const onDevice = runner.hasDeviceMemory ? await DeviceState.open(model, runner, memory) : undefined;
    return new OnnxReplica(model, { device, runner, memory, onDevice }, logger);
  } catch (error) {
    await runner.close(); // the model is too large for this machine
    throw error;
  }
}

/** Gradients beside the first that are added in WASM SIMD: log2 of the shards and one a replica are in use. */
const SPARE_GRADIENTS = 8;

/** What a replica is made of. */
interface Parts {
  readonly device: ComputeDevice;
  readonly runner: Runner;
  /** The state; where it lies on a device, what is on its way there or back. */
  readonly memory: FlatMemory;
  readonly onDevice: DeviceState | undefined;
}

class OnnxReplica implements Replica {
  readonly device: ComputeDevice;
  readonly #model: Model;
  readonly #runner: Runner;
  readonly #logger: Logger;
  readonly #memory: FlatMemory;
  readonly #onDevice: DeviceState | undefined;
  readonly #buffers: Float32Array;
  readonly #state: ReadonlyMap<string, Place>;
  readonly #training = new Map<number, Promise<TrainingGraph>>();
  readonly #encoding = new Map<string, Promise<EncodingGraph>>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #lossThreads: LossThreads | undefined;
  #step = 0;
  #beta1Power = 1;
  #beta2Power = 1;
  #progress: TrainProgress = { epochLossSum: 0, epochLosses: [], best: null };
  #closing: Promise<void> | undefined;

  constructor(model: Model, { device, runner, memory, onDevice }: Parts, logger: Logger) {
    this.device = device;
    this.#model = model;
    this.#runner = runner;
    this.#lossThreads = runner.runsAtOnce > 1 ? new LossThreads(runner.runsAtOnce) : undefined;
    this.#logger = logger;
    this.#memory = memory;
    this.#onDevice = onDevice;
    this.#buffers = new Float32Array(tensorLayout(model.buffers).length);
    this.#state = new Map<string, Place>([
      ...stateBlocks(model, memory.parameters, this.#buffers),
      ...(onDevice?.parameters ?? []),
    ]);
  }

  get shardsAtOnce(): number {
    return this.#runner.runsAtOnce;
  }

  get gradient(): Float32Array {
    return this.#memory.gradient;
  }

  get gradientBlocks(): GradientBlocks {
    return this.#memory;
  }

  contrastiveLoss(spec: ContrastiveSpec, shape: ContrastiveShape): ThreadedLoss | undefined {
    return this.#lossThreads?.open(spec, shape);
  }

  async compile(rows: number): Promise<CompiledModel> {
    this.#checkOpen("compile");
    checkRows("compile", rows);
    const graph = await remember(this.#training, rows, () => this.#openTraining(rows));
    return {
      rows,
      forward: (shard, inputs) => this.#track("forward", () => graph.forward(shard, inputs)),
      backward: (shard, cotangent, gradient, onPart) =>
        this.#track("backward", () => graph.backward(shard, cotangent, gradient, onPart)),
    };
  }

  async encoder(rows: number, present: Present): Promise<Encoder> {
    this.#checkOpen("encoder");
    checkRows("encoder", rows);
    const key = JSON.stringify([rows, ...present]);
    const graph = await remember(this.#encoding, key, () => this.#openEncoding(rows, present));
    return { rows, encode: (inputs) => this.#track("encode", () => graph.encode(inputs)) };
  }

  async write(state: TrainState): Promise<void> {
    this.#checkOpen("write");
    const memory = this.#memory;
    setAll("write: parameters", memory.parameters, state.parameters);
    setAll("write: firstMoment", memory.firstMoment, state.firstMoment);
    setAll("write: secondMoment", memory.secondMoment, state.secondMoment);
    setAll("write: buffers", this.#buffers, state.buffers);
    this.#step = state.step;
    this.#beta1Power = state.beta1Power;
    this.#beta2Power = state.beta2Power;
    this.#progress = state.progress;
    await this.#onDevice?.load();
  }

  async read(): Promise<TrainState> {
    this.#checkOpen("read");
    await this.#onDevice?.store();
    const { parameters, firstMoment, secondMoment } = this.#memory;
    return {
      step: this.#step,
      parameters: Float32Array.from(parameters),
      firstMoment: Float32Array.from(firstMoment),
      secondMoment: Float32Array.from(secondMoment),
      buffers: this.#buffers.slice(),
      beta1Power: this.#beta1Power,
      beta2Power: this.#beta2Power,
      progress: this.#progress,
    };
  }

  async update(gradient: Float32Array, rule: UpdateRule, buffers: Float32Array): Promise<{ gradientNorm: number }> {
    this.#checkOpen("update");
    checkLength("update: buffers", this.#buffers, buffers);
    setAll("update: gradient", this.#memory.gradient, gradient);
    const gradientNorm = this.#memory.gradientNorm();
    if (!Number.isFinite(gradientNorm)) throw refuseGradient(this.#step + 1, gradientNorm);
    const clipped = rule.maxNorm !== undefined && gradientNorm > rule.maxNorm;
    const scale = clipped ? (rule.maxNorm ?? 1) / gradientNorm : 1;
    const powers = { beta1Power: this.#beta1Power * rule.beta1, beta2Power: this.#beta2Power * rule.beta2 };
    if (this.#onDevice) await this.#onDevice.adamStep(rule, powers, scale);
    else this.#memory.adamStep(rule, powers, scale);
    this.#buffers.set(buffers);
    this.#beta1Power = powers.beta1Power;
    this.#beta2Power = powers.beta2Power;
    this.#step++;
    return { gradientNorm };
  }

  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  async #release(): Promise<void> {
    await Promise.allSettled(this.#running);
    await this.#lossThreads?.close();
    const graphs = await Promise.allSettled([...this.#training.values(), ...this.#encoding.values()]);
    for (const graph of graphs) if (graph.status === "fulfilled") await graph.value.release();
    await this.#onDevice?.release();
    await this.#runner.close();
    this.#memory.close();
  }

  async #openTraining(rows: number): Promise<TrainingGraph> {
    const started = performance.now();
    const graph = await TrainingGraph.open(this.#model, rows, this.#runner, this.#state);
    const { forward, backward } = graph.program;
    this.#logger.info("engine.compiled", {
      rows,
      runner: this.#runner.name,
      shardsAtOnce: this.#runner.runsAtOnce,
      forward: forward.map(({ program }) => program.operations),
      backward: backward.map(({ program }) => program.operations),
      ms: Math.round(performance.now() - started),
    });
    return graph;
  }

  async #openEncoding(rows: number, present: Present): Promise<EncodingGraph> {
    const started = performance.now();
    const graph = await EncodingGraph.open(this.#model, rows, present, this.#runner, this.#state);
    const ms = Math.round(performance.now() - started);
    this.#logger.info("engine.compiled", { rows, present, runner: this.#runner.name, ms });
    return graph;
  }

  /** Runs `work`; `close` waits for it. */
  async #track<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.#checkOpen(what);
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  #checkOpen(what: string): void {
    if (this.#closing) throw new TypeError(`Replica: ${what} was called after close().`);
  }
}

const refuseGradient = (step: number, gradientNorm: number): NonFiniteError =>
  new NonFiniteError(`Step ${step}: the gradient's norm is ${gradientNorm}; the step was not committed.`, {
    step,
    what: "gradient",
    value: String(gradientNorm),
  });

/** The value for `key`, made once; a failure is not remembered. */
function remember<K, V>(cache: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  const known = cache.get(key);
  if (known) return known;
  const made = make();
  cache.set(key, made);
  made.catch(() => cache.delete(key));
  return made;
}

function checkRows(what: string, rows: number): void {
  if (!Number.isSafeInteger(rows) || rows < 1)
    throw new RangeError(`${what}: rows is a number from 1, received ${rows}.`);
}

function setAll(what: string, target: Float32Array, source: Float32Array): void {
  checkLength(what, target, source);
  if (source !== target) target.set(source);
}

function checkLength(what: string, expected: Float32Array, received: Float32Array): void {
  if (received.length !== expected.length) {
    throw new TypeError(`${what}: expected ${expected.length} elements, received ${received.length}.`);
  }
}
