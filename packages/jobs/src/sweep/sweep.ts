import type { Judgement, RunConfig } from "@gmc/experiment";

/** One value of each of the grid's paths, in the grid's order. */
export type GridPoint = Readonly<Record<string, unknown>>;

/** One run of a sweep: what tells it apart from the others. */
export interface CellPlace {
  /** Of the run's folder, below the sweep's. */
  readonly name: string;
  readonly point: GridPoint;
  readonly seed: number;
}

export interface SweepCell extends CellPlace {
  readonly config: RunConfig;
}

/** Runs to train and what to find out about them: a function of the sweep's file, its base and the flags. */
export interface Sweep {
  readonly name: string;
  /** Points in the grid's order, the last path changing fastest; for each point the seeds. */
  readonly cells: readonly SweepCell[];
  readonly evaluate: readonly Judgement[];
  /** Absent: decided by what there is. */
  readonly best?: string;
}
