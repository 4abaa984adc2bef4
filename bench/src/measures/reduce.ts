import type { AddInPlace } from "@gmc/collectives";
import type { Range } from "@gmc/core";
import { partRanges } from "@gmc/core";
import { openFlatMemory } from "@gmc/engine";
import { buildModel, ModelConfig } from "@gmc/models";
import { goldenMhd } from "@gmc/testkit";
import type { Seat } from "../redis-group.ts";
import { joinGroup } from "../redis-group.ts";

export interface ReduceArguments {
  readonly seat: Seat;
  readonly steps: number;
  readonly warmup: number;
}

export interface ReduceMeasure {
  /** ms of processor time of this worker, user and system, a step. */
  readonly cpuMs: number;
  /** 10^6 bytes of float32 reduced a step. */
  readonly megabytes: number;
}

/** Reduces a gradient of the paper's model, part by part, and nothing else. */
export async function measureReduce({ seat, steps, warmup }: ReduceArguments): Promise<ReduceMeasure> {
  const model = await buildModel(ModelConfig.parse({ preset: "mhd" }), goldenMhd.modalities);
  const parts = [...partRanges(model.parameters).values()];
  const length = parts.reduce((sum, { start, end }) => sum + end - start, 0);
  const memory = openFlatMemory(length, { spare: 1 }); // as a replica has it
  const own = { start: seat.rank, end: seat.rank + 1 };
  const gradient = memory.allocate();
  for (let i = 0; i < length; i++) gradient[i] = Math.sin(i + seat.rank) * 1e-3;
  const add: AddInPlace = (sum, term) => memory.add(sum, term);
  const { collective, close } = await joinGroup(seat);
  const step = async (name: string): Promise<void> => {
    const reduce = ({ start, end }: Range, part: number) =>
      collective.reduce(
        `${name}/${part}`,
        new Map([[own, gradient.subarray(start, end)]]),
        undefined,
        memory.gradient.subarray(start, end),
        add,
      );
    await Promise.all(parts.map(reduce));
    await collective.release(name);
  };
  for (let i = 0; i < warmup; i++) await step(`w${i}`);
  const before = process.cpuUsage();
  for (let i = 0; i < steps; i++) await step(`${i}`);
  const { user, system } = process.cpuUsage(before);
  await close();
  return { cpuMs: (user + system) / 1000 / steps, megabytes: (length * 4) / 1e6 };
}
