import type { Chunk } from "../../src/chunk-plan.ts";
import { chunkPlan, hashOf } from "../../src/chunk-plan.ts";
import type { Machine } from "./machine.ts";

/** Chunks that a worker reads at a time; `READ_WINDOW` of the redis implementation. */
const WINDOW = 16;
const MB = 1e6;

/** What the simulated calls share. */
export interface Exchange {
  readonly machine: Machine;
  readonly chunkBytes: number;
  readonly bytesPerValue: 2 | 4;
}

/** One `Collective.reduce` of all workers, each with one subtree: the real plan of chunks, owners and servers. */
export function reduce(
  { machine, chunkBytes, bytesPerValue }: Exchange,
  tag: string,
  length: number,
  done: () => void,
): void {
  const ranks = machine.workers.length;
  const plan = chunkPlan(tag, length, chunkBytes / bytesPerValue, ranks === 2 ? 1 : ranks, machine.servers.length);
  const { addMsPerMb } = machine.costs;
  if (ranks === 1) {
    done();
    return;
  }
  if (ranks === 2) {
    bothSum(machine, plan, bytesPerValue, done);
    return;
  }
  let left = plan.length * (ranks - 1);
  const taken = (): void => {
    if (--left === 0) done();
  };
  const sums = windows(ranks);
  for (const { owner, server, count } of plan) {
    const mb = (count * bytesPerValue) / MB;
    let parts = ranks - 1;
    const summed = (): void => {
      machine.write(owner, server, mb, () => {
        for (let rank = 0; rank < ranks; rank++) {
          if (rank !== owner)
            sums(rank, (next) =>
              machine.read(rank, server, mb, 0, () => {
                next();
                taken();
              }),
            );
        }
      });
    };
    for (let rank = 0; rank < ranks; rank++) {
      if (rank === owner) continue;
      machine.write(rank, server, mb, () => {
        machine.read(owner, server, mb, mb * addMsPerMb, () => {
          if (--parts === 0) summed();
        });
      });
    }
  }
}

/** Two workers give each other their parts, and both add up. */
function bothSum(machine: Machine, plan: readonly Chunk[], bytesPerValue: number, done: () => void): void {
  let left = 2 * plan.length;
  for (const { server, count } of plan) {
    const mb = (count * bytesPerValue) / MB;
    for (const rank of [0, 1]) {
      machine.write(rank, server, mb, () => {
        machine.read(1 - rank, server, mb, mb * machine.costs.addMsPerMb, () => {
          if (--left === 0) done();
        });
      });
    }
  }
}

/** One `Collective.gather` of all workers, each with one shard's block of `length` float32. */
export function gather({ machine }: Exchange, tag: string, length: number, done: () => void): void {
  const ranks = machine.workers.length;
  if (ranks === 1 || length === 0) {
    done();
    return;
  }
  const mb = (length * 4) / MB;
  let left = ranks * (ranks - 1);
  const reads = windows(ranks);
  for (let writer = 0; writer < ranks; writer++) {
    const server = (hashOf(tag) + writer) % machine.servers.length;
    machine.write(writer, server, mb, () => {
      for (let rank = 0; rank < ranks; rank++) {
        if (rank === writer) continue;
        reads(rank, (next) =>
          machine.read(rank, server, mb, 0, () => {
            next();
            if (--left === 0) done();
          }),
        );
      }
    });
  }
}

/** Lets every rank have `WINDOW` works under way; the others wait their turn. */
function windows(ranks: number): (rank: number, work: (next: () => void) => void) => void {
  const states = Array.from({ length: ranks }, () => ({ running: 0, waiting: [] as ((next: () => void) => void)[] }));
  return (rank, work) => {
    const state = states[rank];
    if (!state) throw new RangeError(`No rank ${rank}`);
    const begin = (next: (next: () => void) => void): void => {
      state.running++;
      next(() => {
        state.running--;
        const waiting = state.waiting.shift();
        if (waiting) begin(waiting);
      });
    };
    if (state.running < WINDOW) begin(work);
    else state.waiting.push(work);
  };
}
