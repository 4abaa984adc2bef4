import { CheckpointError, canonicalJson } from "@gmc/core";

/** What the bits of a run depend on beside its state. */
export interface RunIdentity {
  /** The run's configuration as plain data, or the part of it that matters. */
  readonly config: unknown;
  /** Of the data set. */
  readonly dataSha256: string;
}

/**
 * Values of a run's configuration that a resume may change, with everything below them: where the data lies, how the
 * work is shared out, what is logged and kept, and what happens after training. Beside them `training.epochs` may grow
 * where the learning rate does not depend on it.
 */
export const RESUME_MAY_CHANGE: readonly string[] = [
  "name",
  "data.path",
  "data.testSplit",
  "data.threads",
  "data.prefetch",
  "engine.threads",
  "engine.replicas",
  "evaluation",
  "training.checkpoint",
  "training.digestEverySteps",
  "training.metrics",
  "cluster.allowMixed",
  "cluster.chunkKiB",
  "cluster.timeoutMs",
];

/** What a run that was saved before a setting existed was made with. */
const BEFORE: Readonly<Record<string, unknown>> = { "cluster.wire": "fp32" };

/**
 * Refuses to go on with another run's state.
 *
 * @throws {CheckpointError} that names everything that differs; `details.differing` lists it
 */
export function checkSameRun(saved: RunIdentity, current: RunIdentity): void {
  const paths = differingPaths(saved.config, current.config).filter((path) => !mayChange(path, saved, current));
  const differences = paths.map(
    (path) => `${path} was ${text(valueAt(saved.config, path))}, is ${text(valueAt(current.config, path))}`,
  );
  if (saved.dataSha256 !== current.dataSha256) {
    paths.push("data");
    differences.push(`the data set's sha256 was ${saved.dataSha256}, is ${current.dataSha256}`);
  }
  if (paths.length === 0) return;
  throw new CheckpointError(
    `The checkpoint belongs to another run: ${differences.join("; ")}. Resume without these changes, or start a new run.`,
    { differing: paths },
  );
}

/** Dotted paths of the leaves in which two plain trees differ; a list is one leaf. */
export function differingPaths(a: unknown, b: unknown, prefix = ""): string[] {
  const [before, after] = [a ?? (isSection(b) ? {} : a), b ?? (isSection(a) ? {} : b)]; // an absent section is an empty one
  if (!isSection(before) || !isSection(after)) return canonicalJson([a]) === canonicalJson([b]) ? [] : [prefix];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => differingPaths(before[key], after[key], prefix === "" ? key : `${prefix}.${key}`));
}

function mayChange(path: string, saved: RunIdentity, current: RunIdentity): boolean {
  const value = valueAt(saved.config, path) ?? BEFORE[path];
  if (value !== undefined && value === valueAt(current.config, path)) return true;
  if (path === "training.epochs") {
    const [before, now] = [valueAt(saved.config, path), valueAt(current.config, path)];
    const constant = valueAt(saved.config, "training.schedule.kind") === "constant";
    return constant && typeof before === "number" && typeof now === "number" && now > before;
  }
  return RESUME_MAY_CHANGE.some((free) => path === free || path.startsWith(`${free}.`));
}

const valueAt = (tree: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((node, key) => (isSection(node) ? node[key] : undefined), tree);

const text = (value: unknown): string => (value === undefined ? "absent" : canonicalJson(value));

const isSection = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
