import { gather, reduce } from "./exchange.ts";
import type { Costs } from "./machine.ts";
import { Machine } from "./machine.ts";

/** A training step of a group: one shard of `rows` a worker. */
export interface StepPlan {
  readonly workers: number;
  readonly servers: number;
  /** Parameters of the parts, in the order in which their gradients are ready. */
  readonly parts: readonly number[];
  /** ms of forward, and of backward, of one shard. */
  readonly forwardMs: number;
  readonly backwardMs: number;
  /** ms of Adam. */
  readonly updateMs: number;
  /** Rows of a shard, modalities beside the joint one, numbers of an embedding. */
  readonly rows: number;
  readonly modalities: number;
  readonly dim: number;
  readonly bytesPerValue: 2 | 4;
  readonly chunkBytes: number;
  readonly costs: Costs;
  /** All on one machine with so many cores; absent: a machine each. */
  readonly cores?: number;
}

export interface SimulatedStep {
  readonly stepMs: number;
  /** Of that, nothing was computed: what the group costs. */
  readonly waitMs: number;
  /** The busiest thing, and the share of the step during which it was. */
  readonly busiest: string;
  readonly share: number;
}

/** ms a multiply-add of the loss on one thread, both passes: 120 s for B = 16,384, M = 4, d = 64 (engine/docs). */
const LOSS_MS = 120_000 / (16_384 ** 2 * 4 * 64);

/** Forward, two gathers with the loss between them, backward with the parts' reductions beside it, losses, commit, update. */
export function simulateStep(plan: StepPlan): SimulatedStep {
  const { workers, rows, modalities, dim, costs } = plan;
  const machine = new Machine(costs, workers, plan.servers, plan.cores);
  const exchange = { machine, chunkBytes: plan.chunkBytes, bytesPerValue: plan.bytesPerValue };
  const { timeline } = machine;
  const lossMs = LOSS_MS * rows * rows * workers * modalities * dim;
  const compute = plan.forwardMs + lossMs + plan.backwardMs + plan.updateMs;
  const total = plan.parts.reduce((sum, part) => sum + part, 0);
  let stepMs = 0;

  const commit = (): void => {
    const roundTripMs = workers === 1 ? 0 : 2 * costs.latencyMs + 0.2;
    timeline.after(roundTripMs + plan.updateMs, () => {
      stepMs = timeline.nowMs;
    });
  };
  const backward = (): void => {
    let open = plan.parts.length + 1;
    const closed = (): void => {
      if (--open === 0) gather(exchange, "losses", 64, commit);
    };
    let readyMs = 0;
    for (const [i, length] of plan.parts.entries()) {
      readyMs += (plan.backwardMs * length) / total;
      timeline.after(readyMs, () => reduce(exchange, `part${i}`, length, closed));
    }
    timeline.after(plan.backwardMs, closed);
  };
  const normalisers = (): void => {
    timeline.after(lossMs / 2, () =>
      gather(exchange, "normalisers", 2 * rows * modalities, () => timeline.after(lossMs / 2, backward)),
    );
  };
  timeline.after(plan.forwardMs, () => gather(exchange, "z", (modalities + 1) * rows * dim, normalisers));
  timeline.run();
  return { stepMs, waitMs: stepMs - compute, ...busiest(machine, stepMs) };
}

function busiest({ workers, servers }: Machine, stepMs: number): { busiest: string; share: number } {
  const stations = [...workers, ...servers].flatMap((process) => [process.thread, process.out, process.in]);
  const top = stations.reduce((a, b) => (b.busyMs > a.busyMs ? b : a));
  return { busiest: top.name, share: top.busyMs / stepMs };
}
