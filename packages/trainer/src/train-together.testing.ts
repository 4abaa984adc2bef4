import type { Collective, Marker } from "@gmc/collectives";
import { compareMarkers, openLocalGroup } from "@gmc/collectives";
import { initialTrainState } from "@gmc/core";
import { expect, onTestFinished } from "vitest";
import { TrainingConfig } from "./config.ts";
import type { Faults } from "./linear-replica.testing.ts";
import { linearModel, linearReplica, linearSource } from "./linear-replica.testing.ts";
import type { StepGroup } from "./step-group.ts";
import { train } from "./train.ts";
import type { TrainOptions, TrainResult } from "./train-options.ts";

/** 4 shards; 3 steps an epoch, 2 epochs, each validated with 2 batches. */
const SHARDS = 4;
export const STEPS_PER_EPOCH = 3;
export const CONFIG = TrainingConfig.parse({
  batchSize: 8,
  shards: SHARDS,
  epochs: 2,
  optimizer: { learningRate: 0.05 },
  digestEverySteps: 2,
});
export const FIRST = initialTrainState(linearModel, 4);
const sourceOf = (samples: number, own?: readonly number[]) =>
  linearSource({ samples, batchSize: 8, shards: SHARDS, ...(own && { own }) });

export const optionsOf = (own?: readonly number[], faults?: Faults): TrainOptions => ({
  model: linearModel,
  replica: linearReplica(faults),
  source: sourceOf(25, own),
  validation: sourceOf(17, own),
  config: CONFIG,
  seed: 4,
  state: FIRST,
});

export type Shares = readonly (readonly number[])[];
export const TWO: Shares = [
  [0, 1],
  [2, 3],
];

export function openGroup(shares: Shares, wire: "fp32" | "bf16" = "fp32") {
  const group = openLocalGroup(shares, { wire, timeoutMs: 5000 });
  onTestFinished(() => group.close());
  return group;
}

/** What a coordinator's log holds, and what it would refuse. */
export class MemoryLog {
  readonly markers: Marker[] = [];
  /** The last one; null before the first. */
  get last(): Marker | null {
    return this.markers.at(-1) ?? null;
  }
  commit(marker: Marker): void {
    const order = compareMarkers(marker, this.last);
    if (order > 0) {
      const next = [
        { step: (this.last?.step ?? 0) + 1, phase: "trained" },
        { step: this.last?.step ?? 0, phase: "validated" },
      ];
      expect(next).toContainEqual(marker);
      this.markers.push(marker);
    }
  }
  group(collective: Collective): StepGroup {
    return { collective, commit: async (marker) => this.commit(marker) };
  }
}

interface Together {
  readonly log?: MemoryLog;
  readonly faults?: (rank: number) => Faults | undefined;
  readonly more?: (rank: number) => Partial<TrainOptions>;
  readonly change?: (group: StepGroup, rank: number) => StepGroup;
}

/** All members of one group, each in its own call; their results or errors, by rank. */
export async function trainTogether(
  shares: Shares,
  { log = new MemoryLog(), faults, more, change = (group) => group }: Together = {},
): Promise<readonly (TrainResult | Error)[]> {
  const { members, close } = openGroup(shares);
  return await Promise.all(
    members.map(async (collective, rank) => {
      try {
        const options = { ...optionsOf(shares[rank], faults?.(rank)), ...more?.(rank) };
        const result = await train({ ...options, group: change(log.group(collective), rank) });
        if (result.status === "interrupted") close();
        return result;
      } catch (error) {
        return error as Error;
      }
    }),
  );
}

export function expectResults(outcomes: readonly (TrainResult | Error)[]): readonly TrainResult[] {
  return outcomes.map((outcome) => {
    if (outcome instanceof Error) throw outcome;
    return outcome;
  });
}

export const alone = (): Promise<TrainResult> => train(optionsOf());

/** The same calls as an object of its own, some of which a test may replace. */
export const passedOn = (collective: Collective): Collective => ({
  rank: collective.rank,
  shardsOfWorkers: collective.shardsOfWorkers,
  wire: collective.wire,
  traffic: collective.traffic,
  gather: (...call) => collective.gather(...call),
  reduce: (...call) => collective.reduce(...call),
  broadcast: (...call) => collective.broadcast(...call),
  release: (...call) => collective.release(...call),
  close: () => collective.close(),
});
