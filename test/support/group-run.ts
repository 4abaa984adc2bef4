import type { Collective } from "@gmc/collectives";
import type { Inputs, Model, Replica, TrainState } from "@gmc/core";
import { initialTrainState, weightsSha256 } from "@gmc/core";
import { memoryBatches } from "@gmc/data";
import { EngineConfig, openReplica } from "@gmc/engine";
import { randomInputs } from "@gmc/testkit";
import type { StepGroup, TrainOptions, TrainResult } from "@gmc/trainer";
import { TrainingConfig, train } from "@gmc/trainer";

/** A short run whose bits are compared: how it is cut, and what is trained. */
export interface GroupRun {
  readonly model: Model;
  /** B and V */
  readonly batchSize: number;
  readonly shards: number;
  readonly wire: "fp32" | "bf16";
  /** Of the section `training`. */
  readonly training?: object;
  readonly samples?: number;
  readonly validationSamples?: number;
}

const SEED = 9;

/** What every member of a run's groups trains with, but for its replica, its group and where it begins. */
export function memberOptions(
  run: GroupRun,
  own: readonly number[] | undefined,
): Pick<TrainOptions, "model" | "source" | "config" | "seed" | "wire" | "validation"> {
  const { model, batchSize, shards, wire, samples = 4 * batchSize + 3, validationSamples = 0 } = run;
  const config = TrainingConfig.parse({ batchSize, shards, epochs: 2, ...run.training });
  const inputs = model.inputs(batchSize / shards, "train");
  const common = { inputs, batchSize, shards, seed: SEED, ...(own && { own }) };
  const source = (count: number, seed: number, lastBatch = config.lastBatch) =>
    memoryBatches({ ...common, lastBatch, samples: count, values: sampleValues(model, count, seed) });
  return {
    model,
    config,
    seed: SEED,
    wire,
    source: source(samples, 5),
    ...(validationSamples > 0 && { validation: source(validationSamples, 6, "drop") }),
  };
}

/** Values for every modality and target of so many samples. */
function sampleValues(model: Model, samples: number, seed: number): Inputs {
  const stored = model
    .inputs(samples, "train")
    .filter(({ source }) => source.kind === "modality" || source.kind === "target");
  return randomInputs(stored, seed);
}

export const firstState = (model: Model): TrainState => initialTrainState(model, SEED);

export const openTestReplica = (model: Model, engine: object = {}): Promise<Replica> =>
  openReplica(model, EngineConfig.parse({ threads: 1, ...engine }));

/** A group that commits nothing anywhere: enough where nobody dies. */
export const uncommitted = (collective: Collective): StepGroup => ({ collective, commit: async () => {} });

/** Trains all members of one group in this process, each on a replica of its own; their results, by rank. */
export async function trainMembers(
  run: GroupRun,
  members: readonly Collective[],
  { watch = (replica) => replica, engine = {}, ...more }: MemberExtras = {},
): Promise<readonly TrainResult[]> {
  return await Promise.all(
    members.map(async (collective) => {
      const own = collective.shardsOfWorkers[collective.rank];
      const replica = await openTestReplica(run.model, engine);
      try {
        const options = { ...memberOptions(run, own), state: firstState(run.model), ...more };
        return await train({ ...options, replica: watch(replica), group: uncommitted(collective) });
      } finally {
        await replica.close();
      }
    }),
  );
}

export interface MemberExtras extends Partial<Pick<TrainOptions, "onStep" | "signal">> {
  readonly watch?: (replica: Replica) => Replica;
  readonly engine?: object;
}

/** The same run in one process alone. */
export async function trainAlone(run: GroupRun, engine: object = {}): Promise<TrainResult> {
  const replica = await openTestReplica(run.model, engine);
  try {
    return await train({ ...memberOptions(run, undefined), state: firstState(run.model), replica });
  } finally {
    await replica.close();
  }
}

export const sha256Of = (model: Model, { state }: Pick<TrainResult, "state">): string => weightsSha256(model, state);

/** A replica whose backward tells of no part before the end: nothing is reduced beside it. */
export const withoutParts = (replica: Replica): Replica =>
  changed(replica, {
    compile: async (rows) => {
      const compiled = await replica.compile(rows);
      return {
        rows,
        forward: (...call) => compiled.forward(...call),
        backward: (shard, cotangent, gradient) => compiled.backward(shard, cotangent, gradient),
      };
    },
  });

/** A replica or collective with some of its methods replaced; a class's methods and getters stay its own. */
export const changed = <T extends object>(original: T, methods: Partial<T>): T =>
  new Proxy(original, {
    get(target, name) {
      const own: unknown = Reflect.get(methods, name);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
