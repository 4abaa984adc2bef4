import type { Program } from "../onnx/emit.ts";

/** Elements of one tensor of a program; `bool` as 0 and 1. Only the elements change, never the array. */
export type Block = Float32Array | Int32Array | Uint8Array;

/** Something that runs programs. */
export interface Runner {
  /** For logs: which library, which version. */
  readonly name: string;
  /** Prepares a program; takes up to seconds. @throws {EnvironmentError} when the library cannot be loaded */
  open(program: Program): Promise<Session>;
  /** Frees what the runner shares among its sessions; release those first. */
  close(): void;
}

/** A program that is ready to run. */
export interface Session {
  /**
   * Ties every input and output to an array that holds its elements. The arrays stay referenced until `release`; a run
   * reads and writes them in place, so their memory must not move or grow.
   *
   * @param blocks  by name; more than the program needs may be given
   * @throws {TypeError} when one is missing or its type or length is wrong
   */
  bind(blocks: ReadonlyMap<string, Block>): Binding;
  /** Frees the program and its bindings; nothing may be running. */
  release(): Promise<void>;
}

/** One set of arrays to run on. */
export interface Binding {
  /** Settles when all outputs are written. Runs of different bindings may overlap, runs of one may not. */
  run(): Promise<void>;
  release(): void;
}
