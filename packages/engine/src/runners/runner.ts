import type { Program, TensorSpec } from "../onnx/emit.ts";

/** Elements of one tensor of a program; `bool` as 0 and 1. Only the elements change, never the array. */
export type Block = Float32Array | Int32Array | Uint8Array;

/** A tensor in the memory of a runner's device: its programs read and write it, nobody else. */
export interface DeviceBlock {
  readonly tensor: TensorSpec;
}

/** Where a tensor's elements lie. */
export type Place = Block | DeviceBlock;

/** Something that runs programs. */
export interface Runner {
  /** For logs: which library, which version, which device. */
  readonly name: string;
  /** True where `Session.place` gives memory of a device; then state that lies there is not copied to every run. */
  readonly hasDeviceMemory?: boolean;
  /** Shards whose programs it computes at the same time; more of them wait for each other. */
  readonly runsAtOnce: number;
  /** Programs of one shard that it computes at the same time, each on its share of the threads. */
  readonly programsAtOnce: number;
  /**
   * Estimated microseconds of a pipeline from which its programs follow each other without the event loop between them. Absent: they
   * never do.
   */
  readonly seamlessFrom?: number;
  /**
   * Prepares a program; takes up to seconds.
   *
   * @param alone  nothing runs beside it: all threads are its own
   * @throws {EnvironmentError} when the library cannot be loaded
   */
  open(program: Program, alone?: boolean): Promise<Session>;
  /** Ties bindings of this runner together, to run as they depend on each other. */
  pipeline(tasks: readonly PipelineTask[]): Pipeline;
  /** Frees what the runner shares among its sessions; release those first. */
  close(): void | Promise<void>;
}

/** A program that is ready to run. */
export interface Session {
  /**
   * Ties every input and output to the place that holds its elements. Arrays stay referenced until `release`; a run
   * reads and writes them in place, so their memory must not move or grow.
   *
   * @param blocks  by name; more than the program needs may be given
   * @throws {TypeError} when one is missing or its type or length is wrong
   */
  bind(blocks: ReadonlyMap<string, Place>): Binding;
  /** Room for a tensor that only programs of this runner write and read; the session's, until it is released. */
  place(spec: TensorSpec): Place;
  /** Frees the program, its bindings and places; nothing may be running. */
  release(): Promise<void>;
}

/** One set of arrays to run on. */
export interface Binding {
  /** Settles when all outputs are written. Runs of different bindings may overlap, runs of one may not. */
  run(): Promise<void>;
  release(): void;
}

/** A binding's run among others. */
export interface PipelineTask {
  readonly binding: Binding;
  /** Numbers of the tasks that come before it; smaller than its own. */
  readonly after: readonly number[];
  /** `work` of its program. */
  readonly work: number;
}

/** Bindings that run together, `programsAtOnce` of them at the same time. */
export interface Pipeline {
  /**
   * Settles when all have run.
   *
   * @param onDone  called with every task's number, in an order that is the same at every run, each as soon as its task and those
   *   before it in that order are done
   * @throws an error of one; no other is running then
   */
  run(onDone?: (task: number) => void): Promise<void>;
  /** Lets go of the bindings, which are the caller's to release. */
  release(): void;
}
