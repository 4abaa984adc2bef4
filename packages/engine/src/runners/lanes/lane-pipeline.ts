import type { Job } from "../../schedule.ts";
import { expectedEnds, urgencyOrder } from "../../schedule.ts";
import type { CApiBinding } from "../c-api-binding.ts";
import type { Pipeline } from "../runner.ts";
import type { LanePlan } from "./lane-data.ts";
import type { Lanes } from "./lanes.ts";

/** A binding's run on a lane. */
export interface LaneTask extends Job {
  readonly binding: CApiBinding;
}

/** Bindings that run on lanes: the most urgent first, and their ends told in the order in which they should come. */
export class LanePipeline implements Pipeline {
  readonly #lanes: Lanes;
  readonly #bindings: readonly CApiBinding[];
  readonly #plan: LanePlan;
  readonly #toldOrder: readonly number[];

  constructor(lanes: Lanes, tasks: readonly LaneTask[]) {
    const order = urgencyOrder(tasks);
    this.#lanes = lanes;
    this.#bindings = tasks.map(({ binding }) => binding);
    this.#toldOrder = expectedEnds(tasks, order, lanes.count);
    this.#plan = lanes.plan(
      tasks.map(({ binding, after }) => ({ call: binding.call(), after })),
      order,
    );
  }

  run(onDone?: (task: number) => void): Promise<void> {
    const run = () => this.#lanes.run(this.#plan, this.#toldOrder, onDone);
    return this.#bindings.reduce((inner, binding) => () => binding.use(inner), run)(); // all are in use, or none runs
  }

  release(): void {
    this.#lanes.forget(this.#plan);
  }
}
