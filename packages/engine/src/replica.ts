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
  TrainState,
  UpdateRule,
} from "@gmc/core";
import { silentLogger, tensorLayout } from "@gmc/core";
import { CallsUnderWay } from "./calls-under-way.ts";
import type { EngineConfig } from "./config.ts";
import { isOnnxDevice, isTensorflowDevice } from "./config.ts";
import { DeviceState } from "./device-state.ts";
import { chooseDevice } from "./devices.ts";
import { EncodingGraph } from "./encoding-graph.ts";
import type { AdamStep } from "./flat-state.ts";
import { FlatState } from "./flat-state.ts";
import type { FlatMemory } from "./kernels/flat-memory.ts";
import { openFlatMemory } from "./kernels/flat-memory.ts";
import { LossThreads } from "./kernels/loss-threads.ts";
import { openRunner } from "./runners/open-runner.ts";
import type { Place, Runner } from "./runners/runner.ts";
import { stateBlocks } from "./state-blocks.ts";
import { openTensorflowReplica } from "./tensorflow/replica.ts";
import { TrainingGraph } from "./training-graph.ts";

/**
 * A copy of `model` that computes as `config` says. It starts at zeros: `write` a state first. Close it to free the
 * compiled graphs. `replicas: "auto"` is 1 here, where nobody knows the shards: give what `replicasFor` says.
 *
 * @throws {EnvironmentError} when the native library cannot be loaded, or the device is not to be had
 */
export async function openReplica(model: Model, config: EngineConfig, logger: Logger = silentLogger): Promise<Replica> {
  const { kind, device: wanted, threads } = config;
  if (kind === "tensorflow" && isTensorflowDevice(wanted)) {
    return openTensorflowReplica(model, { device: wanted, threads }, logger);
  }
  if (!isOnnxDevice(wanted)) throw new RangeError(`openReplica: ${kind} has no device ${wanted}.`); // the schema refuses it
  const replicas = config.replicas === "auto" ? 1 : config.replicas;
  const device = await chooseDevice(wanted, logger);
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
  readonly #state: FlatState;
  /** What every program may read, by its name there. */
  readonly #places: ReadonlyMap<string, Place>;
  readonly #training = new Map<number, Promise<TrainingGraph>>();
  readonly #encoding = new Map<string, Promise<EncodingGraph>>();
  readonly #calls = new CallsUnderWay();
  readonly #lossThreads: LossThreads | undefined;

  constructor(model: Model, { device, runner, memory, onDevice }: Parts, logger: Logger) {
    this.device = device;
    this.#model = model;
    this.#runner = runner;
    this.#lossThreads = runner.runsAtOnce > 1 ? new LossThreads(runner.runsAtOnce) : undefined;
    this.#logger = logger;
    this.#memory = memory;
    this.#onDevice = onDevice;
    const adam: AdamStep | undefined = onDevice && ((...step) => onDevice.adamStep(...step));
    this.#state = new FlatState(memory, tensorLayout(model.buffers).length, adam);
    this.#places = new Map<string, Place>([
      ...stateBlocks(model, memory.parameters, this.#state.buffers),
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
    this.#calls.checkOpen("compile");
    checkRows("compile", rows);
    const graph = await remember(this.#training, rows, () => this.#openTraining(rows));
    return {
      rows,
      forward: (shard, inputs) => this.#calls.track("forward", () => graph.forward(shard, inputs)),
      backward: (shard, cotangent, gradient, onPart) =>
        this.#calls.track("backward", () => graph.backward(shard, cotangent, gradient, onPart)),
    };
  }

  async encoder(rows: number, present: Present): Promise<Encoder> {
    this.#calls.checkOpen("encoder");
    checkRows("encoder", rows);
    const key = JSON.stringify([rows, ...present]);
    const graph = await remember(this.#encoding, key, () => this.#openEncoding(rows, present));
    return { rows, encode: (inputs) => this.#calls.track("encode", () => graph.encode(inputs)) };
  }

  async write(state: TrainState): Promise<void> {
    this.#calls.checkOpen("write");
    this.#state.write(state);
    await this.#onDevice?.load();
  }

  async read(): Promise<TrainState> {
    this.#calls.checkOpen("read");
    await this.#onDevice?.store();
    return this.#state.read();
  }

  async update(
    gradient: Float32Array,
    rule: UpdateRule,
    buffers: Float32Array,
    commit?: () => Promise<void>,
  ): Promise<{ gradientNorm: number }> {
    this.#calls.checkOpen("update");
    return this.#state.update(gradient, rule, buffers, commit);
  }

  close(): Promise<void> {
    return this.#calls.close(() => this.#release());
  }

  async #release(): Promise<void> {
    await this.#lossThreads?.close();
    const graphs = await Promise.allSettled([...this.#training.values(), ...this.#encoding.values()]);
    for (const graph of graphs) if (graph.status === "fulfilled") await graph.value.release();
    await this.#onDevice?.release();
    await this.#runner.close();
    this.#memory.close();
  }

  async #openTraining(rows: number): Promise<TrainingGraph> {
    const started = performance.now();
    const graph = await TrainingGraph.open(this.#model, rows, this.#runner, this.#places);
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
    const graph = await EncodingGraph.open(this.#model, rows, present, this.#runner, this.#places);
    const ms = Math.round(performance.now() - started);
    this.#logger.info("engine.compiled", { rows, present, runner: this.#runner.name, ms });
    return graph;
  }
}

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
