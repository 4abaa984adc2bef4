import type { Logger } from "@gmc/core";
import { silentLogger } from "@gmc/core";
import type { Program, TensorSpec } from "../onnx/emit.ts";
import { sumsAsAdds } from "../onnx/sums-as-adds.ts";
import { pipelineOf } from "../run-tasks.ts";
import { placeOf } from "./blocks.ts";
import type { CApiRunner, CApiSession } from "./c-api.ts";
import { openCApi } from "./c-api.ts";
import { checkDevice, explainDevice } from "./device-search.ts";
import type { DeviceMemory, DeviceTensor } from "./device-tensor.ts";
import { adjacentOutputs, PACKED, packingProgram } from "./packed-outputs.ts";
import { checkProbe, PROBE } from "./probe.ts";
import type { DeviceKind } from "./provider.ts";
import { PROVIDERS } from "./provider.ts";
import type { Binding, Pipeline, PipelineTask, Place, Runner, Session } from "./runner.ts";
import { deviceTurns } from "./turns.ts";

/**
 * Runs programs on a GPU, through onnxruntime's C API. Arrays of ours are copied to the device before a run and from it
 * after; what `Session.place` gives stays there. Runs take turns, and the event loop stays free meanwhile. Operations that
 * the device does not have are computed on the CPU, and logged.
 *
 * @param threads  of the CPU, for what the device cannot; 0 for all cores
 * @throws {EnvironmentError} when the device, its driver or the library is not to be had: names what was looked for
 */
export async function openDevice(kind: DeviceKind, threads: number, logger: Logger = silentLogger): Promise<Runner> {
  await checkDevice(kind);
  const provider = PROVIDERS[kind];
  const runner = await openCApi(threads, 1, provider);
  try {
    return await deviceTurns.take(async () => {
      const session = await runner.open(PROBE);
      await checkProbe(session, kind);
      return new DeviceRunner(kind, runner, {
        keeper: session,
        memory: session.deviceMemory(provider.memoryName),
        logger,
      });
    });
  } catch (error) {
    await runner.close();
    throw await explainDevice(kind, error);
  }
}

/** What keeps a device open. */
interface Opened {
  readonly keeper: CApiSession;
  readonly memory: DeviceMemory;
  readonly logger: Logger;
}

class DeviceRunner implements Runner {
  readonly name: string;
  readonly runsAtOnce = 1;
  readonly programsAtOnce = 1;
  readonly hasDeviceMemory = true;
  readonly #runner: CApiRunner;
  /** Keeps the device open and its memory to be had, whatever else is closed. */
  readonly #keeper: CApiSession;
  readonly #memory: DeviceMemory;
  readonly #logger: Logger;
  readonly #kind: DeviceKind;
  #closing: Promise<void> | undefined;

  constructor(kind: DeviceKind, runner: CApiRunner, { keeper, memory, logger }: Opened) {
    this.#kind = kind;
    this.#logger = logger;
    this.name = `${runner.name.slice(0, -1)}, ${kind})`; // "onnxruntime 1.30.0 (C API, webgpu)"
    this.#runner = runner;
    this.#keeper = keeper;
    this.#memory = memory;
  }

  async open(program: Program): Promise<Session> {
    if (this.#closing) throw new TypeError("The runner was closed.");
    const session = await deviceTurns.take(() => this.#runner.open(sumsAsAdds(program)));
    const operations = session.operationsOutside(PROVIDERS[this.#kind].provider);
    if (Object.keys(operations).length > 0) this.#logger.warn("engine.onCpu", { device: this.#kind, operations });
    return new DeviceSession(this.#runner, session, program, this.#memory);
  }

  pipeline(tasks: readonly PipelineTask[]): Pipeline {
    return pipelineOf(tasks, this.programsAtOnce);
  }

  close(): Promise<void> {
    this.#closing ??= deviceTurns.take(async () => {
      this.#memory.release();
      await this.#keeper.release();
      await this.#runner.close();
    });
    return this.#closing;
  }
}

class DeviceSession implements Session {
  readonly #runner: CApiRunner;
  readonly #session: CApiSession;
  readonly #program: Program;
  readonly #memory: DeviceMemory;
  readonly #places: DeviceTensor[] = [];
  /** Outputs on their way to arrays of ours; bindings share them, because runs take turns. */
  readonly #outgoing = new Map<string, DeviceTensor>();
  readonly #packers = new Map<string, CApiSession>();

  constructor(runner: CApiRunner, session: CApiSession, program: Program, memory: DeviceMemory) {
    this.#runner = runner;
    this.#session = session;
    this.#program = program;
    this.#memory = memory;
  }

  place(spec: TensorSpec): Place {
    const tensor = this.#memory.tensor(spec);
    this.#places.push(tensor);
    return tensor;
  }

  bind(blocks: ReadonlyMap<string, Place>): Binding {
    const { inputs, outputs } = this.#program;
    const own = new Map([...inputs, ...outputs].map((spec) => [spec.name, placeOf(blocks, spec)]));
    let open: readonly Binding[] = [];
    let released = false;
    return {
      run: () =>
        deviceTurns.take(async () => {
          if (released) throw new TypeError("The binding was released.");
          if (open.length === 0) open = await this.#bindNow(own); // device memory is taken within a turn
          for (const binding of open) await binding.run();
        }),
      release: () => {
        released = true;
        deviceTurns.take(() => {
          for (const binding of open) binding.release();
          open = [];
        });
      },
    };
  }

  release(): Promise<void> {
    return deviceTurns.take(async () => {
      for (const packer of this.#packers.values()) await packer.release();
      await this.#session.release();
      for (const tensor of [...this.#places, ...this.#outgoing.values()]) tensor.release();
      this.#packers.clear();
      this.#outgoing.clear();
      this.#places.length = 0;
    });
  }

  /** The program on these places, and after it what brings its outputs to arrays of ours, a vector a copy. */
  async #bindNow(blocks: ReadonlyMap<string, Place>): Promise<Binding[]> {
    const places = new Map(blocks);
    const packing: (() => Promise<Binding>)[] = [];
    for (const { tensors, whole } of adjacentOutputs(this.#program.outputs, blocks)) {
      const outgoing = new Map(tensors.map((spec) => [spec.name, this.#outgoingTensor(spec)]));
      for (const [name, tensor] of outgoing) places.set(name, tensor);
      packing.push(async () =>
        (await this.#packer(tensors)).bind(new Map<string, Place>([...outgoing, [PACKED, whole]])),
      );
    }
    const bindings: Binding[] = [this.#session.bind(places)];
    for (const bind of packing) bindings.push(await bind());
    return bindings;
  }

  #outgoingTensor(spec: TensorSpec): DeviceTensor {
    const known = this.#outgoing.get(spec.name) ?? this.#memory.tensor(spec);
    this.#outgoing.set(spec.name, known);
    return known;
  }

  async #packer(tensors: readonly TensorSpec[]): Promise<CApiSession> {
    const key = tensors.map(({ name }) => name).join("\n");
    const packer = this.#packers.get(key) ?? (await this.#runner.open(packingProgram(tensors)));
    this.#packers.set(key, packer);
    return packer;
  }
}
