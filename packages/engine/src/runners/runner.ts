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
   * Prepares a program; takes up to seconds.
   *
   * @param alone  nothing runs beside it: all threads are its own
   * @throws {EnvironmentError} when the library cannot be loaded
   */
  open(program: Program, alone?: boolean): Promise<Session>;
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
