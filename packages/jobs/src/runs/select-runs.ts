import { UsageError } from "@gmc/core";
import type { StoredRun } from "./stored-run.ts";

/** One condition on runs. */
export interface RunFilter {
  readonly key: string;
  readonly relation: "=" | "!=" | "<" | "<=" | ">" | ">=";
  readonly value: string;
}

const CONDITION = /^([^=!<>]+?)\s*(=|!=|<=|>=|<|>)\s*(.*)$/s;

/** "training.batchSize=64", "accuracy.complete>=0.9", "status!=finished". @throws {UsageError} for anything else */
export function parseRunFilter(text: string): RunFilter {
  const [, key, relation, value] = CONDITION.exec(text) ?? [];
  if (key !== undefined && relation !== undefined && value !== undefined) {
    return { key: key.trim(), relation: relation as RunFilter["relation"], value };
  }
  throw new UsageError(
    `--filter ${text}: expected a key, one of = != < <= > >=, and a value, for instance training.batchSize=64.`,
  );
}

/**
 * The runs that meet all conditions, in the order of `sort` where it is given, smallest first; those that lack it come last.
 *
 * @throws {UsageError} when no run has a key
 */
export function selectRuns(
  runs: readonly StoredRun[],
  filters: readonly RunFilter[],
  { sort, descending = false }: { readonly sort?: string; readonly descending?: boolean } = {},
): StoredRun[] {
  for (const key of [...filters.map((filter) => filter.key), ...(sort === undefined ? [] : [sort])]) {
    if (runs.length > 0 && runs.every((run) => valueOfRun(run, key) === undefined)) throw unknownKey(key, runs);
  }
  const kept = runs.filter((run) => filters.every((filter) => meets(valueOfRun(run, filter.key), filter)));
  if (sort === undefined) return kept;
  const sign = descending ? -1 : 1;
  return kept
    .map((run) => ({ run, value: valueOfRun(run, sort) }))
    .sort((a, b) =>
      a.value === undefined || b.value === undefined
        ? Number(a.value === undefined) - Number(b.value === undefined)
        : sign * order(a.value, b.value),
    )
    .map(({ run }) => run);
}

/** A run's value by name: one of its facts ("status"), a metric ("accuracy.complete"), or a path of its config. */
export function valueOfRun(run: StoredRun, key: string): unknown {
  const facts = ["run", "name", "status", "startedAt", "steps", "dataSha256", "weightsSha256", "commit"] as const;
  const fact = facts.find((name) => name === key);
  if (fact !== undefined) return run[fact];
  if (Object.hasOwn(run.metrics, key)) return run.metrics[key];
  return key
    .split(".")
    .reduce<unknown>(
      (node, name) => (typeof node === "object" && node !== null ? Reflect.get(node, name) : undefined),
      run.config,
    );
}

function meets(found: unknown, { relation, value }: RunFilter): boolean {
  if (found === undefined) return relation === "!=";
  const wanted = typeof found === "number" ? Number(value) : value;
  const compared = order(typeof found === "number" ? found : textOf(found), wanted);
  switch (relation) {
    case "=":
      return compared === 0;
    case "!=":
      return compared !== 0;
    case "<":
      return compared < 0;
    case "<=":
      return compared <= 0;
    case ">":
      return compared > 0;
    case ">=":
      return compared >= 0;
    default:
      return relation satisfies never;
  }
}

/** Negative, 0 or positive; NaN compares to nothing. */
function order(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [textOf(a), textOf(b)];
  return left < right ? -1 : left === right ? 0 : 1;
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function unknownKey(key: string, runs: readonly StoredRun[]): UsageError {
  const metrics = [...new Set(runs.flatMap((run) => Object.keys(run.metrics)))];
  const known = ["name", "status", "steps", "commit", ...metrics];
  return new UsageError(
    `No run has ${key}; there are ${known.join(", ")} and every path of a config, such as training.batchSize.`,
    { key },
  );
}
