import type { Peer } from "../peer.ts";
import type { BenchmarkResult } from "../result.ts";

/** What a benchmark needs to know of the run it is part of. */
export interface BenchmarkContext {
  readonly quick: boolean;
  /** Undefined where there is none to compare with. */
  readonly peer: Peer | undefined;
  readonly cores: number;
  /** Of every comparison. */
  readonly rounds: number;
  /** Fields of the engine's configuration. */
  readonly engine: Readonly<Record<string, unknown>>;
  /** Its share of the time ends there; milliseconds of `performance.now()`. */
  readonly untilMs: number;
  /** The whole run's time is over: what is under way ends without a result. */
  readonly signal: AbortSignal;
  /** A line about how it goes. */
  readonly say: (line: string) => void;
}

/** Its results; fewer, with a line that says why, when the time did not suffice or the machine cannot do it. */
export type Benchmark = (context: BenchmarkContext) => Promise<readonly BenchmarkResult[]>;
