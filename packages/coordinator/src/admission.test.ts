import type { TaskReport } from "@gmc/protocol";
import { expect, test } from "vitest";
import { checkAdmission } from "./admission.ts";

const ready = (id: string, dataSha256: string, bits: string): { id: string; task: TaskReport } => ({
  id,
  task: { run: "r", stage: "ready", dataSha256, bits },
});
const preparing = { id: "p", task: { run: "r", stage: "preparing" as const } };
const refused = (...check: Parameters<typeof checkAdmission>) => [...checkAdmission(...check).keys()];

test("the open generation says which data and which bits are right", () => {
  const tasks = [ready("a", "x", "1; cpu"), ready("b", "y", "1; cpu"), ready("c", "x", "2; cpu"), preparing];
  expect(refused(tasks, { dataSha256: "x", bits: "1; cpu" }, {})).toEqual(["b", "c"]);
  expect(refused(tasks, { dataSha256: "y", bits: "2; cpu" }, {})).toEqual(["a", "b", "c"]);
});

test("before the first one most of them say it, and of as many the first", () => {
  const [a, b, c] = [ready("a", "x", "1"), ready("b", "y", "1"), ready("c", "y", "1")];
  expect(refused([a, b], undefined, {})).toEqual(["b"]);
  expect(refused([a, b, c], undefined, {})).toEqual(["a"]);
  expect(refused([preparing], undefined, {})).toEqual([]);
});

test("other bits may be allowed, other data never", () => {
  const tasks = [ready("a", "x", "1"), ready("b", "x", "2"), ready("c", "y", "1")];
  expect(refused(tasks, undefined, { cluster: { allowMixed: true } })).toEqual(["c"]);
});

test("the reason names what differs, and the way out", () => {
  const tasks = [ready("a", "x", "node 20; ort 1; cpu"), ready("b", "x", "node 22; ort 1; cpu")];
  const error = checkAdmission(tasks, undefined, {}).get("b");
  expect(error?.message).toContain("node 22 instead of node 20");
  expect(error?.message).not.toContain("ort 1");
  expect(error?.message).toContain("cluster.allowMixed");
});
