import { availableParallelism } from "node:os";
import type { Program, TensorSpec } from "../onnx/emit.ts";
import { operationsOutside, RECORD_ASSIGNMENT } from "./assigned-nodes.ts";
import { allocateBlock } from "./blocks.ts";
import { CApiBinding } from "./c-api-binding.ts";
import { DeviceMemory } from "./device-tensor.ts";
import { check, create } from "./ort-call.ts";
import type { OrtEnvironment } from "./ort-environment.ts";
import { acquireEnvironment, releaseEnvironment } from "./ort-environment.ts";
import type { OrtLibrary, Pointer } from "./ort-library.ts";
import { loadOrtLibrary } from "./ort-library.ts";
import type { Provider } from "./provider.ts";
import type { Binding, Place, Runner, Session } from "./runner.ts";

/**
 * Runs programs through onnxruntime's C API: inputs and outputs are read and written where they lie, and runs happen on
 * another thread, so that the event loop stays free.
 *
 * All runners of a process share one pool of threads. Its size is that of the first; one that asks for another number
 * while that is open gets pools of its own sessions. A run computes on the thread that makes it and on what of the pool
 * other runs leave it, so R runs at once take T threads of a pool of T - R + 1, the caller of one of them counted in
 * (docs/0004-replicas.md).
 *
 * @param threads   that compute, all runs together; 0 for all cores
 * @param replicas  runs at once; each has a thread at least
 * @param provider  puts the sessions on a device; whoever gives one sees to its turns
 * @throws {EnvironmentError} when koffi or the native library does not load on this machine
 */
export async function openCApi(threads: number, replicas = 1, provider?: Provider): Promise<CApiRunner> {
  const library = await loadOrtLibrary();
  const pool = Math.max(1, (threads || availableParallelism()) - replicas + 1);
  return new CApiRunner(library, acquireEnvironment(library.api, pool), pool, replicas, provider);
}

const ENABLE_ALL_OPTIMIZATIONS = 99;

/** See `openCApi`. */
export class CApiRunner implements Runner {
  readonly name: string;
  readonly runsAtOnce: number;
  readonly #library: OrtLibrary;
  readonly #environment: OrtEnvironment;
  readonly #threads: number;
  readonly #provider: Provider | undefined;
  #closed = false;

  constructor(
    library: OrtLibrary,
    environment: OrtEnvironment,
    threads: number,
    runsAtOnce: number,
    provider?: Provider,
  ) {
    this.name = `onnxruntime ${library.version} (C API)`;
    this.runsAtOnce = runsAtOnce;
    this.#library = library;
    this.#environment = environment;
    this.#threads = threads;
    this.#provider = provider;
  }

  async open(program: Program): Promise<CApiSession> {
    if (this.#closed) throw new TypeError("The runner was closed.");
    const environment = this.#environment;
    if (environment.hasPool && environment.threads === this.#threads) {
      try {
        return new CApiSession(this.#library, await this.#createSession(program, true), program);
      } catch (error) {
        // Another library (onnxruntime-node) made this process's environment before us, without a pool for all.
        if (!(error instanceof Error && error.message.includes("CreateEnvWithGlobalThreadPools"))) throw error;
        environment.hasPool = false;
      }
    }
    return new CApiSession(this.#library, await this.#createSession(program, false), program);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    releaseEnvironment(this.#library.api, this.#environment);
  }

  async #createSession({ bytes }: Program, sharePool: boolean): Promise<bigint> {
    const { api } = this.#library;
    const options = create(api, (out) => api.CreateSessionOptions(out));
    const out = new BigUint64Array(1);
    try {
      check(api, api.SetSessionGraphOptimizationLevel(options, ENABLE_ALL_OPTIMIZATIONS));
      if (sharePool) check(api, api.DisablePerSessionThreads(options));
      else check(api, api.SetIntraOpNumThreads(options, this.#threads));
      // A pool's threads spin while they wait for work; without this they go on after a run and slow what follows.
      check(api, api.AddSessionConfigEntry(options, "session.force_spinning_stop", "1"));
      if (this.#provider) {
        check(api, api.AddSessionConfigEntry(options, RECORD_ASSIGNMENT, "1"));
        this.#provider.append(this.#library, options);
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

  bind(blocks: ReadonlyMap<string, Place>): Binding {
    if (!this.#pointer) throw new TypeError("The session was released.");
    const binding = new CApiBinding(this.#library, this.#program, blocks);
    this.#bindings.add(binding);
    return {
      run: () => this.#run(binding),
      release: () => {
        this.#bindings.delete(binding);
        binding.release();
      },
    };
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
    for (const binding of this.#bindings) binding.release();
    this.#bindings.clear();
    const pointer = this.#pointer;
    this.#pointer = 0n;
    if (pointer) this.#library.api.ReleaseSession(pointer);
  }

  #run(binding: CApiBinding): Promise<void> {
    const { api } = this.#library;
    return binding.use(({ inputNames, inputs, outputNames, outputs }) =>
      settled(api, (done) =>
        api.Run.async(
          this.#pointer,
          null,
          inputNames,
          inputs,
          inputs.length,
          outputNames,
          outputs.length,
          outputs,
          done,
        ),
      ),
    );
  }
}

/** Settles when an asynchronous call has come back, as its status says. */
const settled = (
  api: OrtLibrary["api"],
  start: (done: (error: Error | null, status: Pointer) => void) => void,
): Promise<void> =>
  new Promise((resolve, reject) => {
    start((error, status) => {
      try {
        if (error) throw error;
        check(api, status);
        resolve();
      } catch (failure) {
        reject(failure);
      }
    });
  });
