import type { EncodedError } from "@gmc/core";
import type { GenerationPlan, TaskReport } from "@gmc/protocol";

/**
 * Those of a run's workers that must not take part, and why: they would end with other bits, or see other data. The open
 * generation says what is right; before the first one, what most of them have, then what the first has.
 *
 * @param tasks  of the workers that were invited, in the order in which they came
 */
export function checkAdmission(
  tasks: readonly { readonly id: string; readonly task: TaskReport }[],
  plan: Pick<GenerationPlan, "dataSha256" | "bits"> | undefined,
  config: unknown,
): ReadonlyMap<string, EncodedError> {
  const refused = new Map<string, EncodedError>();
  const ready = tasks.filter(({ task }) => task.dataSha256 !== undefined);
  const data = plan?.dataSha256 ?? mostCommon(ready.map(({ task }) => task.dataSha256 ?? ""));
  const bits = plan?.bits ?? mostCommon(ready.map(({ task }) => task.bits ?? ""));
  for (const { id, task } of ready) {
    if (task.dataSha256 !== data) refused.set(id, otherData(id, data, task.dataSha256 ?? ""));
    else if (task.bits !== bits && !allowsMixed(config)) refused.set(id, otherBits(id, bits, task.bits ?? ""));
  }
  return refused;
}

function otherData(id: string, expected: string, received: string): EncodedError {
  const message = `${id} sees other data: their sha256 is ${received}, the run's is ${expected}. Give it the same data set.`;
  return { code: "ERR_DATA", message, details: { worker: id, expected, received } };
}

function otherBits(id: string, expected: string, received: string): EncodedError {
  const [ours, theirs] = [expected.split("; "), received.split("; ")];
  const differences = ours.flatMap((part, i) =>
    part === theirs[i] ? [] : [`${theirs[i] ?? "nothing"} instead of ${part}`],
  );
  const message = `${id} would end with other bits: it has ${differences.join(", ")}. Use equal workers, or set cluster.allowMixed, which gives up the promise of equal bits.`;
  return { code: "ERR_ENVIRONMENT", message, details: { worker: id, expected, received } };
}

const allowsMixed = (config: unknown): boolean =>
  (config as { readonly cluster?: { readonly allowMixed?: boolean } }).cluster?.allowMixed === true;

/** The value that comes most often, the first of those; "" for none. */
function mostCommon(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let best = "";
  for (const [value, count] of counts) if (count > (counts.get(best) ?? 0)) best = value;
  return best;
}
