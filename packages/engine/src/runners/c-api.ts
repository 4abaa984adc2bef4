import { availableParallelism } from "node:os";
import type { Program, TensorSpec } from "../onnx/emit.ts";
import { pipelineOf } from "../run-tasks.ts";
import { operationsOutside, RECORD_ASSIGNMENT } from "./assigned-nodes.ts";
import { allocateBlock } from "./blocks.ts";
import { CApiBinding } from "./c-api-binding.ts";
import { DeviceMemory } from "./device-tensor.ts";
import type { LaneTask } from "./lanes/lane-pipeline.ts";
import { LanePipeline } from "./lanes/lane-pipeline.ts";
import { Lanes } from "./lanes/lanes.ts";
import { check, create, settled } from "./ort-call.ts";
import type { OrtEnvironment } from "./ort-environment.ts";
import { acquireEnvironment, releaseEnvironment } from "./ort-environment.ts";
import type { OrtLibrary } from "./ort-library.ts";
import { loadOrtLibrary } from "./ort-library.ts";
import type { Provider } from "./provider.ts";
import type { Pipeline, PipelineTask, Place, Runner, Session } from "./runner.ts";

/**
 * Runs programs through onnxruntime's C API: inputs and outputs are read and written where they lie, and runs happen on
 * another thread, so that the event loop stays free.
 *
 * All runners of a process share one pool of threads. Its size is that of the first; one that asks for another number
 * while that is open gets pools of its own sessions. A run computes on the thread that makes it and on what of the pool
 * other runs leave it, so R runs at once take T threads of a pool of T - R + 1, the caller of one of them counted in
 * (docs/0004-replicas.md). Where that leaves a run its own thread only, programs that run alone get threads of their own:
 * they stop spinning when the run is over, those of a shared pool would go on beside what comes next.
 *
 * @param threads   that compute, all runs together; 0 for all cores
 * @param replicas  runs at once; each has a thread at least
 * @param provider  puts the sessions on a device; whoever gives one sees to its turns
 * @throws {EnvironmentError} when koffi or the native library does not load on this machine
 */
export async function openCApi(threads: number, replicas = 1, provider?: Provider): Promise<CApiRunner> {
  const library = await loadOrtLibrary();
  const count = threads || availableParallelism();
  const programs = replicas > 1 || count === 1 || provider ? 1 : PROGRAMS_AT_ONCE;
  const runs = Math.max(replicas, programs);
  const pool = Math.max(1, count - runs + 1);
  const settings = { pool, alone: pool > 1 ? pool : count, replicas, programs, provider };
  return new CApiRunner(library, acquireEnvironment(library.api, pool), settings);
}

const ENABLE_ALL_OPTIMIZATIONS = 99;

/**
 * Programs of one shard at a time, where there are threads for it: copies and small products gain nothing from more threads, two
 * programs side by side do (docs/0005-step-profile.md). In GMC the joint encoder weighs as much as all others.
 */
const PROGRAMS_AT_ONCE = 2;

/**
 * Estimated microseconds of a pipeline from which threads of our own are worth it: they take a third of a second to start, and what
 * takes less than this is over before the kernel has moved anything.
 */
const WORTH_LANES = 3000;

function laneTaskOf({ binding, ...place }: PipelineTask): LaneTask {
  if (binding instanceof CApiBinding) return { binding, ...place };
  throw new TypeError("The binding is another runner's.");
}

/** How a runner shares its threads. */
interface Settings {
  /** Threads of the pool that programs share. */
  readonly pool: number;
  /** Threads of a program that runs alone. */
  readonly alone: number;
  readonly replicas: number;
  readonly programs: number;
  readonly provider: Provider | undefined;
}

/** See `openCApi`. */
export class CApiRunner implements Runner {
  readonly name: string;
  readonly runsAtOnce: number;
  readonly programsAtOnce: number;
  readonly seamlessFrom: number;
  readonly #library: OrtLibrary;
  readonly #environment: OrtEnvironment;
  readonly #settings: Settings;
  /** Absent where programs run one at a time. */
  readonly #lanes: Lanes | undefined;
  #closing: Promise<void> | undefined;

  constructor(library: OrtLibrary, environment: OrtEnvironment, settings: Settings) {
    this.name = `onnxruntime ${library.version} (C API)`;
    this.runsAtOnce = settings.replicas;
    this.programsAtOnce = settings.programs;
    this.#library = library;
    this.#environment = environment;
    this.#settings = settings;
    const atOnce = Math.max(settings.replicas, settings.programs);
    this.#lanes = atOnce > 1 ? new Lanes(atOnce) : undefined;
    this.seamlessFrom = this.#lanes ? WORTH_LANES : Infinity;
  }

  async open(program: Program, alone = false): Promise<CApiSession> {
    if (this.#closing) throw new TypeError("The runner was closed.");
    const threads = alone ? this.#settings.alone : this.#settings.pool;
    return new CApiSession(this.#library, await this.#createSession(program, threads), program);
  }

  pipeline(tasks: readonly PipelineTask[]): Pipeline {
    const work = tasks.reduce((sum, task) => sum + task.work, 0);
    if (!this.#lanes || work < this.seamlessFrom) return pipelineOf(tasks, this.programsAtOnce);
    return new LanePipeline(this.#lanes, tasks.map(laneTaskOf));
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    await this.#lanes?.close();
    releaseEnvironment(this.#library.api, this.#environment);
  }

  /** A session on the shared pool where that has so many threads, else on threads of its own. */
  async #createSession(program: Program, threads: number): Promise<bigint> {
    const environment = this.#environment;
    if (environment.hasPool && environment.threads === threads) {
      try {
        return await this.#create(program);
      } catch (error) {
        // Another library (onnxruntime-node) made this process's environment before us, without a pool for all.
        if (!(error instanceof Error && error.message.includes("CreateEnvWithGlobalThreadPools"))) throw error;
        environment.hasPool = false;
      }
    }
    return this.#create(program, threads);
  }

  async #create({ bytes }: Program, ownThreads?: number): Promise<bigint> {
    const { api } = this.#library;
    const options = create(api, (out) => api.CreateSessionOptions(out));
    const out = new BigUint64Array(1);
    try {
      check(api, api.SetSessionGraphOptimizationLevel(options, ENABLE_ALL_OPTIMIZATIONS));
      if (ownThreads === undefined) check(api, api.DisablePerSessionThreads(options));
      else check(api, api.SetIntraOpNumThreads(options, ownThreads));
      // A pool's threads spin while they wait for work; without this they go on after a run and slow what follows.
      check(api, api.AddSessionConfigEntry(options, "session.force_spinning_stop", "1"));
      const { provider } = this.#settings;
      if (provider) {
        check(api, api.AddSessionConfigEntry(options, RECORD_ASSIGNMENT, "1"));
        provider.append(this.#library, options);
      }
      await settled(api, (done) =>
        api.CreateSessionFromArray.async(this.#environment.pointer, bytes, bytes.length, options, out, done),
      );
    } finally {
      api.ReleaseSessionOptions(options);
    }
    return out[0] ?? 0n;
  }
}

/** A session of the C API. */
export class CApiSession implements Session {
  readonly #library: OrtLibrary;
  readonly #program: Program;
  readonly #bindings = new Set<CApiBinding>();
  #pointer: bigint;

  constructor(library: OrtLibrary, pointer: bigint, program: Program) {
    this.#library = library;
    this.#pointer = pointer;
    this.#program = program;
  }

  bind(blocks: ReadonlyMap<string, Place>): CApiBinding {
    if (!this.#pointer) throw new TypeError("The session was released.");
    const made = new CApiBinding(this.#library, this.#pointer, this.#program, blocks, () =>
      this.#bindings.delete(made),
    );
    this.#bindings.add(made);
    return made;
  }

  place(spec: TensorSpec): Place {
    return allocateBlock(spec);
  }

  /** Memory of the session's device, for as long as the session is open. */
  deviceMemory(name: string): DeviceMemory {
    return new DeviceMemory(this.#library, this.#pointer, name);
  }

  /** What of a device's session the device does not compute. */
  operationsOutside(provider: string): Record<string, number> {
    return operationsOutside(this.#library, this.#pointer, provider);
  }

  async release(): Promise<void> {
    for (const binding of [...this.#bindings]) binding.release();
    const pointer = this.#pointer;
    this.#pointer = 0n;
    if (pointer) this.#library.api.ReleaseSession(pointer);
  }
}
