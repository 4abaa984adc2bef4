import type { CellPlace } from "./sweep.ts";

/** The data of a sweep's parent in the queue: what it needs to put its children's results together. */
export interface SweepJobData {
  readonly name: string;
  /** The sweep's folder, as the workers see it. */
  readonly out: string;
  /** In the sweep's order; the child of each is the job `childId(sweep, index)`. */
  readonly cells: readonly CellPlace[];
  readonly best?: string;
}

/** Id of a cell's job. */
export const childId = (sweep: string, index: number): string => `${sweep}-${index}`;
