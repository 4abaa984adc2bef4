/**
 * Names of a run's keys in Redis. All of them carry the run as hash tag, so that one script may touch several on a
 * cluster too; values carry their generation, so that a worker of an older one writes where nobody reads.
 */
export interface RunKeys {
  /** What all keys of the run begin with. */
  readonly prefix: string;
  /** Control: the open generation, the last commit. */
  readonly generation: string;
  readonly commit: string;
  /** Every server: the generation whose writes it takes, and the names of what has to go with the run. */
  readonly fence: string;
  readonly registry: string;
  /** Control: what the run ended with. */
  readonly result: string;
  lease(name: string): string;
  of(generation: string): GenerationKeys;
}

/** Names of one generation's keys on one server. */
export interface GenerationKeys {
  readonly prefix: string;
  value(name: string): string;
  /** The names of the values under one scope, and the ranks that need none of them any more. */
  values(scope: string): string;
  released(scope: string): string;
  /** Streams that name values as they come: to one rank, or to all. */
  door(rank: number | "all"): string;
  /** Where a rank's payload waits until the fence has let it through. */
  stage(rank: number, slot: number): string;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The names of a run's keys. @throws {RangeError} when the id has other characters than letters, digits, ".", "_" and "-" */
export function runKeys(run: string): RunKeys {
  const prefix = `gmc:{${checkedName("run", run)}}:`;
  return {
    prefix,
    generation: `${prefix}generation`,
    commit: `${prefix}commit`,
    fence: `${prefix}fence`,
    registry: `${prefix}registry`,
    result: `${prefix}result`,
    lease: (name) => `${prefix}lease:${name}`,
    of: (generation) => generationKeys(`${prefix}${checkedName("generation", generation)}:`),
  };
}

const generationKeys = (prefix: string): GenerationKeys => ({
  prefix,
  value: (name) => `${prefix}v:${name}`,
  values: (scope) => `${prefix}values:${scope}`,
  released: (scope) => `${prefix}released:${scope}`,
  door: (rank) => `${prefix}door:${rank}`,
  stage: (rank, slot) => `${prefix}stage:${rank}:${slot}`,
});

function checkedName(what: string, name: string): string {
  if (NAME.test(name)) return name;
  throw new RangeError(`The ${what} id ${JSON.stringify(name)} must be letters, digits, ".", "_" or "-", at most 128.`);
}
